import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '../src/lib/api';
import { asked, CAMELOT, EVERYTHING, like, wishes } from '../src/lib/filter';
import { each } from '../src/lib/many';
import { OFFERED_MS, Undo } from '../src/lib/undo.svelte';

describe('undo', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const failed = vi.fn();

  it('does what was announced when nobody took it back, and only then', async () => {
    const [act, back] = [vi.fn(async () => undefined), vi.fn()];
    const undo = new Undo(failed);
    undo.later('gone', act, back);
    expect([undo.message, act.mock.calls.length]).toEqual(['gone', 0]);
    await vi.advanceTimersByTimeAsync(OFFERED_MS - 1);
    expect(act).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect([undo.message, act.mock.calls.length, back.mock.calls.length]).toEqual(['', 1, 0]);
    await undo.take();
    expect(back).not.toHaveBeenCalled();
  });

  it('does nothing of what was taken back', async () => {
    const [act, back] = [vi.fn(async () => undefined), vi.fn()];
    const undo = new Undo(failed);
    undo.later('gone', act, back);
    await undo.take();
    await vi.advanceTimersByTimeAsync(10 * OFFERED_MS);
    expect([act.mock.calls.length, back.mock.calls.length, undo.message]).toEqual([0, 1, '']);
  });

  it('settles the one before when another thing is done', async () => {
    const [first, second, back] = [vi.fn(async () => undefined), vi.fn(async () => undefined), vi.fn(async () => undefined)];
    const undo = new Undo(failed);
    undo.later('one', first, () => undefined);
    undo.later('two', second, () => undefined);
    expect([first.mock.calls.length, second.mock.calls.length, undo.message]).toEqual([1, 0, 'two']);
    undo.done('three', back);
    expect(second).toHaveBeenCalledTimes(1);
    await undo.take();
    expect(back).toHaveBeenCalledTimes(1);
  });

  it('brings back what could not be done, and says why', async () => {
    const back = vi.fn();
    const undo = new Undo(failed);
    undo.later('gone', () => Promise.reject(new Error('on a deck')), back);
    await undo.settle();
    expect(back).toHaveBeenCalledTimes(1);
    expect(failed).toHaveBeenCalledWith(expect.objectContaining({ message: 'on a deck' }), 'gone');
  });
});

describe('many', () => {
  it('waits as long as the server wants, and stops at another fault', async () => {
    const busy = new ApiError(429, 'too_many', 'Wait.');
    busy.retryAfterS = 7;
    const action = vi.fn(async (item: number) => {
      if (item === 2 && action.mock.calls.length < 4) throw busy;
    });
    const pause = vi.fn(async () => undefined);
    await each([1, 2, 3], action, pause);
    expect(action.mock.calls.map(([item]) => item)).toEqual([1, 2, 2, 2, 3]);
    expect(pause.mock.calls).toEqual([[7], [7]]);
    await expect(each([1, 2], () => Promise.reject(new Error('no')), pause)).rejects.toThrow('no');
  });
});

describe('filters', () => {
  it('ask for nothing when they are empty, and for all that is set', () => {
    expect([wishes(EVERYTHING), asked(EVERYTHING)]).toEqual([0, {}]);
    const filter = { ...EVERYTHING, tempoMin: 120, tempoMax: NaN, key: '8A', energyMax: 0.5, stems: 'without' as const, genre: 'House & <b>' };
    expect(asked(filter)).toEqual({ tempo_min: '120', key: '8A', near: 'true', energy_max: '0.5', stems: 'false', genre: 'House & <b>' });
    expect(wishes(filter)).toBe(5);
    expect(asked({ ...EVERYTHING, near: true })).toEqual({});
  });

  it('know what mixes with a track', () => {
    expect(like(128, '8A')).toEqual({ tempoMin: 120, tempoMax: 136, key: '8A', near: true });
    expect(like(0, '')).toMatchObject({ tempoMin: null, tempoMax: null, key: '' });
    expect(new Set(CAMELOT).size).toBe(24);
    expect([CAMELOT[0], CAMELOT[23]]).toEqual(['1A', '12B']);
  });
});
