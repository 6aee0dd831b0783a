// Keeps the screen on while a stage is looked at. Browsers allow it in a secure context only (https, or this machine).

class Wake {
  /** Whether the screen may go dark although somebody asked for it to stay on. */
  trouble = $state(false);
  #lock: WakeLockSentinel | null = null;
  #wanted = false;

  /** Keep the screen on until the returned function is called. */
  hold(): () => void {
    this.#wanted = true;
    void this.#take();
    const seen = (): void => void this.#take(); // a lock goes when the page is hidden
    document.addEventListener('visibilitychange', seen);
    return () => {
      document.removeEventListener('visibilitychange', seen);
      this.#wanted = false;
      this.trouble = false;
      void this.#lock?.release().catch(() => undefined);
      this.#lock = null;
    };
  }

  async #take(): Promise<void> {
    if (!this.#wanted || document.hidden) return;
    try {
      if (!('wakeLock' in navigator)) throw new Error('not here');
      this.#lock = await navigator.wakeLock.request('screen');
      this.trouble = false;
    } catch {
      this.trouble = this.#wanted;
    }
  }
}

export const wake = new Wake();
