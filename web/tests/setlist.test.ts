import { describe, expect, it } from 'vitest';
import { fresh, reordered, withEntry, without } from '../src/lib/setlist';

const TEXT = `# my set
title = "Friday"

[[entry]]
track = "A"

# the long one
[[entry]]
track = "B"
bars = 8

[[entry.lane]]
control = "/deck/out/filter"
points = [[0, 0.0]]

[[entry]]
track = "C"
`;
/** Where the server says the entries begin. */
const starts = (text: string): number[] => text.split('\n').flatMap((line, index) => (line.trim() === '[[entry]]' ? [index + 1] : []));
const tracks = (text: string): string[] => [...text.matchAll(/track = "(.*)"/g)].map((found) => found[1] ?? '');

describe('the text of a setlist', () => {
  it('moves whole entries, lanes and the comment above them included', () => {
    const moved = reordered(TEXT, starts(TEXT), 1, 2);
    expect(tracks(moved)).toEqual(['A', 'C', 'B']);
    expect(moved).toContain('# the long one\n[[entry]]\ntrack = "B"\nbars = 8\n\n[[entry.lane]]');
    expect(moved.startsWith('# my set\ntitle = "Friday"\n\n[[entry]]')).toBe(true);
  });

  it('comes back to itself when moved there and back', () => {
    for (const [from, to] of [[0, 2], [2, 0], [1, 0]] as const) {
      const there = reordered(TEXT, starts(TEXT), from, to);
      expect(reordered(there, starts(there), to, from)).toBe(TEXT);
    }
  });

  it('loses exactly one entry', () => {
    const rest = without(TEXT, starts(TEXT), 1);
    expect(tracks(rest)).toEqual(['A', 'C']);
    expect(rest).not.toContain('lane');
    expect(rest).not.toContain('the long one');
  });

  it('writes titles as TOML texts, whatever they hold', () => {
    const nasty = 'a "quoted" \\ <img onerror=x>\n\u007f';
    const line = withEntry(TEXT, nasty).split('\n').at(-2) ?? '';
    expect(line).toBe('track = "a \\"quoted\\" \\\\ <img onerror=x>\\n\\u007f"');
    expect(tracks(fresh('New', 'id'))).toEqual(['id']);
  });
});
