// Setlists as this page shows them: those on the shelf, and the one that is looked at with its text, what its tracks are
// and what it lacks. Which one is open for playing, and where it is, are controls of the show.

import * as api from './api';
import { list, map, number, text } from './api';
import { sentence } from './library.svelte';

export interface Fault {
  line: number;
  key: string;
  message: string;
}
export interface Entry {
  line: number;
  track: string;
  transition: string;
  notes: string;
}
export interface Setlist {
  name: string;
  title: string;
  example: boolean;
  entries: Entry[];
  faults: Fault[];
}
export interface Point {
  trackId: string;
  title: string;
  artist: string;
  length: number;
  tempo: number;
  planned: number[];
  key: string;
  camelot: string;
  shift: number;
  energy: number | null;
}
export interface Lack {
  entry: number;
  what: string;
  message: string;
  queued: boolean;
}

function asFault(row: unknown): Fault {
  const found = map(row);
  return { line: number(found['line']), key: text(found['key']), message: text(found['message']) };
}

function asSetlist(row: unknown): Setlist {
  const found = map(row);
  return {
    name: text(found['name']),
    title: text(found['title']),
    example: found['example'] === true,
    entries: list(found['entries']).map(map).map((one) => ({
      line: number(one['line']),
      track: text(one['track']),
      transition: text(one['transition']),
      notes: text(one['notes']),
    })),
    faults: list(found['faults']).map(asFault),
  };
}

function asPoint(row: unknown): Point {
  const found = map(row);
  return {
    trackId: text(found['track_id']),
    title: text(found['title']),
    artist: text(found['artist']),
    length: number(found['length']),
    tempo: number(found['tempo']),
    planned: list(found['planned']).map(number),
    key: text(found['key']),
    camelot: text(found['camelot']),
    shift: number(found['shift']),
    energy: typeof found['energy'] === 'number' ? found['energy'] : null,
  };
}

const at = (name: string): string => `/api/setlists/${encodeURIComponent(name)}`;

export class Setlists {
  all: Setlist[] = $state.raw([]);
  /** The one that is looked at. */
  shown: Setlist | null = $state.raw(null);
  text = $state('');
  points: Point[] = $state.raw([]);
  lacks: Lack[] = $state.raw([]);
  error = $state('');
  loaded = $state(false);
  #asked = 0;

  async load(): Promise<void> {
    try {
      this.all = list(await api.call('GET', '/api/setlists')).map(asSetlist);
      this.error = '';
    } catch (failure) {
      this.error = sentence(failure);
    }
    this.loaded = true;
  }

  /** Look at a setlist; '' at none. */
  async show(name: string): Promise<void> {
    const mine = ++this.#asked;
    if (!name) {
      [this.shown, this.text, this.points, this.lacks] = [null, '', [], []];
      return;
    }
    try {
      const found = map(await api.call('GET', at(name)));
      if (mine !== this.#asked) return;
      if (this.shown?.name !== name) [this.points, this.lacks] = [[], []];
      [this.shown, this.text, this.error] = [asSetlist(found), text(found['text']), ''];
      if (this.shown.faults.length > 0) return;
      const [points, lacks] = await Promise.all([api.call('GET', `${at(name)}/arc`), api.call('POST', `${at(name)}/check`, {})]);
      if (mine !== this.#asked) return;
      this.points = list(points).map(asPoint);
      this.lacks = list(lacks).map(asLack);
    } catch (failure) {
      if (mine === this.#asked) this.error = sentence(failure);
    }
  }

  /** Keep a text. Gives its faults by line, none when it was kept. Raises ApiError where it was refused for else. */
  async keep(name: string, wanted: string): Promise<Fault[]> {
    try {
      await api.call('PUT', at(name), { text: wanted });
    } catch (failure) {
      if (failure instanceof api.ApiError && failure.details['problems']) return list(failure.details['problems']).map(asFault);
      throw failure;
    }
    await Promise.all([this.load(), this.show(name)]);
    return [];
  }

  async remove(name: string): Promise<void> {
    await api.call('DELETE', at(name));
    await this.load();
    await this.show(this.all.some((one) => one.name === name) ? name : '');
  }

  /** Have the jobs begun that bring what is missing. */
  async bring(): Promise<void> {
    if (!this.shown) return;
    this.lacks = list(await api.call('POST', `${at(this.shown.name)}/check`, { queue: true })).map(asLack);
  }
}

function asLack(row: unknown): Lack {
  const found = map(row);
  return { entry: number(found['entry']), what: text(found['what']), message: text(found['message']), queued: found['queued'] === true };
}
