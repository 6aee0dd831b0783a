// The newest meters, read by what draws 60 times a second; nothing here is reactive.
// A playhead is carried on between two messages, for display only.

import type { DeckMeters, MetersMessage } from '../protocol';

/** A message older than this says nothing about now. */
const STALE_MS = 600;
const JUMP_S = 0.12;

interface Playhead {
  shown: number;
  at: number;
}

export class Telemetry {
  #message: MetersMessage | null = null;
  #heardAt = 0;
  readonly #heads: (Playhead | null)[] = [];

  hear(message: MetersMessage, now: number): void {
    this.#message = message;
    this.#heardAt = now;
  }

  forget(): void {
    this.#message = null;
    this.#heads.length = 0;
  }

  fresh(now: number): MetersMessage | null {
    return this.#message !== null && now - this.#heardAt < STALE_MS ? this.#message : null;
  }

  deck(number: number, now: number): DeckMeters | null {
    return this.fresh(now)?.decks[number - 1] ?? null;
  }

  /** Where deck `number` is, in seconds of the track; null where nobody has said. Runs on smoothly while it plays. */
  position(number: number, now: number): number | null {
    const deck = this.#message?.decks[number - 1];
    if (deck === undefined) return null;
    const age = Math.min(now - this.#heardAt, STALE_MS) / 1000;
    const told = deck.playing ? deck.position + age * deck.rate : deck.position;
    const head = this.#heads[number - 1];
    let shown = told;
    if (head && deck.playing) {
      const carried = head.shown + Math.min((now - head.at) / 1000, 0.1) * deck.rate;
      if (Math.abs(told - carried) < JUMP_S) shown = carried + (told - carried) * 0.15;
    }
    this.#heads[number - 1] = { shown, at: now };
    return shown;
  }
}

type Task = (now: number) => void;
const tasks = new Set<Task>();
let running = 0;

function frame(now: number): void {
  for (const task of tasks) task(now);
  running = tasks.size > 0 ? requestAnimationFrame(frame) : 0;
}

/** Call `task` before every repaint until the returned function is called. */
export function everyFrame(task: Task): () => void {
  tasks.add(task);
  if (running === 0) running = requestAnimationFrame(frame);
  return () => tasks.delete(task);
}

/** Write a number that changes many times a second: the same piece of text says something else. */
export function write(place: HTMLElement, text: string): void {
  const known = place.firstChild;
  if (!(known instanceof Text)) place.textContent = text;
  else if (known.data !== text) known.data = text;
}
