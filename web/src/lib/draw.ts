// Paints waveforms. Colours come from the bands: bass warm, middle of the deck's colour, high pale.

import { column, type Bins, type Column, type Waveform } from './waveform';

const LOOK: Column = { lowest: 0, highest: 0, low: 0, middle: 0, high: 0 };

export interface Paint {
  low: string;
  middle: string;
  high: string;
}

/** Draw `from`..`to` seconds over `width` x `height` device pixels of a canvas, from `top` down. */
export function drawStretch(
  canvas: CanvasRenderingContext2D,
  wave: Waveform,
  bins: Bins,
  from: number,
  to: number,
  width: number,
  height: number,
  paint: Paint,
  top = 0,
): void {
  const half = height / 2;
  const middle = top + half;
  const perPixel = (to - from) / width;
  for (const [band, colour] of [
    ['low', paint.low],
    ['middle', paint.middle],
    ['high', paint.high],
  ] as const) {
    canvas.fillStyle = colour;
    for (let x = 0; x < width; x += 1) {
      const start = from + x * perPixel;
      if (!column(wave, bins, start, start + perPixel, LOOK)) continue;
      const peak = Math.max(LOOK.highest, -LOOK.lowest);
      // bands are roots of RMS: squared again they are levels, drawn no higher than the peak that was there
      const level = band === 'low' ? peak : Math.min(peak, LOOK[band] ** 1.5 * (band === 'middle' ? 1.05 : 0.9));
      const reach = Math.max(0.5, level * (half - 1));
      canvas.fillRect(x, middle - reach, 1, 2 * reach);
    }
  }
}

const WORDS_KEPT = 64;

/** Words as pictures: text drawn on a canvas makes the browser lay out the whole page, in every frame; a picture does not. */
export class Words {
  readonly #kept = new Map<string, HTMLCanvasElement>();

  /** `text` in `pixels` high letters of a colour, on a ground or on nothing. */
  of(text: string, pixels: number, colour: string, ground = ''): HTMLCanvasElement {
    const key = [text, pixels, colour, ground].join('\n');
    const known = this.#kept.get(key);
    if (known) return known;
    const picture = document.createElement('canvas');
    const pen = picture.getContext('2d');
    const font = `600 ${pixels}px sans-serif`;
    if (pen) {
      pen.font = font;
      const edge = ground ? pixels / 3 : 0;
      picture.width = Math.max(1, Math.ceil(pen.measureText(text).width + 2 * edge));
      picture.height = Math.ceil(pixels * 1.25);
      pen.font = font; // a canvas of another size has forgotten it
      pen.fillStyle = ground;
      if (ground) pen.fillRect(0, 0, picture.width, picture.height);
      pen.fillStyle = colour;
      pen.fillText(text, edge, pixels * 0.96);
    }
    this.#kept.set(key, picture);
    const oldest = this.#kept.keys().next().value;
    if (this.#kept.size > WORDS_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    return picture;
  }
}

/** What a canvas measures on the screen, in CSS pixels. */
export interface Size {
  width: number;
  height: number;
}

/**
 * Keep `size` right until the returned function is called. Whoever draws in every frame reads it there: to ask the canvas
 * itself would make the browser lay out the page in the middle of each frame.
 */
export function watchSize(canvas: HTMLCanvasElement, size: Size): () => void {
  Object.assign(size, { width: canvas.clientWidth, height: canvas.clientHeight });
  const observer = new ResizeObserver(([entry]) => {
    if (entry) Object.assign(size, { width: entry.contentRect.width, height: entry.contentRect.height });
  });
  observer.observe(canvas);
  return () => observer.disconnect();
}

/** Match a canvas to its place on the screen; true when its size changed. */
export function fit(canvas: HTMLCanvasElement, size: Size = { width: canvas.clientWidth, height: canvas.clientHeight }): boolean {
  const scale = Math.min(window.devicePixelRatio || 1, 2);
  const width = Math.max(1, Math.round(size.width * scale));
  const height = Math.max(1, Math.round(size.height * scale));
  if (canvas.width === width && canvas.height === height) return false;
  canvas.width = width;
  canvas.height = height;
  return true;
}

/** The colours of a waveform in `colour`, resolved in `where`: a canvas does not know custom properties. */
export function inkOf(colour: string, where: HTMLElement): Paint {
  const probe = document.createElement('span');
  (where.parentElement ?? document.body).append(probe);
  const one = (value: string): string => {
    probe.style.color = value;
    return getComputedStyle(probe).color;
  };
  const found = {
    low: one(`color-mix(in srgb, ${colour} 62%, var(--panel))`),
    middle: one(colour),
    high: one(`color-mix(in srgb, ${colour} 25%, white)`),
  };
  probe.remove();
  return found;
}
