// The books of the page's languages: every sentence by its English one, put together from the files beside this one.

import { de as german } from './de';
import { ja as japanese } from './ja';
import { DECK_CONTROLS } from './deck_controls';
import { LIBRARY } from './library';
import { PANELS } from './panels';
import { SETLIST } from './setlist';
import { SETTINGS } from './settings';
import { SHOW_CONTROLS } from './show_controls';
import { TAKES } from './takes';
import { TOUR } from './tour';

/** Sentences by their English one: German, Japanese. */
export type Pairs = Readonly<Record<string, readonly [de: string, ja: string]>>;
export type Book = Readonly<Record<string, string>>;

const FAMILIES: readonly Pairs[] = [DECK_CONTROLS, LIBRARY, PANELS, SETLIST, SETTINGS, SHOW_CONTROLS, TAKES, TOUR];

function book(old: Book, place: 0 | 1): Book {
  const found: Record<string, string> = { ...old };
  for (const pairs of FAMILIES) for (const [english, others] of Object.entries(pairs)) found[english] = others[place];
  return found;
}

export const de = book(german, 0);
export const ja = book(japanese, 1);
