// One live socket that comes back by itself: hello, messages out and in, pings, back-off.
// It holds no show state; what comes in goes to `onMessage`.

import { Decoder, Encoder } from '@msgpack/msgpack';
import { PROTOCOL_VERSION, asServerMessage, type ClientMessage, type ServerMessage } from '../protocol';

/** `connecting` the first time, `reconnecting` after a loss, `refused` where trying again cannot help. */
export type Link = 'connecting' | 'connected' | 'reconnecting' | 'refused';

export interface Hooks {
  onMessage(message: ServerMessage): void;
  onLink(link: Link, reason: string): void;
  onRoundTrip?(milliseconds: number): void;
}

/** What a test replaces: the socket and the clock. */
export interface Surroundings {
  open(url: string): WebSocket;
  now(): number;
  later(task: () => void, milliseconds: number): number;
  forget(handle: number): void;
  random(): number;
}

const BROWSER: Surroundings = {
  open: (url) => new WebSocket(url),
  now: () => performance.now(),
  later: (task, milliseconds) => window.setTimeout(task, milliseconds),
  forget: (handle) => window.clearTimeout(handle),
  random: Math.random,
};

const PING_MS = 4000;
/** A socket that has been silent for so long is dead even if it does not say so. */
const SILENCE_MS = 12000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5000;
const CLOSE_PROTOCOL = 4001;

/** The pause before attempt `n` (from 0): doubling to five seconds, spread so that many pages do not knock at once. */
export function backOff(attempt: number, random: number): number {
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt, 10)) * (0.75 + random / 2);
}

export class Connection {
  readonly #encoder = new Encoder();
  readonly #decoder = new Decoder();
  readonly #url: string;
  readonly #hooks: Hooks;
  readonly #around: Surroundings;
  #socket: WebSocket | null = null;
  #welcomed = false;
  #wasConnected = false;
  #attempt = 0;
  #lastHeard = 0;
  #timer = 0;
  #beat = 0;
  #stopped = false;

  constructor(url: string, hooks: Hooks, around: Surroundings = BROWSER) {
    this.#url = url;
    this.#hooks = hooks;
    this.#around = around;
  }

  get connected(): boolean {
    return this.#welcomed;
  }

  start(): void {
    this.#stopped = false;
    this.#open();
  }

  stop(): void {
    this.#stopped = true;
    this.#around.forget(this.#timer);
    this.#around.forget(this.#beat);
    this.#socket?.close();
  }

  /** Try at once instead of waiting for the back-off: the network is back, or somebody looks again. */
  hurry(): void {
    if (this.#stopped || this.#socket !== null) return;
    this.#around.forget(this.#timer);
    this.#attempt = 0;
    this.#open();
  }

  /** Send a message; false where there is no connection, and then nothing was sent. */
  send(message: ClientMessage): boolean {
    if (!this.#welcomed || this.#socket === null) return false;
    this.#socket.send(this.#encoder.encode(message));
    return true;
  }

  #open(): void {
    this.#hooks.onLink(this.#wasConnected ? 'reconnecting' : 'connecting', '');
    const socket = this.#around.open(this.#url);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#lastHeard = this.#around.now();
    this.#watch(socket);
    socket.onopen = () => {
      socket.send(this.#encoder.encode({ type: 'hello', protocol: PROTOCOL_VERSION, client: 'page' }));
    };
    socket.onmessage = (event: MessageEvent<unknown>) => {
      if (socket === this.#socket) this.#hear(event.data);
    };
    socket.onclose = (event) => {
      if (socket === this.#socket) this.#lost(event.code, event.reason);
    };
  }

  #hear(data: unknown): void {
    this.#lastHeard = this.#around.now();
    if (!(data instanceof ArrayBuffer)) return;
    let message: ServerMessage | null = null;
    try {
      message = asServerMessage(this.#decoder.decode(new Uint8Array(data)));
    } catch {
      return; // not MessagePack: nothing to believe in it
    }
    if (message === null) return;
    if (message.type === 'welcome' && !this.#welcomed) {
      this.#welcomed = true;
      this.#wasConnected = true;
      this.#attempt = 0;
      this.#hooks.onMessage(message);
      this.#hooks.onLink('connected', '');
      return;
    }
    if (message.type === 'pong') this.#hooks.onRoundTrip?.(this.#around.now() - message.sent);
    this.#hooks.onMessage(message);
  }

  /** Ping, and give up a socket that has gone silent. */
  #watch(socket: WebSocket): void {
    this.#around.forget(this.#beat);
    this.#beat = this.#around.later(() => {
      if (socket !== this.#socket) return;
      if (this.#around.now() - this.#lastHeard > SILENCE_MS) {
        socket.close();
        this.#lost(1006, 'silence');
        return;
      }
      this.send({ type: 'ping', sent: this.#around.now() });
      this.#watch(socket);
    }, PING_MS);
  }

  #lost(code: number, reason: string): void {
    this.#around.forget(this.#beat);
    this.#socket = null;
    this.#welcomed = false;
    if (this.#stopped) return;
    if (code === CLOSE_PROTOCOL) {
      this.#hooks.onLink('refused', 'The server was updated. Reload this page.');
      return;
    }
    this.#hooks.onLink(this.#wasConnected ? 'reconnecting' : 'connecting', reason);
    this.#timer = this.#around.later(() => this.#open(), backOff(this.#attempt, this.#around.random()));
    this.#attempt += 1;
  }
}
