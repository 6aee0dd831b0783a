// Keys as they are shown: a colour for each place on the Camelot wheel, so that neighbours look alike. Pure.

/** A CSS colour for `8A`, `11B`; the text's own for none. */
export function camelotColour(code: string): string {
  const found = /^(\d{1,2})([AB])$/.exec(code);
  if (!found) return 'var(--soft)';
  const hue = (Number(found[1]) % 12) * 30;
  return `hsl(${hue} var(--key-${found[2] === 'A' ? 'minor' : 'major'}))`;
}
