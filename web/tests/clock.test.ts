import { describe, expect, it } from 'vitest';
import { fullTime, nearest, readMutes, readTime, writeMutes } from '../src/lib/clock';
import { camelotOf } from '../src/lib/keys';

describe('typed times', () => {
  it('reads what a player types', () => {
    const good: [string, number][] = [['62.5', 62.5], ['1:02.5', 62.5], ['1:02,5', 62.5], ['0:00', 0], ['1:00:00', 3600], [' 7 ', 7], ['.5', 0.5], ['90', 90]];
    for (const [text, seconds] of good) expect(readTime(text), text).toBeCloseTo(seconds, 9);
  });
  it('takes nothing else for a time', () => {
    for (const text of ['', 'x', '1:', ':3', '-1', '1:60', '1:2:3:4', '1.5:20', '1e3', 'NaN', '0x10', '1 2']) expect(readTime(text), text).toBeNull();
  });
  it('reads what it writes', () => {
    for (const seconds of [0, 0.001, 59.999, 60, 61.25, 3599.9996, 7321.125]) expect(readTime(fullTime(seconds))).toBeCloseTo(seconds, 3);
  });
});

describe('mutes', () => {
  it('go through text and back', () => {
    const text = '12.5-20 40-52.25';
    expect(writeMutes(readMutes(text))).toBe(text);
    expect(readMutes('')).toEqual([]);
    expect(readMutes('nonsense 5-3 a-b 1-2')).toEqual([[1, 2]]);
  });
  it('ends on the nearest beat within reach, else where the hand is', () => {
    expect(nearest([0, 1, 2], 1.05, 0.1)).toBe(1);
    expect(nearest([0, 1, 2], 1.5, 0.1)).toBe(1.5);
    expect(nearest([], 3, 1)).toBe(3);
    expect(nearest([0, 1, 2], 9, 100)).toBe(2);
  });
});

describe('keys', () => {
  it('have the names that DJs use', () => {
    const pairs: [string, string][] = [['A minor', '8A'], ['C major', '8B'], ['F major', '7B'], ['F# minor', '11A'], ['F♯ minor', '11A'], ['G# minor', '1A'], ['Ab minor', '1A'], ['B major', '1B'], ['D minor', '7A'], ['E major', '12B'], ['Db major', '3B']];
    for (const [key, code] of pairs) expect(camelotOf(key), key).toBe(code);
    for (const text of ['', 'H minor', 'none', 'N']) expect(camelotOf(text)).toBe('');
  });
});
