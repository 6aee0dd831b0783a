// The engine's numbers over the last minutes, as they came in while this page was open. For display only.

import type { EngineStatus } from '../protocol';

export interface Beat {
  at: number;
  load: number;
  late: number;
}

const KEPT_MS = 5 * 60_000;
const EVERY_MS = 1000;

export class Pulse {
  beats: Beat[] = $state.raw([]);
  #last = -EVERY_MS;
  #late = -1;

  hear(engine: EngineStatus, now: number): void {
    if (now - this.#last < EVERY_MS) return;
    const since = this.#late < 0 || engine.late_blocks < this.#late ? 0 : engine.late_blocks - this.#late;
    this.#late = engine.late_blocks;
    this.#last = now;
    this.beats = [...this.beats.filter((beat) => now - beat.at < KEPT_MS), { at: now, load: engine.load, late: since }];
  }
}
