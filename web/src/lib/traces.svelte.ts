// Waveforms and marks of tracks, asked for once and shared by everything that draws them; marks are asked for again when
// somebody, here or elsewhere, has changed them.

import { SvelteMap } from 'svelte/reactivity';
import * as api from './api';
import type { MarkList } from './api';
import { sentence } from './library.svelte';
import { parseWaveform, type Waveform } from './waveform';

const KEPT = 12;
const TRIES = 4;
export const NO_MARKS: MarkList = { beats: [], origin: 0, memory: [] };

export class Traces {
  readonly #waves = new SvelteMap<string, Waveform | string>();
  readonly #marks = new SvelteMap<string, MarkList>();
  readonly #asked = new Set<string>();
  readonly #stems = new SvelteMap<string, Waveform>();
  readonly #stemsAsked = new Set<string>();

  /** The waveform of a track, a sentence that says why there is none, or undefined while it is on its way. */
  wave(trackId: string): Waveform | string | undefined {
    this.#ask(trackId);
    return trackId ? this.#waves.get(trackId) : undefined;
  }

  /** The shape of a stem of a track; undefined while it is on its way, or where there is none. Only asked for on demand. */
  stem(trackId: string, stem: string): Waveform | undefined {
    if (!trackId) return undefined;
    if (!this.#stemsAsked.has(trackId)) {
      this.#stemsAsked.add(trackId);
      queueMicrotask(() => void this.#loadStems(trackId));
    }
    return this.#stems.get(`${trackId} ${stem}`);
  }

  /** Stems of a track came or were chosen anew. */
  stemsChanged(trackId: string): void {
    if (this.#stemsAsked.has(trackId)) void this.#loadStems(trackId);
  }

  marks(trackId: string): MarkList {
    this.#ask(trackId);
    return this.#marks.get(trackId) ?? NO_MARKS;
  }

  /** Marks of a track changed: look again if somebody looks at it. */
  changed(trackId: string): void {
    if (this.#asked.has(trackId)) void this.#loadMarks(trackId);
  }

  /** Ask for all marks again, as after a connection that was lost. */
  renew(): void {
    for (const trackId of this.#asked) void this.#loadMarks(trackId);
  }

  #ask(trackId: string): void {
    if (!trackId || this.#asked.has(trackId)) return;
    this.#asked.add(trackId);
    queueMicrotask(() => {
      void this.#loadWave(trackId);
      void this.#loadMarks(trackId);
    });
    const oldest = this.#asked.values().next().value;
    if (this.#asked.size > KEPT && oldest !== undefined) {
      this.#asked.delete(oldest);
      queueMicrotask(() => {
        this.#waves.delete(oldest);
        this.#marks.delete(oldest);
      });
    }
  }

  async #loadWave(trackId: string): Promise<void> {
    // a track that was just imported may be asked for before its overview is there
    for (let attempt = 0; attempt < TRIES && this.#asked.has(trackId); attempt += 1) {
      try {
        this.#waves.set(trackId, parseWaveform(await api.waveform(trackId)));
        return;
      } catch (failure) {
        this.#waves.set(trackId, sentence(failure));
        await new Promise((resolve) => setTimeout(resolve, 800 * 2 ** attempt));
      }
    }
    this.#asked.delete(trackId); // the next look tries again
  }

  async #loadStems(trackId: string): Promise<void> {
    try {
      const { stems } = await api.track(trackId);
      for (const stem of stems.filter((one) => one.chosen)) {
        this.#stems.set(`${trackId} ${stem.stem_type}`, parseWaveform(await api.stemShape(stem.id)));
      }
    } catch {
      this.#stemsAsked.delete(trackId); // lanes stay plain; the next look tries again
    }
    const oldest = this.#stemsAsked.values().next().value;
    if (this.#stemsAsked.size > KEPT && oldest !== undefined && oldest !== trackId) {
      this.#stemsAsked.delete(oldest);
      for (const key of [...this.#stems.keys()]) if (key.startsWith(`${oldest} `)) this.#stems.delete(key);
    }
  }

  async #loadMarks(trackId: string): Promise<void> {
    try {
      this.#marks.set(trackId, await api.marks(trackId));
    } catch {
      // then there is nothing to draw
    }
  }
}
