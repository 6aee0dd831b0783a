// What was played along with tracks: asked for by whoever shows it, and again when the server says that a track changed.

import { SvelteMap } from 'svelte/reactivity';
import { call, line, list, map, number, text, type Json } from './api';

/** A take; `start` and `end` in seconds of the track, `rate` the speed it was played at, `made` in milliseconds. */
export interface Take {
  id: string;
  name: string;
  chosen: boolean;
  start: number;
  end: number;
  rate: number;
  size: number;
  made: number;
}

export function asTake(row: unknown): Take {
  const found = map(row);
  return {
    id: text(found['id']),
    name: line(found['name']),
    chosen: found['chosen'] === true,
    start: number(found['start']),
    end: number(found['end']),
    rate: number(found['rate']) || 1,
    size: number(found['file_size']),
    made: Date.parse(text(found['made_at'])) || 0,
  };
}

export const takeLink = (id: string): string => `/api/takes/${encodeURIComponent(id)}/audio`;

export class Takes {
  readonly #of = new SvelteMap<string, Take[]>();

  /** The takes of a track, newest first; undefined while they are on their way. */
  of(trackId: string): Take[] | undefined {
    return this.#of.get(trackId);
  }

  /** Ask for a track's takes. Raises ApiError. */
  async load(trackId: string): Promise<void> {
    const found = map(await call('GET', `/api/tracks/${encodeURIComponent(trackId)}/takes`));
    this.#of.set(trackId, list(found['takes']).map(asTake));
  }

  /** A track changed: what is shown of its takes may have, too. */
  changed(trackId: string): void {
    if (this.#of.has(trackId)) void this.load(trackId).catch(() => this.#of.delete(trackId)); // the track is gone
  }

  /** After a connection that was lost nobody knows what has changed: whoever shows something asks again. */
  forget(): void {
    this.#of.clear();
  }

  /** Name a take, or let it play beside its track. Raises ApiError. */
  async change(trackId: string, id: string, change: Json): Promise<void> {
    await call('PATCH', `/api/takes/${encodeURIComponent(id)}`, change);
    await this.load(trackId);
  }

  async remove(trackId: string, id: string): Promise<void> {
    await call('DELETE', `/api/takes/${encodeURIComponent(id)}`);
    await this.load(trackId);
  }
}
