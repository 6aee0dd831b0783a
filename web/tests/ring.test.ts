import { describe, expect, it } from 'vitest';
import { AudioRing, FADE_FRAMES } from '../src/audio/ring';

const RATE = 48000;
const HZ = 220;
/** The largest step between neighbours that a full-scale sine of HZ has. */
const STEP = (2 * Math.PI * HZ) / RATE;

function sine(start: number, frames: number, level = 1): Float32Array {
  const pcm = new Float32Array(frames * 2);
  for (let index = 0; index < frames; index += 1) {
    const value = level * Math.sin((2 * Math.PI * HZ * (start + index)) / RATE);
    pcm[2 * index] = value;
    pcm[2 * index + 1] = -value;
  }
  return pcm;
}

/** Runs a ring between a source that sends `block` frames and a card that takes 128 at a time. */
class Rig {
  readonly ring = new AudioRing(RATE);
  readonly left: number[] = [];
  readonly right: number[] = [];
  sent = 0;
  owed = 0;

  constructor(readonly outRate = RATE) {}

  push(frames: number): void {
    this.ring.push(this.sent, RATE, sine(this.sent, frames));
    this.sent += frames;
  }

  pull(blocks = 1): void {
    for (let count = 0; count < blocks; count += 1) {
      const left = new Float32Array(128);
      const right = new Float32Array(128);
      this.ring.pull(left, right, this.outRate);
      this.left.push(...left);
      this.right.push(...right);
    }
  }

  /** Let `seconds` pass; the source's clock is faster by `drift`. */
  run(seconds: number, drift = 0, block = 960): void {
    const pulls = Math.round((seconds * this.outRate) / 128);
    for (let count = 0; count < pulls; count += 1) {
      this.owed += (128 / this.outRate) * RATE * (1 + drift);
      while (this.owed >= block) {
        this.push(block);
        this.owed -= block;
      }
      this.pull();
    }
  }

  largestStep(from = 0): number {
    let largest = 0;
    for (let index = Math.max(1, from); index < this.left.length; index += 1) {
      largest = Math.max(largest, Math.abs((this.left[index] ?? 0) - (this.left[index - 1] ?? 0)));
    }
    return largest;
  }
}

/** A step that a fade adds on top of the signal's own. */
const ALLOWED = STEP * 1.02 + 1.05 / FADE_FRAMES;

describe('AudioRing', () => {
  it('is silent until the buffer is filled, then plays', () => {
    const rig = new Rig();
    rig.push(960);
    rig.pull(4);
    expect(rig.left.every((sample) => sample === 0)).toBe(true);
    expect(rig.ring.state.flow).toBe('buffering');
    rig.run(1);
    expect(rig.ring.state.flow).toBe('playing');
    expect(Math.max(...rig.left)).toBeGreaterThan(0.9);
    expect(rig.ring.state.underruns).toBe(0);
  });

  it('starts without a click', () => {
    const rig = new Rig();
    rig.run(1);
    expect(rig.largestStep()).toBeLessThan(ALLOWED);
  });

  it('keeps left and right apart and aligned', () => {
    const rig = new Rig();
    rig.run(0.5);
    rig.left.forEach((sample, index) => expect(rig.right[index]).toBeCloseTo(-sample, 6));
  });

  it('reproduces the source at the nominal rate', () => {
    const rig = new Rig();
    rig.run(2);
    const tail = rig.left.slice(RATE);
    const power = tail.reduce((sum, sample) => sum + sample * sample, 0) / tail.length;
    expect(power).toBeCloseTo(0.5, 2);
    expect(rig.largestStep(RATE)).toBeLessThan(STEP * 1.02);
  });

  it.each([0.0005, -0.0005, 0.002])('follows a clock that is off by %f without a gap', (drift) => {
    const rig = new Rig();
    rig.run(30, drift);
    expect(rig.ring.state.underruns).toBe(0);
    expect(rig.ring.state.flow).toBe('playing');
    expect(Math.abs(rig.ring.state.fillMs - rig.ring.state.targetMs)).toBeLessThan(100);
    expect(rig.largestStep()).toBeLessThan(ALLOWED);
  });

  it('plays on a card of another rate', () => {
    const rig = new Rig(44100);
    rig.run(3);
    expect(rig.ring.state.underruns).toBe(0);
    let crossings = 0;
    const tail = rig.left.slice(44100, 88200);
    for (let index = 1; index < tail.length; index += 1) {
      if ((tail[index - 1] ?? 0) < 0 && (tail[index] ?? 0) >= 0) crossings += 1;
    }
    expect(Math.abs(crossings - HZ)).toBeLessThanOrEqual(2);
  });

  it('fades out when nothing comes and in again when it does', () => {
    const rig = new Rig();
    rig.run(1);
    rig.pull(200); // nothing comes for half a second
    const silent = rig.left.slice(-RATE / 10);
    expect(silent.every((sample) => sample === 0)).toBe(true);
    expect(rig.ring.state.underruns).toBe(1);
    expect(rig.ring.state.targetMs).toBeGreaterThan(120);
    rig.run(1);
    expect(Math.max(...rig.left.slice(-4800))).toBeGreaterThan(0.9);
    expect(rig.largestStep()).toBeLessThan(ALLOWED);
  });

  it('hides lost blocks behind a fade', () => {
    const rig = new Rig();
    rig.run(1);
    rig.sent += 960 * 3 + 100; // three blocks were dropped on the way
    rig.run(1);
    expect(rig.largestStep()).toBeLessThan(2 * ALLOWED);
  });

  it('goes near the present after the tab has slept', () => {
    const rig = new Rig();
    rig.run(1);
    for (let count = 0; count < 500; count += 1) rig.push(960); // ten seconds nobody pulled
    rig.run(2);
    expect(rig.ring.state.flow).toBe('playing');
    expect(rig.ring.state.fillMs).toBeLessThan(1000);
    expect(rig.left.every(Number.isFinite)).toBe(true);
  });

  it('survives an engine that restarts with another rate and odd blocks', () => {
    const rig = new Rig();
    rig.run(0.5);
    rig.ring.push(0, 44100, sine(0, 441));
    rig.ring.push(441, 44100, new Float32Array(0));
    rig.ring.push(441, 44100, sine(0, 48000 * 5));
    rig.pull(10);
    expect(rig.left.every(Number.isFinite)).toBe(true);
  });
});
