import { decode, encode } from '@msgpack/msgpack';
import { beforeEach, describe, expect, it } from 'vitest';
import { Connection, backOff, type Link, type Surroundings } from '../src/lib/connection';
import { PROTOCOL_VERSION, asServerMessage, type ServerMessage } from '../src/protocol';

class FakeSocket {
  binaryType = '';
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  readonly sent: Record<string, unknown>[] = [];

  send(data: Uint8Array): void {
    this.sent.push(decode(data) as Record<string, unknown>);
  }

  close(): void {
    this.onclose?.({ code: 1000, reason: '' });
  }

  tell(message: unknown): void {
    const bytes = encode(message);
    this.onmessage?.({ data: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) });
  }
}

const ENGINE = { running: true, device: 'null', rate: 48000, block: 128, load: 0, late_blocks: 0, latency_ms: 5 };
const WELCOME = { type: 'welcome', protocol: PROTOCOL_VERSION, version: '0', rev: 1, controls: {}, engine: ENGINE };

let sockets: FakeSocket[];
let heard: ServerMessage[];
let links: Link[];
let now: number;
let tasks: Map<number, { at: number; task: () => void }>;
let connection: Connection;

function advance(milliseconds: number): void {
  const until = now + milliseconds;
  for (;;) {
    const next = [...tasks].filter(([, entry]) => entry.at <= until).sort((a, b) => a[1].at - b[1].at)[0];
    if (!next) break;
    tasks.delete(next[0]);
    now = next[1].at;
    next[1].task();
  }
  now = until;
}

function last(): FakeSocket {
  const socket = sockets.at(-1);
  if (!socket) throw new Error('no socket was opened');
  return socket;
}

beforeEach(() => {
  sockets = [];
  heard = [];
  links = [];
  now = 0;
  tasks = new Map();
  let handle = 0;
  const around: Surroundings = {
    open: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket as unknown as WebSocket;
    },
    now: () => now,
    later: (task, milliseconds) => {
      tasks.set(++handle, { at: now + milliseconds, task });
      return handle;
    },
    forget: (which) => void tasks.delete(which),
    random: () => 0.5,
  };
  connection = new Connection(
    'ws://here/ws/live',
    { onMessage: (message) => heard.push(message), onLink: (link) => links.push(link) },
    around,
  );
  connection.start();
});

describe('Connection', () => {
  it('says hello, and is connected only after the welcome', () => {
    last().onopen?.();
    expect(last().sent).toEqual([{ type: 'hello', protocol: PROTOCOL_VERSION, client: 'page' }]);
    expect(connection.send({ type: 'ping', sent: 1 })).toBe(false);
    last().tell(WELCOME);
    expect(links).toEqual(['connecting', 'connected']);
    expect(connection.send({ type: 'set', path: '/x', value: 0.5, id: 1 })).toBe(true);
    expect(last().sent.at(-1)).toEqual({ type: 'set', path: '/x', value: 0.5, id: 1 });
  });

  it('comes back after a loss, with longer and longer pauses', () => {
    last().onopen?.();
    last().tell(WELCOME);
    last().onclose?.({ code: 1006, reason: '' });
    expect(links.at(-1)).toBe('reconnecting');
    for (const wait of [250, 500, 1000]) {
      const before = sockets.length;
      advance(wait - 1);
      expect(sockets.length).toBe(before);
      advance(1);
      expect(sockets.length).toBe(before + 1);
      last().onclose?.({ code: 1006, reason: '' });
    }
    connection.hurry();
    last().onopen?.();
    last().tell(WELCOME);
    expect(links.at(-1)).toBe('connected');
  });

  it('does not try again when the server speaks another protocol', () => {
    last().onopen?.();
    last().onclose?.({ code: 4001, reason: 'protocol mismatch' });
    advance(60_000);
    expect(links.at(-1)).toBe('refused');
    expect(sockets.length).toBe(1);
  });

  it('gives up a socket that has gone silent', () => {
    last().onopen?.();
    last().tell(WELCOME);
    advance(4000);
    expect(last().sent.at(-1)).toMatchObject({ type: 'ping' });
    advance(60_000);
    expect(links).toContain('reconnecting');
    expect(sockets.length).toBeGreaterThan(1);
  });

  it('ignores what is no message', () => {
    last().onopen?.();
    last().tell(WELCOME);
    last().onmessage?.({ data: new Uint8Array([0xc1]).buffer });
    last().onmessage?.({ data: 'text' });
    last().tell({ type: 'dance' });
    last().tell({ type: 'state', rev: 'two', changes: {} });
    last().tell([1, 2]);
    expect(heard.map((message) => message.type)).toEqual(['welcome']);
    last().tell({ type: 'state', rev: 2, changes: {}, extra: true });
    expect(heard.at(-1)?.type).toBe('state');
  });

  it('does not hear a socket it has left', () => {
    const first = last();
    first.onopen?.();
    first.tell(WELCOME);
    first.onclose?.({ code: 1006, reason: '' });
    advance(250);
    first.tell({ type: 'state', rev: 2, changes: {} });
    expect(heard.map((message) => message.type)).toEqual(['welcome']);
  });
});

describe('backOff', () => {
  it('doubles to five seconds and is spread', () => {
    expect(backOff(0, 0.5)).toBe(250);
    expect(backOff(2, 0.5)).toBe(1000);
    expect(backOff(50, 0.5)).toBe(5000);
    expect(backOff(50, 0)).toBeLessThan(backOff(50, 1));
  });
});

describe('asServerMessage', () => {
  it('does not take a name from the prototype for a type', () => {
    expect(asServerMessage({ type: 'constructor' })).toBeNull();
    expect(asServerMessage({ type: '__proto__' })).toBeNull();
    expect(asServerMessage(null)).toBeNull();
  });

  it('wants bytes for audio', () => {
    expect(asServerMessage({ type: 'audio', frame: 0, rate: 48000, pcm: [0] })).toBeNull();
    expect(asServerMessage({ type: 'audio', frame: 0, rate: 48000, pcm: new Uint8Array(8) })?.type).toBe('audio');
  });
});
