import { afterEach, describe, expect, it, vi } from 'vitest';
import { asTake, takeLink, Takes } from '../src/lib/takes.svelte';

const row = { id: 'a', name: '', chosen: false, start: 12.5, end: 20, rate: 0.8, file_size: 9, made_at: '2026-01-02T03:04:05Z' };

function answers(...bodies: unknown[]) {
  const asked = vi.fn(async (url: string, options: RequestInit) => {
    void url;
    void options;
    return new Response(JSON.stringify(bodies.shift()), { status: 200, headers: { 'Content-Type': 'application/json' } });
  });
  vi.stubGlobal('fetch', asked);
  return asked;
}
afterEach(() => vi.unstubAllGlobals());

describe('takes', () => {
  it('are read, and lack nothing when the server says little', () => {
    expect(asTake(row)).toEqual({ id: 'a', name: '', chosen: false, start: 12.5, end: 20, rate: 0.8, size: 9, made: Date.UTC(2026, 0, 2, 3, 4, 5) });
    expect(asTake(null)).toMatchObject({ id: '', name: '', chosen: false, rate: 1, made: 0 });
    expect(asTake({ ...row, name: 'x'.repeat(5_000_000) }).name.length).toBeLessThan(2000);
    expect(takeLink('../x')).toBe('/api/takes/..%2Fx/audio');
  });

  it('are asked for once, and again when their track changed', async () => {
    const asked = answers({ takes: [] }, { takes: [row] });
    const takes = new Takes();
    expect(takes.of('t')).toBeUndefined();
    takes.changed('t'); // nobody looks at it
    await takes.load('t');
    expect(takes.of('t')).toEqual([]);
    takes.changed('t');
    await vi.waitFor(() => expect(takes.of('t')).toHaveLength(1));
    expect(asked).toHaveBeenCalledTimes(2);
    takes.forget();
    expect(takes.of('t')).toBeUndefined();
  });

  it('show what the server made of a change', async () => {
    const asked = answers({ ...row, chosen: true }, { takes: [{ ...row, chosen: true }] });
    const takes = new Takes();
    await takes.change('t', 'a', { chosen: true });
    expect(asked.mock.calls[0]?.[0]).toBe('/api/takes/a');
    expect(asked.mock.calls[0]?.[1].body).toBe('{"chosen":true}');
    expect(takes.of('t')?.[0]?.chosen).toBe(true);
  });
});
