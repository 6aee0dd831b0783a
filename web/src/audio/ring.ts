// A jitter buffer that follows the engine's clock: blocks go in as the network brings them, frames come out at the rate of
// this computer's sound card. The two clocks are never the same, so what comes out is resampled by a factor that keeps the
// fill at its target. Whatever is missing is faded out and in again: a gap is heard as a gap, never as a click.
//
// Units: frames of the source unless a name says otherwise. Cubic (Catmull-Rom) interpolation. Allocates nothing after the
// constructor; runs in an audio worklet.

/** Frames over which the sound goes away and comes back. */
export const FADE_FRAMES = 256;
/** The speed may differ from the nominal one by this much: 0.4 % is seven cents. */
const MAX_BEND = 0.004;
const FIRST_TARGET_S = 0.12;
const LONGEST_TARGET_S = 0.6;

export type Flow = 'buffering' | 'playing';

export interface RingState {
  flow: Flow;
  fillMs: number;
  targetMs: number;
  underruns: number;
}

export class AudioRing {
  #rate: number;
  readonly #capacity: number;
  readonly #left: Float32Array;
  readonly #right: Float32Array;
  /** Frames written and read since the last reset; the remainder is the place in the ring. */
  #written = 0;
  #read = 0;
  #fraction = 0;
  #expected = -1;
  #gain = 0;
  #draining = true;
  #targetS = FIRST_TARGET_S;
  #smoothFill = 0;
  #underruns = 0;
  #calmFrames = 0;

  constructor(rate = 48000, seconds = 3) {
    this.#rate = rate;
    this.#capacity = Math.ceil(rate * seconds);
    this.#left = new Float32Array(this.#capacity);
    this.#right = new Float32Array(this.#capacity);
  }

  get state(): RingState {
    return {
      flow: this.#draining ? 'buffering' : 'playing',
      fillMs: (this.#fill / this.#rate) * 1000,
      targetMs: this.#targetS * 1000,
      underruns: this.#underruns,
    };
  }

  get #fill(): number {
    return this.#written - this.#read;
  }

  #reset(): void {
    this.#written = 0;
    this.#read = 0;
    this.#fraction = 0;
    this.#expected = -1;
    this.#gain = 0;
    this.#draining = true;
    this.#smoothFill = 0;
  }

  /** Take interleaved stereo frames that start at engine frame `frame`. */
  push(frame: number, rate: number, pcm: Float32Array): void {
    const frames = pcm.length >> 1;
    if (rate !== this.#rate && rate > 0) {
      this.#rate = rate;
      this.#reset();
    }
    if (frames === 0 || frames > this.#capacity) return;
    const seam = this.#expected >= 0 && frame !== this.#expected;
    this.#expected = frame + frames;
    if (seam) this.#fadeTail();
    if (this.#fill + frames > this.#capacity - 8) this.#skipTo(frames);
    for (let index = 0; index < frames; index += 1) {
      const at = (this.#written + index) % this.#capacity;
      const gain = seam && index < FADE_FRAMES ? index / FADE_FRAMES : 1;
      this.#left[at] = (pcm[2 * index] ?? 0) * gain;
      this.#right[at] = (pcm[2 * index + 1] ?? 0) * gain;
    }
    this.#written += frames;
  }

  /** Fill `left` and `right` at `outRate` Hz. */
  pull(left: Float32Array, right: Float32Array, outRate: number): void {
    const target = this.#targetS * this.#rate;
    const fill = this.#fill;
    if (this.#draining && fill >= target) {
      this.#draining = false;
      this.#smoothFill = fill;
    }
    if (!this.#draining && fill > 4 * target && fill > 0.5 * this.#rate) {
      // far behind, as after the tab slept: fade out, then go on near the present
      this.#draining = true;
    }
    this.#smoothFill += (fill - this.#smoothFill) * 0.02;
    const error = (this.#smoothFill - target) / target;
    const bend = Math.min(MAX_BEND, Math.max(-MAX_BEND, error * 0.005));
    const step = (this.#rate / outRate) * (1 + bend);
    for (let index = 0; index < left.length; index += 1) {
      if (!this.#draining && this.#fill < FADE_FRAMES * step + 4) this.#runDry();
      const wanted = this.#draining ? 0 : 1;
      if (this.#gain !== wanted) {
        this.#gain = Math.min(1, Math.max(0, this.#gain + (wanted === 1 ? 1 : -1) / FADE_FRAMES));
      }
      if (this.#gain === 0 || this.#fill < 4) {
        left[index] = 0;
        right[index] = 0;
        if (this.#draining && this.#fill > 2 * target) this.#read = Math.floor(this.#written - target);
        continue;
      }
      left[index] = this.#at(this.#left) * this.#gain;
      right[index] = this.#at(this.#right) * this.#gain;
      this.#fraction += step;
      const whole = Math.floor(this.#fraction);
      this.#fraction -= whole;
      this.#read += whole;
    }
    this.#calm(left.length);
  }

  #runDry(): void {
    this.#draining = true;
    this.#underruns += 1;
    this.#calmFrames = 0;
    this.#targetS = Math.min(LONGEST_TARGET_S, this.#targetS * 1.5);
  }

  /** After half a minute without a gap the buffer may be shorter again. */
  #calm(frames: number): void {
    this.#calmFrames += frames;
    if (this.#calmFrames > 30 * this.#rate) {
      this.#calmFrames = 0;
      this.#targetS = Math.max(FIRST_TARGET_S, this.#targetS * 0.8);
    }
  }

  /** Catmull-Rom between the second and the third of the four frames at the read place. */
  #at(channel: Float32Array): number {
    const start = this.#read % this.#capacity;
    const before = channel[start] ?? 0;
    const here = channel[(start + 1) % this.#capacity] ?? 0;
    const next = channel[(start + 2) % this.#capacity] ?? 0;
    const after = channel[(start + 3) % this.#capacity] ?? 0;
    const x = this.#fraction;
    return (
      here +
      0.5 * x * (next - before + x * (2 * before - 5 * here + 4 * next - after + x * (3 * (here - next) + after - before)))
    );
  }

  /** Frames were lost on the way: let what is there end in silence. */
  #fadeTail(): void {
    const length = Math.min(FADE_FRAMES, Math.max(0, this.#fill - 4));
    for (let index = 0; index < length; index += 1) {
      const at = (this.#written - length + index) % this.#capacity;
      const gain = 1 - (index + 1) / length;
      this.#left[at] = (this.#left[at] ?? 0) * gain;
      this.#right[at] = (this.#right[at] ?? 0) * gain;
    }
  }

  /** No room: nobody reads (the tab sleeps). Keep the newest and begin again from silence. */
  #skipTo(incoming: number): void {
    this.#read = Math.max(this.#read, this.#written + incoming - Math.floor(this.#targetS * this.#rate));
    this.#read = Math.min(this.#read, this.#written);
    this.#gain = 0;
    this.#draining = true;
  }
}
