// "Listen here": the master of the engine in this page's speakers.

import type { AudioBlockMessage } from '../protocol';
import { openOutlet, samples, type Outlet } from './outlet';
import type { RingState } from './ring';

export type Listening = 'off' | 'opening' | 'buffering' | 'playing';

export class Listen {
  state: Listening = $state('off');
  fillMs = $state(0);
  underruns = $state(0);
  kind: 'worklet' | 'buffers' | '' = $state('');
  /** Loudest sample of the last block, so that a silent engine and a broken wire look different. */
  peak = 0;
  #outlet: Outlet | null = null;

  /** `subscribe` is told when the audio topic is wanted or no longer; `failed` gets a sentence. */
  constructor(
    private readonly subscribe: () => void,
    private readonly failed: (message: string) => void,
  ) {}

  get wanted(): boolean {
    return this.state !== 'off';
  }

  async toggle(): Promise<void> {
    if (this.wanted) await this.stop();
    else await this.start();
  }

  async start(): Promise<void> {
    if (this.wanted) return;
    this.state = 'opening';
    try {
      const outlet = await openOutlet((report) => this.#hear(report));
      this.#outlet = outlet;
      this.kind = outlet.kind;
      this.state = 'buffering';
      this.subscribe();
    } catch (error) {
      this.state = 'off';
      this.failed(`This page cannot play sound: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async stop(): Promise<void> {
    const outlet = this.#outlet;
    this.#outlet = null;
    this.state = 'off';
    this.peak = 0;
    this.subscribe();
    await outlet?.close();
  }

  block(message: AudioBlockMessage): void {
    if (this.#outlet === null) return;
    const pcm = samples(message.pcm);
    let peak = 0;
    for (const sample of pcm) peak = Math.max(peak, Math.abs(sample));
    this.peak = peak;
    this.#outlet.push(message.frame, message.rate, pcm);
  }

  /** The connection was lost: what is in the buffer plays out and fades; what comes later begins with a fade. */
  interrupted(): void {
    if (this.wanted) this.state = 'buffering';
  }

  #hear(report: RingState): void {
    if (this.#outlet === null) return;
    this.state = report.flow;
    this.fillMs = Math.round(report.fillMs);
    this.underruns = report.underruns;
  }
}
