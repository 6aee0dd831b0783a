// A track's words under edit: what the form holds, and what of it is worth sending. Pure.

import type { TagChange, Track } from './api';

/** What the form holds; every field is text while it is typed. */
export interface Tags {
  title: string;
  artist: string;
  album: string;
  genre: string;
  year: string;
}

/** The fields in the order of the form, with the longest text that the server keeps of each. */
export const FIELDS = [
  ['title', 'Title', 500],
  ['artist', 'Artist', 500],
  ['album', 'Album', 500],
  ['genre', 'Genre', 200],
  ['year', 'Year', 4],
] as const;

export function tagsOf(track: Track): Tags {
  const { title, artist, album, genre } = track;
  return { title, artist, album, genre, year: track.year === null ? '' : String(track.year) };
}

/** What is wrong with the words, by field; empty when they can be sent. */
export function faultsOf(tags: Tags): Partial<Record<keyof Tags, string>> {
  const faults: Partial<Record<keyof Tags, string>> = {};
  if (!tags.title.trim()) faults.title = 'A track needs a title.';
  const year = tags.year.trim();
  if (year && !(/^\d{1,4}$/.test(year) && Number(year) >= 1)) faults.year = 'A year is a number from 1 to 9999.';
  return faults;
}

/** What differs between the track and the form, as the server wants it. Pre: no faults. */
export function changeOf(track: Track, tags: Tags): TagChange {
  const before = tagsOf(track);
  const change: TagChange = {};
  const title = tags.title.trim();
  if (title !== before.title) change.title = title;
  for (const name of ['artist', 'album', 'genre'] as const) {
    const now = tags[name].trim();
    if (now !== before[name]) change[name] = now || null;
  }
  const year = tags.year.trim();
  if (year !== before.year) change.year = year ? Number(year) : null;
  return change;
}
