import { describe, expect, it } from 'vitest';
import { filled } from '../src/lib/tongue.svelte';
import { de, ja } from '../src/lib/tongues/books';
import { generalised } from '../src/lib/describe';
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
/** What the server says of controls and settings, read from where it stands. */
const OTHERS = import.meta.glob<string>(['../../docs/controls.md', '../../server/settings.py'], { query: '?raw', import: 'default', eager: true });
const textOf = (name: string): string => Object.entries(OTHERS).find(([path]) => path.endsWith(name))?.[1] ?? '';

function descriptions(): Set<string> {
  const found = new Set<string>();
  for (const [, path, description] of textOf('controls.md').matchAll(/^\| `(\/[^`]+)` \|.*\| ([^|]+) \|$/gm)) {
    const at = (path ?? '').replace('/deck/N', '/deck/1').replace('/stem/S', '/stem/vocals').replace('/pad/P', '/pad/1').replace('/pattern/P', '/pattern/1').replace('/step/T', '/step/1').replace('/stem/other', '/stem/vocals');
    const said = (description ?? '').replace(/\b([Dd]eck) N\b/g, '$1 1').replace(/\bstem S on\b/g, 'the vocals on').replace(/\bpad P\b/g, 'pad 1').replace(/\bstep T\b/g, 'step 1');
    found.add(generalised(at, said)[0]);
  }
  return found;
}
const helps = (): string[] => [...textOf('settings.py').matchAll(/Option\(\s*"\w+",\s*\w+,\s*"((?:[^"\\]|\\.)*)"/g)].map((found) => found[1] ?? '');

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
  it.each([['German', de], ['Japanese', ja]] as const)('describes every control and setting in %s', (_, book) => {
    const [controls, settings] = [descriptions(), helps()];
    expect(controls.size).toBeGreaterThan(200);
    expect(settings.length).toBeGreaterThan(35);
    expect([...controls, ...settings].filter((sentence) => !(sentence in book))).toEqual([]);
  });
  it('finds deck, stem and pad of a description by the path', () => {
    expect(generalised('/deck/2/stem/other/loop/active', 'Loop the other on deck 2 alone, while the other stems go on')).toEqual(['Loop the {stem} on deck {deck} alone, while the other stems go on', { deck: '2', stem: 'other' }]);
    expect(generalised('/deck/1/hotcue/1/end', 'Where hot cue 1 of deck 1 ends; -1 where it is none')).toEqual(['Where hot cue {cue} of deck {deck} ends; -1 where it is none', { cue: '1', deck: '1' }]);
    expect(generalised('/mixer/master', 'Master level')).toEqual(['Master level', {}]);
  });
  it('puts values where they belong, once, and leaves braces of titles alone', () => {
    expect(filled('Pad {pad}: {name}', { pad: 1, name: '{pad} <b>' })).toBe('Pad 1: {pad} <b>');
    expect(filled('{unknown}', {})).toBe('{unknown}');
  });
});
