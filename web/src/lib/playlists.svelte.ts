// Playlists as this page shows them: their names, and the one that is open with its tracks in order.

import * as api from './api';
import { sentence } from './library.svelte';
import type { Track } from './api';

/** A playlist as the list names it. */
export interface PlaylistName {
  id: string;
  name: string;
  count: number;
}

/** The playlist that is open. */
export interface OpenPlaylist {
  id: string;
  name: string;
  tracks: Track[];
}

/** Rows that are dragged carry their track's id under this type, so that files are told apart from them. */
export const DRAGGED = 'application/x-alchemy-track';

/** The list is not asked for again sooner than this after something in it changed. */
const SOON_MS = 400;

export class Playlists {
  /** A playlist that is about to be removed, and can still be kept; '' for none. */
  going = $state('');
  all: PlaylistName[] = $state.raw([]);
  open: OpenPlaylist | null = $state.raw(null);
  /** Why the open playlist cannot be shown. */
  error = $state('');
  #wanted = $state('');
  #asked = 0;
  #refresh: ReturnType<typeof setTimeout> | undefined;
  #renew: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly failed: (message: string, detail: string) => void) {}

  /** Ask for everything again, as after a reconnect. */
  async load(): Promise<void> {
    try {
      const found = api.map(await api.call('GET', '/api/playlists'));
      this.all = api.list(found['playlists']).map(asName);
    } catch (error) {
      this.failed(sentence(error), 'Playlists');
    }
    if (this.#wanted) await this.#show(this.#wanted);
  }

  /** Open a playlist; '' goes back to the whole library. */
  async show(id: string): Promise<void> {
    this.#wanted = id;
    this.error = '';
    if (this.open?.id !== id) this.open = null;
    if (id) await this.#show(id);
  }

  /** The playlist that was asked for, open or not yet. */
  get wanted(): string {
    return this.#wanted;
  }

  /** Something about tracks changed: read the open playlist again a moment later. */
  soon(): void {
    if (!this.#wanted || this.#refresh !== undefined) return;
    this.#refresh = setTimeout(() => {
      this.#refresh = undefined;
      if (this.#wanted) void this.#show(this.#wanted);
    }, SOON_MS);
  }

  /** A playlist changed, by this page or another: read all of it again a moment later. */
  changed(): void {
    this.#renew ??= setTimeout(() => {
      this.#renew = undefined;
      void this.load();
    }, SOON_MS);
  }

  /** Make a playlist; give its id. Raises ApiError, for the form that asked. */
  async create(name: string): Promise<string> {
    const made = asOpen(await api.call('POST', '/api/playlists', { name }));
    this.all = [...this.all, nameOf(made)];
    return made.id;
  }

  /** Raises ApiError, for the form that asked. */
  async rename(id: string, name: string): Promise<void> {
    this.#take(await api.call('PATCH', place(id), { name }));
  }

  async remove(id: string): Promise<void> {
    const gone = await this.#try(this.nameOf(id), () => api.call('DELETE', place(id)));
    if (!gone) return;
    this.all = this.all.filter((other) => other.id !== id);
    if (this.#wanted === id) await this.show('');
  }

  /** Put a track at the end. */
  async add(id: string, trackId: string): Promise<boolean> {
    return this.#try(this.nameOf(id), () => this.put(id, trackId));
  }

  /** Take a track out of the open playlist. */
  async take(trackId: string): Promise<boolean> {
    const { open } = this;
    return open !== null && (await this.#try(open.name, () => this.drop(open.id, trackId)));
  }

  /** Move a track of the open playlist to a place, counted from 0. It is drawn there at once. */
  async move(trackId: string, to: number): Promise<boolean> {
    const { open } = this;
    const from = open?.tracks.findIndex((track) => track.id === trackId) ?? -1;
    if (!open || from < 0) return false;
    const tracks = moved(open.tracks, from, to);
    this.open = { ...open, tracks };
    const done = await this.#try(open.name, () => this.order(open.id, tracks.map((track) => track.id)));
    if (!done) await this.#show(open.id); // what the server has is the truth
    return done;
  }

  /** The tracks of a playlist, by id. Raises ApiError. */
  async tracksOf(id: string): Promise<string[]> {
    return asOpen(await api.call('GET', place(id))).tracks.map((track) => track.id);
  }

  /** Put a track at the end. Raises ApiError. */
  async put(id: string, trackId: string): Promise<void> {
    this.#take(await api.call('POST', `${place(id)}/tracks`, { track_id: trackId }));
  }

  /** Take a track out. Raises ApiError. */
  async drop(id: string, trackId: string): Promise<void> {
    this.#take(await api.call('DELETE', `${place(id)}/tracks/${encodeURIComponent(trackId)}`));
  }

  /** Put the tracks of a playlist into an order, which has all of them. Raises ApiError. */
  async order(id: string, trackIds: readonly string[]): Promise<void> {
    this.#take(await api.call('PUT', `${place(id)}/tracks`, { track_ids: trackIds }));
  }

  nameOf(id: string): string {
    return this.all.find((one) => one.id === id)?.name ?? 'Playlist';
  }

  async #show(id: string): Promise<void> {
    const asked = ++this.#asked;
    try {
      const found = asOpen(await api.call('GET', place(id)));
      if (asked !== this.#asked || this.#wanted !== id) return;
      this.open = found;
      this.error = '';
      this.#count(found);
    } catch (error) {
      if (asked !== this.#asked || this.#wanted !== id) return;
      if (error instanceof api.ApiError && error.status === 404) {
        this.all = this.all.filter((other) => other.id !== id); // another page has removed it
        await this.show('');
        this.failed('This playlist is not there any more.', 'Playlists');
      } else if (this.open) this.failed(sentence(error), 'Playlists');
      else this.error = sentence(error);
    }
  }

  /** Take in a playlist that the server has answered with. */
  #take(answer: unknown): void {
    const found = asOpen(answer);
    this.#asked += 1; // what was asked before this is older
    if (this.#wanted === found.id) this.open = found;
    this.#count(found);
  }

  #count(found: OpenPlaylist): void {
    this.all = this.all.map((one) => (one.id === found.id ? nameOf(found) : one));
  }

  async #try(what: string, action: () => Promise<unknown>): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      this.failed(sentence(error), what);
      return false;
    }
  }
}

/** `items` with the one at `from` moved to `to`; places beyond the ends are the ends. */
export function moved<Item>(items: readonly Item[], from: number, to: number): Item[] {
  const [one] = items.slice(from, from + 1);
  if (one === undefined) return [...items];
  const rest = items.filter((_, index) => index !== from);
  const at = Math.min(Math.max(to, 0), rest.length);
  return [...rest.slice(0, at), one, ...rest.slice(at)];
}

/** Whether every word of the search is in title, artist or album, as the server searches the library. */
export function matches(track: Track, query: string): boolean {
  const text = `${track.title}\n${track.artist}\n${track.album}`.toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function place(id: string): string {
  return `/api/playlists/${encodeURIComponent(id)}`;
}

function asName(row: unknown): PlaylistName {
  const found = api.map(row);
  return { id: api.text(found['id']), name: api.text(found['name']), count: api.number(found['track_count']) };
}

function nameOf(playlist: OpenPlaylist): PlaylistName {
  return { id: playlist.id, name: playlist.name, count: playlist.tracks.length };
}

function asOpen(row: unknown): OpenPlaylist {
  const found = api.map(row);
  const tracks = api.list(found['tracks']).map((entry) => api.asTrack(api.map(entry)['track']));
  return { id: api.text(found['id']), name: api.text(found['name']), tracks };
}
