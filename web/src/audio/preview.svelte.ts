// One file at a time to listen to in this page's speakers, beside the show: a take, a version of a stem, a transition.

export class Preview {
  /** What is heard; empty for nothing. */
  url = $state('');
  /** Whether sound has begun; a long way may lie between the press and that. */
  sounding = $state(false);
  #element: HTMLAudioElement | null = null;
  #till = Infinity;

  /** `failed` gets a sentence. */
  constructor(private readonly failed: (message: string) => void) {}

  /** Begin to listen, or end it where this file is heard already. `from` and `till` in seconds of the file. */
  toggle(url: string, from = 0, till = Infinity): void {
    if (this.url === url) this.stop();
    else this.start(url, from, till);
  }

  /** Listen to a file; what was heard before ends. Call from a click, or browsers keep silent. */
  start(url: string, from = 0, till = Infinity): void {
    const element = (this.#element ??= this.#made());
    this.url = url;
    this.sounding = false;
    this.#till = till;
    element.src = url;
    if (from > 0) element.currentTime = from;
    element.play().catch((error: unknown) => {
      if (this.url !== url) return; // another file was asked for, or none
      this.stop();
      this.failed(error instanceof Error ? error.message : String(error));
    });
  }

  stop(): void {
    this.url = '';
    this.sounding = false;
    this.#element?.pause();
    this.#element?.removeAttribute('src');
  }

  #made(): HTMLAudioElement {
    const element = new Audio();
    element.addEventListener('playing', () => (this.sounding = this.url !== ''));
    element.addEventListener('ended', () => this.stop());
    element.addEventListener('timeupdate', () => {
      if (element.currentTime >= this.#till) this.stop();
    });
    return element;
  }
}
