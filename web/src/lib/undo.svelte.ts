// What can be taken back for some seconds: a thing that was done and has an opposite, or one that is done only when the
// time is over. One at a time: the next one settles the one before.

interface Offer {
  message: string;
  /** Does the opposite, or forgets what was about to be done. */
  back: () => Promise<unknown> | void;
  /** What is still to be done when nobody takes it back. */
  act: (() => Promise<unknown>) | null;
}

export const OFFERED_MS = 8000;

export class Undo {
  message = $state('');
  #offer: Offer | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `failed` gets what went wrong, and what was meant. */
  constructor(private readonly failed: (error: unknown, what: string) => void) {}

  /** Something was done; `back` does the opposite. */
  done(message: string, back: () => Promise<unknown>): void {
    this.#put({ message, back, act: null });
  }

  /** Something is done in some seconds unless it is taken back; a page that is closed before has done nothing. */
  later(message: string, act: () => Promise<unknown>, back: () => void): void {
    this.#put({ message, back, act });
  }

  /** Take it back. */
  async take(): Promise<void> {
    const offer = this.#leave();
    if (!offer) return;
    try {
      await offer.back();
    } catch (error) {
      this.failed(error, offer.message);
    }
  }

  /** Let it be done, now. */
  async settle(): Promise<void> {
    const offer = this.#leave();
    if (!offer?.act) return;
    try {
      await offer.act();
    } catch (error) {
      void offer.back();
      this.failed(error, offer.message);
    }
  }

  #put(offer: Offer): void {
    void this.settle();
    this.#offer = offer;
    this.message = offer.message;
    this.#timer = setTimeout(() => void this.settle(), OFFERED_MS);
  }

  #leave(): Offer | null {
    clearTimeout(this.#timer);
    const offer = this.#offer;
    this.#offer = null;
    this.message = '';
    return offer;
  }
}
