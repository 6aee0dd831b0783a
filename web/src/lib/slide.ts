// A hand on a fader or knob: drags are relative (a touch never makes the value jump), a tap beside the thumb goes there,
// a double tap goes home, the wheel turns what has the focus. Shift is fine. Arrow keys, Page keys, Home, End; Delete goes home.

import { fromTravel, toTravel, type Control } from './controls';

export interface Slide {
  control(): Control | undefined;
  value(): number;
  set(value: number): void;
  /** Pixels of the whole travel, and which way the value grows. */
  length(): number;
  axis: 'x' | 'y';
  /** Where the pointer is on the travel, 0..1, for taps; undefined where taps do nothing (knobs). */
  place?(event: PointerEvent): number;
}

const TAP_PX = 4;
const BESIDE = 0.08;
/** A centred control stays at its middle within this part of its travel. */
const DETENT = 0.012;

export function slider(slide: Slide): {
  onpointerdown: (event: PointerEvent) => void;
  onpointermove: (event: PointerEvent) => void;
  onpointerup: (event: PointerEvent) => void;
  onpointercancel: (event: PointerEvent) => void;
  ondblclick: () => void;
  onkeydown: (event: KeyboardEvent) => void;
  onwheel: (event: WheelEvent) => void;
} {
  let held = -1;
  let from = 0;
  let last = 0;
  let moved = 0;

  const travel = (): number => {
    const control = slide.control();
    return control ? toTravel(control, slide.value()) : 0;
  };
  const go = (to: number, detent: boolean): void => {
    const control = slide.control();
    if (!control) return;
    const t = Math.min(1, Math.max(0, to));
    const centred = detent && control.curve === 'centred' && Math.abs(t - 0.5) < DETENT;
    slide.set(fromTravel(control, centred ? 0.5 : t));
  };
  const home = (): void => {
    const value = slide.control()?.default;
    if (typeof value === 'number') slide.set(value);
  };
  const along = (event: PointerEvent): number => (slide.axis === 'x' ? event.clientX : -event.clientY);

  return {
    onpointerdown(event) {
      if (event.button !== 0 || held >= 0) return;
      held = event.pointerId;
      (event.currentTarget as HTMLElement).setPointerCapture(held);
      (event.currentTarget as HTMLElement).focus({ preventScroll: true });
      from = travel();
      last = along(event);
      moved = 0;
      event.preventDefault();
    },
    onpointermove(event) {
      if (event.pointerId !== held) return;
      const now = along(event);
      const delta = now - last;
      last = now;
      moved += Math.abs(delta);
      if (moved < TAP_PX) return;
      from += (delta / Math.max(1, slide.length())) * (event.shiftKey ? 0.15 : 1);
      go(from, true);
    },
    onpointerup(event) {
      if (event.pointerId !== held) return;
      held = -1;
      if (moved >= TAP_PX || !slide.place) return;
      const place = slide.place(event);
      if (Math.abs(place - travel()) > BESIDE) go(place, true);
    },
    onpointercancel(event) {
      if (event.pointerId === held) held = -1;
    },
    ondblclick: home,
    onwheel(event) {
      // only what has the focus: a page that is scrolled must not turn what comes under the pointer
      if (document.activeElement !== event.currentTarget || event.ctrlKey) return;
      event.preventDefault();
      go(travel() - Math.sign(event.deltaY) * (event.shiftKey ? 0.002 : 0.01), false);
    },
    onkeydown(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const fine = event.shiftKey ? 0.002 : 0.01;
      const steps: Record<string, number> = {
        ArrowUp: fine,
        ArrowRight: fine,
        ArrowDown: -fine,
        ArrowLeft: -fine,
        PageUp: 0.1,
        PageDown: -0.1,
      };
      const step = steps[event.key];
      if (step !== undefined) go(travel() + step, false);
      else if (event.key === 'Home') go(0, false);
      else if (event.key === 'End') go(1, false);
      else if (event.key === 'Delete' || event.key === 'Backspace') home();
      else return;
      event.preventDefault();
    },
  };
}
