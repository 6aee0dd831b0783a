import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { asTrack, type Track } from '../src/lib/api';
import { matches, moved, Playlists } from '../src/lib/playlists.svelte';
import { changeOf, faultsOf, tagsOf } from '../src/lib/tags';

const row = (id: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({ id, title: id, artist: 'Mira Voss', ...more });
const track = (id: string, more: Record<string, unknown> = {}): Track => asTrack(row(id, more));

describe('tags', () => {
  const one = track('a', { title: 'Paper Lanterns', album: null, year: 1998 });

  it('sends what differs, and null for what was emptied', () => {
    expect(changeOf(one, tagsOf(one))).toEqual({});
    expect(changeOf(one, { title: ' Paper Boats ', artist: ' ', album: '', genre: 'Dub', year: '' })).toEqual({
      title: 'Paper Boats',
      artist: null,
      genre: 'Dub',
      year: null,
    });
    expect(changeOf(one, { ...tagsOf(one), year: '2001' })).toEqual({ year: 2001 });
  });

  it.each(['soon', '0', '-1', '19.5', '12345'])('refuses the year %s', (year) =>
    expect(faultsOf({ ...tagsOf(one), year })).toHaveProperty('year'),
  );

  it('wants a title', () => {
    expect(faultsOf(tagsOf(one))).toEqual({});
    expect(faultsOf({ ...tagsOf(one), title: ' ' })).toHaveProperty('title');
  });
});

describe('order', () => {
  it.each([
    [0, 2, 'bca'],
    [2, 0, 'cab'],
    [1, 1, 'abc'],
    [0, 99, 'bca'],
    [2, -1, 'cab'],
    [7, 0, 'abc'],
  ])('moves %i to %i', (from, to, after) => expect(moved([...'abc'], from, to).join('')).toBe(after));

  it('finds tracks by every word', () => {
    const one = track('Night Bus', { album: 'Last Stop' });
    expect(matches(one, 'mira STOP')).toBe(true);
    expect(matches(one, 'mira ocean')).toBe(false);
    expect(matches(one, '')).toBe(true);
  });
});

describe('playlists', () => {
  let order: string[];
  let refuse: string;
  let asked: string[];
  const failed: string[] = [];

  function answer(status: number, body: unknown): Response {
    return new Response(JSON.stringify(body), { status });
  }

  const whole = (): unknown => ({ id: 'p', name: 'Friday', track_count: order.length, tracks: order.map((id, position) => ({ position, track: row(id) })) });

  beforeEach(() => {
    order = ['a', 'b', 'c'];
    refuse = '';
    asked = [];
    failed.length = 0;
    vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
      asked.push(`${init.method} ${path}`);
      if (refuse && init.method !== 'GET') return answer(409, { error: { code: 'x', message: refuse } });
      if (path === '/api/playlists') return answer(200, { playlists: [whole()] });
      if (path === '/api/playlists/gone') return answer(404, { error: { code: 'not_found', message: 'None.' } });
      if (init.method === 'PUT') order = (JSON.parse(String(init.body)) as { track_ids: string[] }).track_ids;
      return answer(200, whole());
    });
  });
  afterEach(() => void vi.unstubAllGlobals());

  async function opened(): Promise<Playlists> {
    const playlists = new Playlists((message) => failed.push(message));
    await playlists.load();
    await playlists.show('p');
    return playlists;
  }
  const ids = (playlists: Playlists): string => (playlists.open?.tracks ?? []).map((one) => one.id).join('');

  it('draws a move at once and keeps what the server made of it', async () => {
    const playlists = await opened();
    const move = playlists.move('c', 0);
    expect(ids(playlists)).toBe('cab');
    await move;
    expect(order.join('')).toBe('cab');
    expect(ids(playlists)).toBe('cab');
  });

  it('takes a refused move back and says why', async () => {
    const playlists = await opened();
    refuse = 'No.';
    await playlists.move('c', 0);
    expect(failed).toEqual(['No.']);
    expect(ids(playlists)).toBe('abc');
  });

  it('leaves a playlist that another page has removed', async () => {
    const playlists = await opened();
    await playlists.show('gone');
    expect(playlists.wanted).toBe('');
    expect(failed).toHaveLength(1);
  });

  it('does not draw an answer that comes after another playlist was asked for', async () => {
    const playlists = await opened();
    const late = playlists.show('p');
    await playlists.show('');
    await late;
    expect(playlists.open).toBeNull();
  });

  it('asks nothing for a track that is not in the playlist', async () => {
    const playlists = await opened();
    const before = asked.length;
    await playlists.move('z', 0);
    expect(asked).toHaveLength(before);
  });
});
