// The first-run tour: a few steps for somebody who mixes or for somebody who practises, each beside what it is about.
// It is offered once in a browser, and again from the help.

import type { View } from './look.svelte';

export type Path = 'mix' | 'practise';

export interface Step {
  view: View;
  /** Selectors of what it is about: the first that is on the page. */
  at: readonly string[];
  title: string;
  text: string;
}

/** Keys of sentences: the card translates them. */
export const TOURS: Readonly<Record<Path, readonly Step[]>> = {
  mix: [
    { view: 'play', at: ['.track .load', '.library'], title: 'Load', text: 'Press a deck’s number beside a track, or drag the track onto the deck. New music: drop files anywhere on the page.' },
    { view: 'play', at: ['[data-path="/deck/1/play"]'], title: 'Play', text: 'Press play. It sounds at once, even while its stems are still being made. No sound? Listen here, at the top right, plays in this browser.' },
    { view: 'play', at: ['[data-path="/deck/1/stem/vocals/mute"]'], title: 'Mute a stem', text: 'M takes the voice, the drums or the bass away and brings them back; S leaves that stem alone; the fader is its volume.' },
    { view: 'play', at: ['[data-path="/deck/2/sync"]', '[data-path="/deck/1/sync"]'], title: 'Get in time', text: 'Sync gives a deck the tempo and the beat of the other one.' },
    { view: 'play', at: ['[data-path="/mixer/crossfader"]'], title: 'Mix', text: 'Move the crossfader from one deck to the other. That is a mix of two tracks.' },
  ],
  practise: [
    { view: 'practice', at: ['.practice-view .transport'], title: 'Take a song', text: 'Choose song loads one; play starts it. New music: drop files anywhere on the page.' },
    { view: 'practice', at: ['.timeline', '.left'], title: 'Loop', text: 'Drag over the picture to loop that part, or press A here and B here while it plays. A section is looped by its name.' },
    { view: 'practice', at: ['.practice [data-path$="/rate"]'], title: 'Slow down', text: 'Turn the speed down; Keep the key leaves the pitch where it is. The trainer makes it faster again by itself.' },
    { view: 'practice', at: ['.left [data-path$="/mute"]', '.left'], title: 'Leave your part to you', text: 'M mutes an instrument, so that you can play it yourself; A–B mutes it in the loop alone.' },
    { view: 'practice', at: ['.takes'], title: 'Hear yourself', text: 'Record along keeps what you play, pass by pass, in time with the song.' },
  ],
};

const KEPT = 'toured';

/** Whether this browser was shown the tour; one that keeps nothing is not asked each time. */
function shown(): boolean {
  try {
    return localStorage.getItem(KEPT) !== null;
  } catch {
    return true;
  }
}

export class Tour {
  /** Whether its card is on the page. */
  open = $state(!shown());
  path: Path | null = $state(null);
  place = $state(0);

  get step(): Step | null {
    return this.path ? (TOURS[this.path][this.place] ?? null) : null;
  }

  get count(): number {
    return this.path ? TOURS[this.path].length : 0;
  }

  /** Begin anew with the choice of a path. */
  again(): void {
    [this.open, this.path, this.place] = [true, null, 0];
  }

  choose(path: Path): void {
    [this.path, this.place] = [path, 0];
  }

  go(by: 1 | -1): void {
    const next = this.place + by;
    if (next >= this.count) this.close();
    else if (next < 0) this.path = null;
    else this.place = next;
  }

  /** Leave it; it does not come by itself again. */
  close(): void {
    this.open = false;
    try {
      localStorage.setItem(KEPT, '1');
    } catch {
      // then the browser was not asked, either
    }
  }
}

export const tour = new Tour();
