// Which part of a long list is drawn: whole groups of rows around what is in sight, spacers for the rest. Rows may differ
// in height: a group that was drawn is as high as it was then, one that never was as high as groups are on average. Pure.

/** Rows in a group. */
export const GROUP = 10;
/** Drawn beyond what is in sight, in pixels, so that a quick hand finds rows there. */
const BEYOND = 900;
const ROW = 57;

export interface Stretch {
  /** First row that is drawn, and the one after the last. */
  from: number;
  to: number;
  /** Heights of the spacers. */
  before: number;
  after: number;
}

export class Heights {
  readonly #known = new Map<number, number>();
  #sum = 0;

  /** A group was drawn this high; one that is cut short by the end of the list tells nothing about others. */
  learn(group: number, height: number): void {
    if (!(height > 0)) return;
    this.#sum += height - (this.#known.get(group) ?? 0);
    this.#known.set(group, height);
  }

  forget(): void {
    this.#known.clear();
    this.#sum = 0;
  }

  of(group: number): number {
    return this.#known.get(group) ?? (this.#known.size > 0 ? this.#sum / this.#known.size : ROW * GROUP);
  }

  /** What to draw of `count` rows when `top` pixels of the list are above what is in sight, which is `height` high. */
  stretch(count: number, top: number, height: number): Stretch {
    const groups = Math.ceil(count / GROUP);
    let [at, first, before] = [0, groups, 0];
    let [last, after] = [-1, 0];
    for (let group = 0; group < groups; group += 1) {
      const rows = Math.min(GROUP, count - group * GROUP);
      const high = (this.of(group) * rows) / (this.#known.has(group) ? rows : GROUP);
      if (at + high > top - BEYOND && at < top + height + BEYOND) {
        first = Math.min(first, group);
        last = group;
      } else if (last < 0) before += high;
      else after += high;
      at += high;
    }
    if (last < 0) {
      // beyond the end, as after a list became shorter: the last group
      if (groups === 0) return { from: 0, to: 0, before: 0, after: 0 };
      return { from: (groups - 1) * GROUP, to: count, before: Math.max(0, before - this.of(groups - 1)), after: 0 };
    }
    return { from: first * GROUP, to: Math.min(count, (last + 1) * GROUP), before, after };
  }
}
