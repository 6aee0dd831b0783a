// Keeps the screen on while a stage is looked at. Browsers allow it in a secure context only (https, or this machine), take
// it away when the page is hidden, and may take it away at any time, as for a battery that runs low.

type Lock = Pick<WakeLockSentinel, 'release' | 'addEventListener'>;

/** What a test replaces. */
export interface Screen {
  /** Undefined where the browser has nothing like it. */
  request: (() => Promise<Lock>) | undefined;
  hidden(): boolean;
  /** Call `task` whenever the page is shown or hidden, until the returned function is called. */
  watch(task: () => void): () => void;
}

const BROWSER: Screen = {
  get request() {
    return typeof navigator !== 'undefined' && 'wakeLock' in navigator ? () => navigator.wakeLock.request('screen') : undefined;
  },
  hidden: () => document.hidden,
  watch: (task) => {
    document.addEventListener('visibilitychange', task);
    return () => document.removeEventListener('visibilitychange', task);
  },
};

export class Wake {
  /** Whether the screen may go dark although somebody asked for it to stay on. */
  trouble = $state(false);
  readonly #screen: Screen;
  #lock: Lock | null = null;
  #asking = false;
  #holders = 0;
  /** Whether a lock that the browser took away may be asked for again at once: once for each look at the page. */
  #again = true;

  constructor(screen: Screen = BROWSER) {
    this.#screen = screen;
  }

  /** Keep the screen on until the returned function is called. */
  hold(): () => void {
    this.#holders += 1;
    const look = (): void => {
      this.#again = true;
      void this.#take();
    };
    look();
    const forget = this.#screen.watch(look);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      forget();
      this.#holders -= 1;
      if (this.#holders > 0) return;
      this.trouble = false;
      const lock = this.#lock;
      this.#lock = null;
      void lock?.release().catch(() => undefined);
    };
  }

  async #take(): Promise<void> {
    if (this.#holders === 0 || this.#lock || this.#asking || this.#screen.hidden()) return;
    this.#asking = true;
    try {
      if (!this.#screen.request) throw new Error('not here');
      const lock = await this.#screen.request();
      if (this.#holders === 0) {
        void lock.release().catch(() => undefined); // nobody looks any more
        return;
      }
      this.#lock = lock;
      this.trouble = false;
      lock.addEventListener('release', () => this.#lost(lock));
    } catch {
      this.trouble = this.#holders > 0;
    } finally {
      this.#asking = false;
    }
  }

  #lost(lock: Lock): void {
    if (this.#lock !== lock) return;
    this.#lock = null;
    if (this.#again) {
      this.#again = false;
      void this.#take();
    } else this.trouble = true;
  }
}

export const wake = new Wake();
