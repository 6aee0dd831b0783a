// Keys as they are shown: a colour for each place on the Camelot wheel, so that neighbours look alike. Pure.

/** A CSS colour for `8A`, `11B`; the text's own for none. */
export function camelotColour(code: string): string {
  const found = /^(\d{1,2})([AB])$/.exec(code);
  if (!found) return 'var(--soft)';
  const hue = (Number(found[1]) % 12) * 30;
  return `hsl(${hue} var(--key-${found[2] === 'A' ? 'minor' : 'major'}))`;
}

const SECTIONS: Record<string, string> = {
  intro: '--soft', verse: '--piano', build: '--drums', drop: '--vocals', break: '--other', outro: '--soft',
};

/** The colour of a section by its label, the same on every picture. */
export function sectionColour(label: string): string {
  return `var(${SECTIONS[label] ?? '--bass'})`;
}

const SHARPS = ['C', 'C#', 'D', 'D#', 'E', 'F', 'F#', 'G', 'G#', 'A', 'A#', 'B'];
const FLATS: Record<string, string> = { Db: 'C#', Eb: 'D#', Gb: 'F#', Ab: 'G#', Bb: 'A#' };

/** The other name of a key, as DJs write it: `A minor` is `8A`; empty for what is no key. */
export function camelotOf(key: string): string {
  const found = /^([A-G](?:[#b♯♭])?)\s*(major|minor|maj|min|m)?$/.exec(key.trim());
  if (!found?.[1]) return '';
  const plain = found[1].replace('♯', '#').replace('♭', 'b');
  const place = SHARPS.indexOf(FLATS[plain] ?? plain);
  if (place < 0) return '';
  const minor = found[2]?.startsWith('m') === true && !found[2].startsWith('maj');
  return `${((place * 7 + (minor ? 4 : 7)) % 12) + 1}${minor ? 'A' : 'B'}`;
}
