import { describe, expect, it } from 'vitest';
import { PAD_KEYS, ROWS, loopOnPad, readPattern, readSource, readWish, trackOnPad, velocity, withStep, writePattern } from '../src/lib/pads';

describe('pads', () => {
  it('writes sources as the controls take them', () => {
    expect(trackOnPad('ID').value).toBe('ID');
    expect(trackOnPad('ID', 'drums').value).toBe('ID#drums');
    expect(trackOnPad('ID', 'vocals', 12.5, 14).value).toBe('ID#vocals@12.5-14');
    expect(trackOnPad('ID', '', 12.5).value).toBe('ID@12.5-');
    expect(loopOnPad(2, 'bass')).toEqual({ control: 'take', value: '2#bass' });
    expect(readSource('ID#vocals@12.5-14')).toEqual({ trackId: 'ID', stem: 'vocals', from: 12.5 });
    expect(readSource('')).toEqual({ trackId: '', stem: '', from: 0 });
  });

  it('takes no drag of another program for a wish', () => {
    for (const text of ['', 'hello', 'null', '{"control":"eject","value":"1"}', '{"control":"source","value":5}']) {
      expect(readWish(text)).toBeNull();
    }
    expect(readWish(JSON.stringify(loopOnPad(1)))).toEqual(loopOnPad(1));
  });

  it('reads and writes patterns, whatever their length', () => {
    expect(readPattern('x..5')).toEqual([9, 0, 0, 5, ...Array<number>(12).fill(0)]);
    const pattern = '9...5..1........';
    expect(writePattern(readPattern(pattern))).toBe(pattern);
    expect(withStep(pattern, 1, 7)).toBe('97..5..1........');
    expect(withStep(pattern, 0, -3)).toBe('....5..1........');
    expect(withStep('', 15, 99)).toBe('...............9');
  });

  it('hits harder the higher the finger lands, and by pressure where there is some', () => {
    const places = [99, 75, 50, 25, 0].map((y) => velocity(0.5, 'touch', y, 100));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places[0]).toBeGreaterThanOrEqual(0.3);
    expect(places.at(-1)).toBe(1);
    expect(velocity(0.4, 'pen', 0, 100)).toBe(0.4);
  });

  it('lays pads as hardware does, with a key each', () => {
    expect(ROWS.at(-1)).toEqual([1, 2, 3, 4]);
    expect(ROWS[0]).toEqual([13, 14, 15, 16]);
    expect(new Set(PAD_KEYS).size).toBe(16);
  });
});
