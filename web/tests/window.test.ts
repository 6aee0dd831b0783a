import { describe, expect, it } from 'vitest';
import { GROUP, Heights } from '../src/lib/window';

describe('a long list', () => {
  it('draws what is in sight and some beyond, and is as long as all of it', () => {
    const heights = new Heights();
    const whole = 100_000 * 57;
    for (const top of [0, 1, 5_000, 1_234_567, whole - 800]) {
      const { from, to, before, after } = heights.stretch(100_000, top, 800);
      expect(from % GROUP).toBe(0);
      expect(before).toBeLessThanOrEqual(Math.max(0, top));
      expect(before + (to - from) * 57).toBeGreaterThanOrEqual(Math.min(whole, top + 800));
      expect(to - from).toBeLessThan(80);
      expect(before + (to - from) * 57 + after).toBeCloseTo(whole, 3);
    }
  });

  it('takes groups as high as they were drawn, and others as high as those on average', () => {
    const heights = new Heights();
    heights.learn(0, 1000);
    heights.learn(1, 500);
    heights.learn(1, 600);
    heights.learn(2, 0);
    expect([heights.of(0), heights.of(1), heights.of(2)]).toEqual([1000, 600, 800]);
    const far = heights.stretch(100, 7000, 500);
    expect(far.before).toBeCloseTo(1000 + 600 + (far.from / GROUP - 2) * 800, 6);
    heights.forget();
    expect(heights.of(0)).toBe(57 * GROUP);
  });

  it('bears short lists, empty ones, and a place beyond the end', () => {
    const heights = new Heights();
    expect(heights.stretch(0, 0, 800)).toEqual({ from: 0, to: 0, before: 0, after: 0 });
    expect(heights.stretch(3, 0, 800)).toEqual({ from: 0, to: 3, before: 0, after: 0 });
    const { from, to, after } = heights.stretch(25, 99_999, 800);
    expect([from, to, after]).toEqual([20, 25, 0]);
  });
});
