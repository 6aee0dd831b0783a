// The library as this page shows it: a searched list, the uploads of this page, and what the jobs are doing.

import { SvelteMap, SvelteSet } from 'svelte/reactivity';
import type { JobChangedMessage, LibraryChangedMessage } from '../protocol';
import * as api from './api';
import type { Engine, Job, Track } from './api';
import { asked as wishesOf, EVERYTHING, type Filter } from './filter';

export interface Upload {
  id: number;
  name: string;
  size: number;
  progress: number;
  state: 'waiting' | 'sending' | 'reading' | 'failed';
  error: string;
  stop: AbortController;
  file: File;
}

/** The list is not asked for again sooner: a page may make 120 requests a minute. */
const RELOAD_MS = 1200;
const FINAL = new Set(['completed', 'failed', 'cancelled']);

export class Library {
  tracks: Track[] = $state([]);
  query = $state('');
  /** Field that the list goes by, `-` in front for downwards. */
  sort = $state('-inserted_at');
  filter: Filter = $state.raw(EVERYTHING);
  /** How many tracks the list has when all of it is shown. */
  total = $state(0);
  /** Tracks that somebody picked to do something with all of them. */
  readonly picked = new SvelteSet<string>();
  /** Tracks that are about to be removed, and can still be kept. */
  readonly going = new SvelteSet<string>();
  loading = $state(true);
  error = $state('');
  more: string | null = $state(null);
  /** What can take tracks apart here. */
  engines: Engine[] = $state.raw([]);
  readonly uploads: Upload[] = $state([]);
  /** Jobs by id. */
  readonly jobs = new SvelteMap<string, Job>();
  #asked = 0;
  /** What the list that is shown was asked for. */
  #shown = '';
  #adding = false;
  #nextUpload = 1;
  #sending = false;
  #refresh: ReturnType<typeof setTimeout> | undefined;
  #loadedAt = -RELOAD_MS;

  constructor(private readonly failed: (message: string, detail: string) => void) {}

  /** The newest job of each kind of one track, unfinished and failed ones only. */
  jobsOf(trackId: string): Job[] {
    const newest = new Map<string, Job>();
    for (const job of this.jobs.values()) if (job.track_id === trackId) newest.set(job.kind, job);
    return [...newest.values()].filter((job) => job.status !== 'completed' && job.status !== 'cancelled');
  }

  busy(job: Job): boolean {
    return !FINAL.has(job.status);
  }

  /** Ask for the list again; only the newest answer counts. What was shown beyond its first page stays, so that a list
   * somebody has walked down does not jump back. */
  async load(): Promise<void> {
    const asked = ++this.#asked;
    const wanted = JSON.stringify([this.query.trim(), this.sort, this.filter]);
    this.#loadedAt = performance.now();
    try {
      const page = await this.#page(null);
      if (asked !== this.#asked) return;
      const first = new Set(page.tracks.map((track) => track.id));
      const kept = wanted === this.#shown && page.cursor !== null ? this.tracks.slice(page.tracks.length).filter((track) => !first.has(track.id)) : [];
      this.tracks = [...page.tracks, ...kept];
      if (kept.length === 0) this.more = page.cursor;
      if (wanted !== this.#shown) this.picked.clear();
      this.#shown = wanted;
      this.total = page.total;
      this.error = '';
      this.#takeOf(page.tracks);
    } catch (error) {
      if (asked === this.#asked) this.error = sentence(error);
    } finally {
      if (asked === this.#asked) this.loading = false;
    }
  }

  async loadMore(): Promise<void> {
    if (this.more === null || this.#adding) return;
    const asked = this.#asked;
    this.#adding = true;
    try {
      const page = await this.#page(this.more);
      if (asked !== this.#asked) return;
      const there = new Set(this.tracks.map((track) => track.id));
      this.tracks = [...this.tracks, ...page.tracks.filter((track) => !there.has(track.id))];
      this.more = page.cursor;
      this.#takeOf(page.tracks);
    } catch (error) {
      this.failed(sentence(error), '');
    } finally {
      this.#adding = false;
    }
  }

  #page(cursor: string | null): Promise<api.TrackPage> {
    return api.tracks(this.query.trim(), cursor, this.sort, wishesOf(this.filter));
  }

  async loadEngines(): Promise<void> {
    try {
      this.engines = await api.engines();
    } catch {
      this.engines = []; // the server then takes the best there is
    }
  }

  async loadJobs(): Promise<void> {
    try {
      const found = await api.jobs();
      this.jobs.clear();
      for (const job of found.reverse()) this.#take(job);
      this.#takeOf(this.tracks);
    } catch {
      // the list says it already when the server cannot be reached
    }
  }

  job(message: JobChangedMessage): void {
    const { type: _, ...job } = message;
    this.#take(job);
    if (job.status === 'completed') this.soon();
  }

  changed(message: LibraryChangedMessage): void {
    if (message.change === 'removed' || message.change === 'deleted') {
      this.tracks = this.tracks.filter((track) => track.id !== message.track_id);
      this.picked.delete(message.track_id);
    } else {
      this.soon();
    }
  }

  /** Reload the list a moment later; many messages make one reload, at most every RELOAD_MS. */
  soon(): void {
    if (this.#refresh !== undefined) return;
    const wait = Math.max(150, this.#loadedAt + RELOAD_MS - performance.now());
    this.#refresh = setTimeout(() => {
      this.#refresh = undefined;
      void this.load();
    }, wait);
  }

  /** Do something with the library; a failure is told as a sentence. */
  async act(what: string, action: Promise<unknown>): Promise<boolean> {
    try {
      await action;
      return true;
    } catch (error) {
      this.failed(sentence(error), what);
      return false;
    }
  }

  add(files: Iterable<File>): void {
    for (const file of files) {
      this.uploads.push({
        id: this.#nextUpload++,
        name: file.name,
        size: file.size,
        progress: 0,
        state: 'waiting',
        error: '',
        stop: new AbortController(),
        file,
      });
    }
    void this.#sendNext();
  }

  dismiss(upload: Upload): void {
    upload.stop.abort();
    const index = this.uploads.findIndex((item) => item.id === upload.id);
    if (index >= 0) this.uploads.splice(index, 1);
  }

  /** One file at a time: the stage has one network. */
  async #sendNext(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    for (;;) {
      const upload = this.uploads.find((item) => item.state === 'waiting');
      if (!upload) break;
      upload.state = 'sending';
      try {
        await api.upload(
          upload.file,
          (part) => {
            upload.progress = part;
            if (part >= 1) upload.state = 'reading';
          },
          upload.stop.signal,
        );
        this.dismiss(upload);
        this.soon();
      } catch (error) {
        if (error instanceof api.ApiError && error.status === 429 && !upload.stop.signal.aborted) {
          upload.state = 'waiting'; // too many at once for the server: wait as long as it says
          await new Promise((resolve) => setTimeout(resolve, 1000 * Math.max(1, error.retryAfterS)));
          continue;
        }
        upload.state = 'failed';
        upload.error = sentence(error);
        if (!upload.stop.signal.aborted) this.failed(upload.error, upload.name);
      }
    }
    this.#sending = false;
  }

  /** The server names jobs newest first; here the newest is the one taken last. */
  #takeOf(tracks: readonly Track[]): void {
    for (const track of tracks) for (const job of [...track.jobs].reverse()) this.#take(job);
  }

  #take(job: Job): void {
    if (!job.id) return;
    this.jobs.delete(job.id);
    this.jobs.set(job.id, job);
  }
}

export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
