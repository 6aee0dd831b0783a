// A search of the library that is typed: the answer to the last question counts, whichever comes last.

import * as api from './api';
import type { Track } from './api';
import { sentence } from './library.svelte';

export class TrackSearch {
  query = $state('');
  found: Track[] = $state.raw([]);
  /** Why nothing was found out; empty where something was. */
  error = $state('');
  #asked = 0;

  async look(): Promise<void> {
    const mine = ++this.#asked;
    try {
      const answer = await api.tracks(this.query.trim(), null);
      if (mine === this.#asked) [this.found, this.error] = [answer.tracks, ''];
    } catch (failure) {
      if (mine === this.#asked) this.error = sentence(failure);
    }
  }
}
