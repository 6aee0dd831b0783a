// Transitions of a setlist, to be heard before the show: the server plays one into a file, this page's speakers play that.
// A transition that was made is kept until its setlist is written anew, so hearing it again costs nothing.

import type { Preview } from '../audio/preview.svelte';
import { file } from './api';

export class Rehearsal {
  /** Entry whose transition is being made; 0 for none. */
  making = $state(0);
  #heard = $state('');
  #made = new Map<string, string>();
  #stop: AbortController | null = null;

  /** `fetched` gives a file of the server as something an audio element can play. */
  constructor(
    private readonly preview: Preview,
    private readonly fetched: (path: string, stop: AbortSignal) => Promise<string> = asObject,
  ) {}

  /** Whether the transition into an entry is heard now. */
  hears(name: string, text: string, entry: number): boolean {
    return this.preview.url !== '' && this.#heard === key(name, text, entry) && this.preview.url === this.#made.get(this.#heard);
  }

  /** Hear how a setlist goes over into an entry (from 2), or end that. `text` is the setlist as it is kept. Raises ApiError. */
  async toggle(name: string, text: string, entry: number): Promise<void> {
    const again = this.hears(name, text, entry) || this.making === entry;
    this.stop();
    if (again) return;
    const wanted = key(name, text, entry);
    let url = this.#made.get(wanted);
    if (!url) {
      const stop = (this.#stop = new AbortController());
      this.making = entry;
      try {
        url = await this.fetched(`/api/setlists/${encodeURIComponent(name)}/transition/${entry}`, stop.signal);
        this.#made.set(wanted, url);
      } catch (error) {
        if (!stop.signal.aborted) throw error;
        return;
      } finally {
        if (this.#stop === stop) this.making = 0;
      }
      if (stop.signal.aborted) return;
    }
    this.#heard = wanted;
    this.preview.start(url);
  }

  stop(): void {
    this.#stop?.abort();
    this.#stop = null;
    this.making = 0;
    if (this.#heard && this.preview.url === this.#made.get(this.#heard)) this.preview.stop();
    this.#heard = '';
  }

  /** Leave the setlist: what was made is thrown away. */
  forget(): void {
    this.stop();
    for (const url of this.#made.values()) URL.revokeObjectURL(url);
    this.#made.clear();
  }
}

const key = (name: string, text: string, entry: number): string => `${entry} ${name}\n${text}`;

async function asObject(path: string, stop: AbortSignal): Promise<string> {
  return URL.createObjectURL(await (await file(path, stop)).blob());
}
