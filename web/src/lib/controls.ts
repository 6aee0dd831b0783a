// The control registry as the page needs it: ranges, choices, descriptions and the travel of a fader.
// Travel follows control/travel.py, so that a fader here and a hardware fader stand at the same height.

import type { Value } from '../protocol';
import { described } from './describe';

export interface Control {
  path: string;
  kind: string;
  unit: string;
  min: number | null;
  max: number | null;
  default: Value | null;
  choices: string[];
  curve: string;
  /** What it is, in the language of the page. */
  readonly description: string;
}

export const DECKS = [1, 2, 3, 4] as const;
export const STEMS = ['vocals', 'drums', 'bass', 'other', 'guitar', 'piano'] as const;
/** Stems every separation makes; the others show when a deck has them. */
export const COMMON_STEMS: readonly string[] = STEMS.slice(0, 4);

type Range = Pick<Control, 'min' | 'max' | 'curve'>;

function middle(low: number, high: number): number {
  return low < 0 && high > 0 ? 0 : (low + high) / 2;
}

function ends(control: Range): [number, number] {
  const low = control.min ?? 0;
  return [low, control.max ?? low + 600];
}

/** The value at `travel` (0 bottom or left, 1 top or right). */
export function fromTravel(control: Range, travel: number): number {
  const [low, high] = ends(control);
  const t = Math.min(1, Math.max(0, travel));
  if (control.curve === 'audio') return low + (high - low) * t * t;
  if (control.curve === 'centred') {
    const mid = middle(low, high);
    return t <= 0.5 ? low + (mid - low) * t * 2 : mid + (high - mid) * (t * 2 - 1);
  }
  return low + (high - low) * t;
}

/** Where a fader stands for `value`, 0..1. */
export function toTravel(control: Range, value: number): number {
  const [low, high] = ends(control);
  if (high <= low) return 0;
  let t: number;
  if (control.curve === 'centred') {
    const mid = middle(low, high);
    t = value <= mid ? (mid > low ? (value - low) / (mid - low) / 2 : 0.5) : 0.5 + (value - mid) / (high - mid) / 2;
  } else {
    t = (value - low) / (high - low);
    if (control.curve === 'audio') t = Math.sqrt(Math.max(0, t));
  }
  return Math.min(1, Math.max(0, t));
}

/** Read one row of `GET /api/controls`; null where it is none. */
export function asControl(row: unknown): Control | null {
  if (typeof row !== 'object' || row === null) return null;
  const found = row as Record<string, unknown>;
  if (typeof found['path'] !== 'string' || typeof found['kind'] !== 'string') return null;
  const number = (name: string): number | null => (typeof found[name] === 'number' ? found[name] : null);
  const text = (name: string, otherwise: string): string =>
    typeof found[name] === 'string' ? found[name] : otherwise;
  const choices = Array.isArray(found['choices']) ? found['choices'].map(String) : [];
  const [path, english] = [found['path'], text('description', '')];
  return {
    path,
    kind: found['kind'],
    unit: text('unit', ''),
    min: number('min'),
    max: number('max'),
    default: (found['default'] as Value | null | undefined) ?? null,
    choices,
    curve: text('curve', 'linear'),
    get description(): string {
      return described(path, english);
    },
  };
}
