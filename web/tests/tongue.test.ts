import { describe, expect, it } from 'vitest';
import { filled } from '../src/lib/tongue.svelte';
import { de, ja } from '../src/lib/tongues/books';
import { SHORTCUTS } from '../src/lib/shortcuts';
import { TOURS } from '../src/lib/tour.svelte';

const SOURCES = import.meta.glob<string>('../src/**/*.{svelte,ts}', { query: '?raw', import: 'default', eager: true });

/** Every sentence that the page says through `t`. */
function sentences(): Set<string> {
  const found = new Set<string>();
  for (const text of Object.values(SOURCES)) {
    for (const match of text.matchAll(/\bt\(\s*'((?:[^'\\]|\\.)*)'/g)) found.add((match[1] ?? '').replaceAll("\\'", "'"));
  }
  for (const step of Object.values(TOURS).flat()) found.add(step.title).add(step.text);
  for (const { deed } of SHORTCUTS) found.add(deed);
  return found;
}
const holes = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1] ?? '').sort();

describe('what the page says', () => {
  const said = sentences();
  it.each([['German', de], ['Japanese', ja]] as const)('is there in %s', (_, book) => {
    expect([...said].filter((sentence) => !(sentence in book))).toEqual([]);
  });
  it.each([['German', de], ['Japanese', ja]] as const)('keeps its values in %s', (_, book) => {
    for (const [sentence, other] of Object.entries(book)) {
      expect(other, sentence).not.toBe('');
      expect(holes(other), sentence).toEqual(holes(sentence));
    }
  });
  it('puts values where they belong, once, and leaves braces of titles alone', () => {
    expect(filled('Pad {pad}: {name}', { pad: 1, name: '{pad} <b>' })).toBe('Pad 1: {pad} <b>');
    expect(filled('{unknown}', {})).toBe('{unknown}');
  });
});
