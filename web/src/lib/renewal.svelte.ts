// Notices that the server has another build of this page than the one that runs here, and takes it. What a page shows is the
// show's, and its view is in the address, so a reload loses nothing, unless a hand is at work: then the new build is
// offered, and taken once nobody looks.

/** What a test replaces. */
export interface House {
  /** The document that the server has now. */
  ask(): Promise<string>;
  /** Path of the script that runs here; '' where it is not known. */
  own(): string;
  /** Whether a reload would take something from somebody. */
  busy(): boolean;
  hidden(): boolean;
  reload(): void;
}

/** The page's part in `busy`: what is not seen in the document. */
export type AtWork = () => boolean;

export function browserHouse(atWork: AtWork): House {
  let held = 0;
  for (const [name, change] of [['pointerdown', 1], ['pointerup', -1], ['pointercancel', -1]] as const) {
    window.addEventListener(name, () => (held = Math.max(0, held + change)), true);
  }
  return {
    ask: async () => {
      const answer = await fetch('/', { cache: 'no-store', credentials: 'same-origin' });
      return answer.ok ? answer.text() : '';
    },
    own: () => new URL(document.querySelector<HTMLScriptElement>('script[type=module][src]')?.src ?? '', location.href).pathname,
    busy: () =>
      held > 0 || atWork() || document.querySelector('dialog[open]') !== null ||
      (document.activeElement?.closest('input:not([type=range]), textarea, [contenteditable]') ?? null) !== null,
    hidden: () => document.hidden,
    reload: () => location.reload(),
  };
}

export class Renewal {
  /** Another build is there and waits until nobody is at work in this page. */
  waits = $state(false);
  #asking = false;

  constructor(private readonly house: House) {}

  /** Ask the server for its build: after every connection, and when the page is looked at again. */
  async look(): Promise<void> {
    if (this.waits) return this.seen();
    if (this.#asking) return;
    this.#asking = true;
    try {
      const [text, own] = [await this.house.ask(), this.house.own()];
      if (!own.endsWith('.js') || !text.includes('<script') || text.includes(`"${own}"`)) return;
      if (this.house.busy()) this.waits = true;
      else this.house.reload();
    } catch {
      // not connected after all: the next connection asks again
    } finally {
      this.#asking = false;
    }
  }

  /** The page was shown or hidden: nobody is disturbed while it is hidden. */
  seen(): void {
    if (this.waits && this.house.hidden() && !this.house.busy()) this.house.reload();
  }

  take(): void {
    this.house.reload();
  }
}
