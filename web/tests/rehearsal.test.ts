import { describe, expect, it, vi } from 'vitest';
import type { Preview } from '../src/audio/preview.svelte';
import { Rehearsal } from '../src/lib/rehearsal.svelte';

function pretended() {
  const preview = { url: '', start: (url: string) => (preview.url = url), stop: () => (preview.url = '') };
  return preview as typeof preview & Preview;
}

describe('hearing transitions', () => {
  it('makes one, plays it, ends it, and plays it again without making it again', async () => {
    const [preview, fetched] = [pretended(), vi.fn(async (path: string) => `blob:${path}`)];
    const rehearsal = new Rehearsal(preview, fetched);
    await rehearsal.toggle('a b', 'text', 2);
    expect(fetched.mock.calls[0]?.[0]).toBe('/api/setlists/a%20b/transition/2');
    expect([rehearsal.hears('a b', 'text', 2), rehearsal.hears('a b', 'text', 3), rehearsal.making]).toEqual([true, false, 0]);
    await rehearsal.toggle('a b', 'text', 2);
    expect([preview.url, rehearsal.hears('a b', 'text', 2)]).toEqual(['', false]);
    await rehearsal.toggle('a b', 'text', 2);
    expect(fetched).toHaveBeenCalledTimes(1);
    await rehearsal.toggle('a b', 'another text', 2);
    expect(fetched).toHaveBeenCalledTimes(2);
  });

  it('makes only the one that was asked for last', async () => {
    const waiting = new Map<string, (url: string) => void>();
    const rehearsal = new Rehearsal(pretended(), (path, stop) => new Promise((resolve, reject) => {
      waiting.set(path, resolve);
      stop.addEventListener('abort', () => reject(new Error('aborted')));
    }));
    const first = rehearsal.toggle('x', '', 2);
    expect(rehearsal.making).toBe(2);
    const second = rehearsal.toggle('x', '', 3);
    expect(rehearsal.making).toBe(3);
    await first;
    waiting.get('/api/setlists/x/transition/3')?.('blob:3');
    await second;
    expect([rehearsal.hears('x', '', 2), rehearsal.hears('x', '', 3)]).toEqual([false, true]);
  });

  it('ends the making at a second press, and tells why it failed', async () => {
    const rehearsal = new Rehearsal(pretended(), (_, stop) => new Promise((__, reject) => stop.addEventListener('abort', () => reject(new Error('aborted')))));
    const first = rehearsal.toggle('x', '', 2);
    await rehearsal.toggle('x', '', 2);
    await first;
    expect(rehearsal.making).toBe(0);
    const failing = new Rehearsal(pretended(), () => Promise.reject(new Error('no track')));
    await expect(failing.toggle('x', '', 2)).rejects.toThrow('no track');
    expect(failing.making).toBe(0);
  });
});
