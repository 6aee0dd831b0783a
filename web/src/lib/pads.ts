// Pads and steps as the page writes them: what a drag carries, a pattern as text, how hard a hand hits. Pure.

export const PADS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16] as const;
export const BANKS = ['1', '2', '3', '4', '5', '6', '7', '8'] as const;
export const STEPS = 16;
/** How hard a step can be hit: 0 is not at all. */
export const HARDEST = 9;
/** Keys of the pads, pad 1 first: the left hand's block of the keyboard, as the pads lie on the screen. */
export const PAD_KEYS = [...'zxcvasdfqwer1234'];
/** What can go on a pad carries its description under this type while it is dragged. */
export const PAD_SOURCE = 'application/x-alchemy-pad';

/** Something for a pad: a source as `/pad/N/source` takes it, or the loop of a deck as `/pad/N/take` does. */
export interface PadWish {
  control: 'source' | 'take';
  value: string;
}

/** The rows of pads from the top of the screen down: pad 1 lies at the lower left, as on hardware. */
export const ROWS: readonly (readonly number[])[] = [3, 2, 1, 0].map((row) => PADS.slice(row * 4, row * 4 + 4));

export function trackOnPad(trackId: string, stem = '', from?: number, to?: number): PadWish {
  const part = from === undefined ? '' : `@${from}-${to ?? ''}`;
  return { control: 'source', value: `${trackId}${stem ? `#${stem}` : ''}${part}` };
}

export function loopOnPad(deck: number, stem = ''): PadWish {
  return { control: 'take', value: `${deck}${stem ? `#${stem}` : ''}` };
}

/** What a drag carries, or null where it is no wish. */
export function readWish(text: string): PadWish | null {
  try {
    const found = JSON.parse(text) as Partial<PadWish> | null;
    if ((found?.control === 'source' || found?.control === 'take') && typeof found.value === 'string') {
      return { control: found.control, value: found.value };
    }
  } catch {
    // some other program's drag
  }
  return null;
}

export interface PadSource {
  trackId: string;
  stem: string;
  from: number;
}

/** What a pad's source text says; `from` in seconds of the track. */
export function readSource(source: string): PadSource {
  const [what = '', part = ''] = source.split('@');
  const [trackId = '', stem = ''] = what.split('#');
  return { trackId, stem, from: Number.parseFloat(part) || 0 };
}

/** The steps of a pad, 0 to 9 each, from `x..5`: a dot is none, x is the hardest. */
export function readPattern(pattern: string): number[] {
  return Array.from({ length: STEPS }, (_, step) => {
    const sign = pattern[step] ?? '.';
    if (sign === 'x' || sign === 'X') return HARDEST;
    return /[1-9]/.test(sign) ? Number(sign) : 0;
  });
}

export function writePattern(steps: readonly number[]): string {
  return steps.map((grade) => (grade > 0 ? String(Math.min(HARDEST, Math.round(grade))) : '.')).join('');
}

/** `pattern` with one step (from 0) hit as hard as `grade`. */
export function withStep(pattern: string, step: number, grade: number): string {
  const steps = readPattern(pattern);
  steps[step] = Math.min(HARDEST, Math.max(0, Math.round(grade)));
  return writePattern(steps);
}

/** How hard a hand hits: by pressure where the screen feels it, else by place: the upper edge is the hardest. */
export function velocity(pressure: number, pointer: string, y: number, height: number): number {
  if (pointer === 'pen' && pressure > 0) return Math.max(0.05, Math.min(1, pressure));
  const part = 1 - Math.min(1, Math.max(0, y / Math.max(1, height)));
  return Math.round((0.3 + 0.7 * Math.min(1, part * 1.25)) * 100) / 100;
}
