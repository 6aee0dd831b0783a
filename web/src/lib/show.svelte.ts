// The show as this page sees it. A snapshot with its revision; nothing musical is computed here.
//
// What a hand does is drawn at once and sent; the server's word replaces it: an echo, a refusal, a lost connection, or
// SETTLE_MS after the last touch, whatever comes first. So the page is quick and never keeps a value the show does not have.

import { SvelteMap } from 'svelte/reactivity';
import type { ClientMessage, ErrorMessage, Revision, StateMessage, Value, WelcomeMessage } from '../protocol';

/** How long a value may stand that the server has not confirmed. */
export const SETTLE_MS = 700;

/** Texts of the show are drawn no longer than this: lists fit in it, a broken title does not stop the page. */
const LONGEST = 4000;

interface Pending {
  value: Value;
  id: number;
  timer: ReturnType<typeof setTimeout>;
}

export interface Refusal {
  code: string;
  message: string;
  path: string;
}

/** Whether a value that came back is the one that was asked for. */
function same(a: Value, b: Value): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  return Math.abs(Number(a) - Number(b)) <= 1e-9 * Math.max(1, Math.abs(Number(a)));
}

export class Show {
  rev: Revision = $state(0);
  /** Whether a welcome has been heard at all. */
  known: boolean = $state(false);
  readonly #shown = new SvelteMap<string, Value>();
  readonly #confirmed = new Map<string, Value>();
  readonly #pending = new Map<string, Pending>();
  readonly #asked = new Map<number, string>();
  readonly #queued = new Map<string, Value>();
  #nextId = 1;
  #flushing = false;

  constructor(
    private readonly send: (message: ClientMessage) => boolean,
    private readonly onRefused: (refusal: Refusal) => void,
    private readonly soon: (task: () => void) => void = (task) => void requestAnimationFrame(task),
  ) {}

  get(path: string): Value | undefined {
    return this.#shown.get(path);
  }

  number(path: string, otherwise = 0): number {
    const value = this.#shown.get(path);
    return typeof value === 'number' || typeof value === 'boolean' ? Number(value) : otherwise;
  }

  text(path: string, otherwise = ''): string {
    const value = this.#shown.get(path);
    return value === undefined ? otherwise : String(value).slice(0, LONGEST);
  }

  on(path: string): boolean {
    return this.number(path) >= 0.5;
  }

  /** Ask for a value. A flood of fader moves becomes one message a frame. */
  set(path: string, value: Value): void {
    const before = this.#pending.get(path);
    if (before) clearTimeout(before.timer);
    const timer = setTimeout(() => this.#drop(path), SETTLE_MS);
    this.#pending.set(path, { value, id: 0, timer });
    this.#shown.set(path, value);
    this.#queued.set(path, value);
    if (this.#flushing) return;
    this.#flushing = true;
    this.soon(() => this.flush());
  }

  /** Flip a toggle as it is shown. */
  toggle(path: string): void {
    this.set(path, this.on(path) ? 0 : 1);
  }

  trigger(path: string): void {
    const id = this.#nextId++;
    this.#asked.set(id, path);
    if (!this.send({ type: 'trigger', path, id })) this.#offline(path, id);
  }

  /** Do something that leaves no value behind: a button pressed (1) or let go (0), beats to jump. Sent at once. */
  act(path: string, value: Value): void {
    const id = this.#nextId++;
    this.#asked.set(id, path);
    if (!this.send({ type: 'set', path, value, id })) this.#offline(path, id);
  }

  /** Send what waits; called once a frame. */
  flush(): void {
    this.#flushing = false;
    for (const [path, value] of this.#queued) {
      const id = this.#nextId++;
      this.#asked.set(id, path);
      const pending = this.#pending.get(path);
      if (pending) pending.id = id;
      if (!this.send({ type: 'set', path, value, id })) this.#offline(path, id);
    }
    this.#queued.clear();
    if (this.#asked.size > 2000) {
      for (const id of this.#asked.keys()) {
        this.#asked.delete(id);
        if (this.#asked.size <= 1000) break;
      }
    }
  }

  welcome(message: WelcomeMessage): void {
    this.forget();
    this.#confirmed.clear();
    for (const path of [...this.#shown.keys()]) if (!(path in message.controls)) this.#shown.delete(path);
    for (const [path, value] of Object.entries(message.controls)) {
      this.#confirmed.set(path, value);
      this.#shown.set(path, value);
    }
    this.rev = message.rev;
    this.known = true;
  }

  change(message: StateMessage): void {
    if (message.rev <= this.rev) return;
    this.rev = message.rev;
    for (const [path, value] of Object.entries(message.changes)) {
      this.#confirmed.set(path, value);
      const pending = this.#pending.get(path);
      if (pending && !same(pending.value, value)) continue; // an older echo: the hand is further already
      if (pending) this.#drop(path);
      else this.#shown.set(path, value);
    }
  }

  refused(message: ErrorMessage): void {
    const path = this.#asked.get(message.answers) ?? message.path;
    this.#asked.delete(message.answers);
    const pending = this.#pending.get(path);
    if (pending && (pending.id === message.answers || pending.id === 0)) this.#drop(path);
    this.onRefused({ code: message.code, message: message.message, path });
  }

  /** Let go of everything that was asked for and not confirmed: the connection is gone. */
  forget(): void {
    for (const path of [...this.#pending.keys()]) this.#drop(path);
    this.#asked.clear();
    this.#queued.clear();
  }

  #drop(path: string): void {
    const pending = this.#pending.get(path);
    if (!pending) return;
    clearTimeout(pending.timer);
    this.#pending.delete(path);
    const value = this.#confirmed.get(path);
    if (value === undefined) this.#shown.delete(path);
    else this.#shown.set(path, value);
  }

  #offline(path: string, id: number): void {
    this.#asked.delete(id);
    this.#drop(path);
    this.onRefused({ code: 'offline', message: 'Not connected: nothing was changed.', path });
  }
}
