// Short messages at the edge of the page: refusals, notices, failures. Errors stay longest.

export type Level = 'info' | 'warning' | 'error';

export interface Toast {
  id: number;
  level: Level;
  message: string;
  detail: string;
  count: number;
}

const SHOWN_MS = { info: 5000, warning: 9000, error: 12000 } as const;
const MOST = 4;

export class Toasts {
  readonly items: Toast[] = $state([]);
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();
  #next = 1;

  /** Show a message; the same one again only counts up. */
  say(level: Level, message: string, detail = ''): void {
    const known = this.items.find((item) => item.message === message && item.detail === detail);
    const id = known?.id ?? this.#next++;
    if (known) known.count += 1;
    else this.items.push({ id, level, message, detail, count: 1 });
    clearTimeout(this.#timers.get(id));
    this.#timers.set(id, setTimeout(() => this.close(id), SHOWN_MS[level]));
    while (this.items.length > MOST) this.close(this.items[0]?.id ?? 0);
  }

  close(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    const index = this.items.findIndex((item) => item.id === id);
    if (index >= 0) this.items.splice(index, 1);
  }
}

/** A level from outside as one we draw. */
export function level(name: string): Level {
  return name === 'error' || name === 'warning' ? name : 'info';
}
