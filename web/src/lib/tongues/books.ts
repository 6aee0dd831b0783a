// The books of the page's languages: every sentence by its English one, put together from the files beside this one.

import { de as german } from './de';
import { ja as japanese } from './ja';
import { LIBRARY } from './library';
import { SETLIST } from './setlist';
import { TAKES } from './takes';
import { TOUR } from './tour';

/** Sentences by their English one: German, Japanese. */
export type Pairs = Readonly<Record<string, readonly [de: string, ja: string]>>;
export type Book = Readonly<Record<string, string>>;

const FAMILIES: readonly Pairs[] = [LIBRARY, SETLIST, TAKES, TOUR];

function book(old: Book, place: 0 | 1): Book {
  const found: Record<string, string> = { ...old };
  for (const pairs of FAMILIES) for (const [english, others] of Object.entries(pairs)) found[english] = others[place];
  return found;
}

export const de = book(german, 0);
export const ja = book(japanese, 1);
