import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ClientMessage, Value } from '../src/protocol';
import { SETTLE_MS, Show, type Refusal } from '../src/lib/show.svelte';

const VOLUME = '/deck/1/volume';
const ENGINE = { running: true, device: 'null', rate: 48000, block: 128, load: 0, late_blocks: 0, latency_ms: 5 };

function setup(connected = true) {
  const sent: ClientMessage[] = [];
  const refusals: Refusal[] = [];
  let wire = connected;
  let frame: (() => void) | null = null;
  const show = new Show(
    (message) => {
      if (wire) sent.push(message);
      return wire;
    },
    (refusal) => refusals.push(refusal),
    (task) => (frame = task),
  );
  const welcome = (controls: Record<string, Value>, rev = 1): void =>
    show.welcome({ type: 'welcome', protocol: 1, version: '0', rev, controls, engine: ENGINE });
  welcome({ [VOLUME]: 1, '/deck/1/play': 0 });
  return {
    show,
    sent,
    refusals,
    welcome,
    cut: () => (wire = false),
    tick: () => {
      const task = frame;
      frame = null;
      task?.();
    },
  };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('Show', () => {
  it('shows what the hand does at once and sends the newest value once a frame', () => {
    const { show, sent, tick } = setup();
    for (const value of [0.9, 0.8, 0.7]) show.set(VOLUME, value);
    expect(show.number(VOLUME)).toBe(0.7);
    expect(sent).toEqual([]);
    tick();
    expect(sent).toEqual([{ type: 'set', path: VOLUME, value: 0.7, id: 1 }]);
  });

  it('takes a change of another surface', () => {
    const { show } = setup();
    show.change({ type: 'state', rev: 2, changes: { [VOLUME]: 0.25 } });
    expect(show.number(VOLUME)).toBe(0.25);
    expect(show.rev).toBe(2);
  });

  it('ignores a change that is older than its welcome', () => {
    const { show, welcome } = setup();
    welcome({ [VOLUME]: 0.5 }, 9);
    show.change({ type: 'state', rev: 8, changes: { [VOLUME]: 0.1 } });
    expect(show.number(VOLUME)).toBe(0.5);
  });

  it('does not jump back to older echoes while the hand moves on', () => {
    const { show, tick } = setup();
    show.set(VOLUME, 0.9);
    tick();
    show.set(VOLUME, 0.8);
    show.change({ type: 'state', rev: 2, changes: { [VOLUME]: 0.9 } });
    expect(show.number(VOLUME)).toBe(0.8);
    tick();
    show.change({ type: 'state', rev: 3, changes: { [VOLUME]: 0.8 } });
    expect(show.number(VOLUME)).toBe(0.8);
  });

  it('shows what the server made of a value once the hand rests', () => {
    const { show, tick } = setup();
    show.set(VOLUME, 3);
    tick();
    show.change({ type: 'state', rev: 2, changes: { [VOLUME]: 1 } });
    vi.advanceTimersByTime(SETTLE_MS);
    expect(show.number(VOLUME)).toBe(1);
  });

  it('never keeps a value that nobody confirmed', () => {
    const { show, tick } = setup();
    show.set(VOLUME, 0.2);
    tick();
    vi.advanceTimersByTime(SETTLE_MS);
    expect(show.number(VOLUME)).toBe(1);
  });

  it('snaps back and says why when it is refused', () => {
    const { show, tick, refusals } = setup();
    show.set(VOLUME, 0.2);
    tick();
    show.refused({ type: 'error', code: 'bad_value', message: 'no', answers: 1, path: VOLUME });
    expect(show.number(VOLUME)).toBe(1);
    expect(refusals).toEqual([{ code: 'bad_value', message: 'no', path: VOLUME }]);
  });

  it('says so when there is no connection, and changes nothing', () => {
    const { show, tick, refusals } = setup(false);
    show.set(VOLUME, 0.2);
    show.trigger('/deck/1/stop');
    tick();
    expect(show.number(VOLUME)).toBe(1);
    expect(refusals.map((refusal) => refusal.code)).toEqual(['offline', 'offline']);
  });

  it('begins again with every welcome', () => {
    const { show, tick, cut, welcome } = setup();
    show.set(VOLUME, 0.2);
    tick();
    cut();
    show.forget();
    expect(show.number(VOLUME)).toBe(1);
    welcome({ '/deck/1/play': 1 }, 1);
    expect(show.get(VOLUME)).toBeUndefined();
    expect(show.on('/deck/1/play')).toBe(true);
  });

  it('toggles what is shown', () => {
    const { show, sent, tick } = setup();
    show.toggle('/deck/1/play');
    show.toggle('/deck/1/play');
    show.toggle('/deck/1/play');
    tick();
    expect(sent).toMatchObject([{ path: '/deck/1/play', value: 1 }]);
  });
});
