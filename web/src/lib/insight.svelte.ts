// What the analysis knows of a track, as the page draws it: asked for once a track, again when the track changes.
// Times are seconds of the track, energies and confidences 0 to 1. Nothing is computed here but what is missing is empty.

import { SvelteMap } from 'svelte/reactivity';
import * as api from './api';
import { list, map, number, text } from './api';

export interface Stretch {
  start: number;
  end: number;
  label: string;
}
export interface Section extends Stretch {
  bars: number;
  energy: number;
}
export interface Hit {
  time: number;
  kind: string;
  strength: number;
}
export interface Insight {
  duration: number;
  tempo: number;
  key: string;
  camelot: string;
  energy: number;
  beatsPerBar: number;
  sections: Section[];
  chords: Stretch[];
  loops: (Stretch & { bars: number })[];
  cues: { time: number; label: string }[];
  hits: Hit[];
  beats: number[];
  downbeats: number[];
  energyCurve: { step: number; values: number[] };
  chroma: number[];
  mfcc: number[];
  mfccSpread: number[];
  contrast: number[];
  centroid: number;
  rolloff: number;
  bandwidth: number;
  flatness: number;
  crossings: number;
  loudness: number;
  loudnessRange: number;
  truePeak: number;
  tempoConfidence: number;
  keyConfidence: number;
  gridKind: string;
}

const numbers = (value: unknown): number[] => list(value).map(number);

function stretches(value: unknown, name: string): Stretch[] {
  return list(value).map(map).map((row) => ({ start: number(row['start']), end: number(row['end']), label: text(row[name]) }));
}

/** Read `analysis` of a track; null where there is none. */
export function asInsight(analysis: unknown): Insight | null {
  const row = map(analysis);
  const found = map(row['features']);
  if (Object.keys(found).length === 0) return null;
  const curve = map(found['energy_curve']);
  const rows = (name: string): api.Json[] => list(found[name]).map(map);
  return {
    duration: number(found['duration']),
    tempo: number(found['tempo']),
    key: text(found['key']),
    camelot: text(found['camelot']),
    energy: number(found['energy']),
    beatsPerBar: number(found['beats_per_bar']) || 4,
    sections: stretches(found['sections'], 'label').map((one, index) => {
      const from = rows('sections')[index] ?? {};
      return { ...one, bars: number(from['bars']), energy: number(from['energy']) };
    }),
    chords: stretches(found['chords'], 'name'),
    loops: stretches(found['loops'], 'label').map((one, index) => ({ ...one, bars: number(rows('loops')[index]?.['bars']) })),
    cues: rows('cues').map((one) => ({ time: number(one['time']), label: text(one['label']) })),
    hits: rows('drum_hits').map((one) => ({ time: number(one['time']), kind: text(one['kind']), strength: number(one['strength']) })),
    beats: numbers(found['beats']),
    downbeats: numbers(found['downbeats']),
    energyCurve: { step: number(curve['step']) || 0.5, values: numbers(curve['values']) },
    chroma: numbers(found['chroma']),
    mfcc: numbers(found['mfcc']),
    mfccSpread: numbers(found['mfcc_std']),
    contrast: numbers(found['spectral_contrast']),
    centroid: number(found['spectral_centroid']),
    rolloff: number(found['spectral_rolloff']),
    bandwidth: number(found['spectral_bandwidth']),
    flatness: number(found['spectral_flatness']),
    crossings: number(found['zero_crossing_rate']),
    loudness: number(found['loudness_lufs']),
    loudnessRange: number(found['loudness_range']),
    truePeak: number(found['true_peak_db']),
    tempoConfidence: number(found['tempo_confidence']),
    keyConfidence: number(found['key_confidence']),
    gridKind: text(map(found['beat_grid'])['kind']),
  };
}

const KEPT = 24;

/** Insights by track id; ask with `of`, which asks the server the first time. */
export class Insights {
  readonly #known = new SvelteMap<string, Insight | null>();
  readonly #asked = new Set<string>();

  /** What is known of a track now: undefined while it is asked for, null where it has no analysis. */
  of(trackId: string): Insight | null | undefined {
    if (!trackId) return null;
    if (!this.#asked.has(trackId)) {
      this.#asked.add(trackId);
      queueMicrotask(() => void this.#load(trackId));
    }
    return this.#known.get(trackId);
  }

  /** A track changed: look again where somebody looks. */
  changed(trackId: string): void {
    if (this.#asked.has(trackId)) void this.#load(trackId);
  }

  async #load(trackId: string): Promise<void> {
    try {
      const found = map(await api.call('GET', `/api/tracks/${encodeURIComponent(trackId)}`));
      this.#known.set(trackId, asInsight(found['analysis']));
    } catch {
      this.#known.set(trackId, null);
      this.#asked.delete(trackId); // the next look asks again
    }
    const oldest = this.#known.keys().next().value;
    if (this.#known.size > KEPT && oldest !== undefined) {
      this.#known.delete(oldest);
      this.#asked.delete(oldest);
    }
  }
}
