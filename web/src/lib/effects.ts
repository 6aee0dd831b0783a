// What an effect's three parameters are called and what a knob's place means, as docs/effects.md has it. Pure.

import { beatCount } from './format';

interface Parameter {
  name: string;
  /** What the knob at 0..1 stands for, with its unit. */
  say: (knob: number) => string;
}

const plain = (value: number): string => String(Math.round(value * 100) / 100);
const hertz = (value: number): string =>
  value >= 1000 ? `${(value / 1000).toFixed(1)} kHz` : value >= 20 ? `${Math.round(value)} Hz` : `${value.toFixed(2)} Hz`;
const between = (low: number, high: number, knob: number): number => low * (high / low) ** knob;
const fraction = (beats: number): string => {
  if (beats === 0.75) return '3/4';
  if (beats === 1.5) return '1 1/2';
  return beatCount(beats);
};
const chosen = (knob: number, choices: readonly number[]): number =>
  choices[Math.round(knob * (choices.length - 1))] ?? 0;
const beats =
  (...choices: number[]) =>
  (knob: number): string =>
    `${fraction(chosen(knob, choices))} bt`;
const percent = (knob: number): string => `${Math.round(knob * 100)} %`;
const tone = (knob: number): string => (knob > 0.999 ? 'open' : hertz(between(500, 18_000, knob)));
const swing = (knob: number): string => hertz(between(0.05, 5, knob));
const back = (knob: number): string => `${Math.round((2 * knob - 1) * 90)} %`;

const PARAMETERS: Record<string, Parameter[]> = {
  echo: [
    { name: 'Time', say: beats(0.125, 0.25, 0.5, 0.75, 1, 1.5, 2) },
    { name: 'Repeat', say: (knob) => percent(0.95 * knob) },
    { name: 'Tone', say: tone },
  ],
  reverb: [
    { name: 'Decay', say: (knob) => `${between(0.3, 10, knob).toFixed(1)} s` },
    { name: 'Tone', say: tone },
    { name: 'Low cut', say: (knob) => hertz(between(20, 1000, knob)) },
  ],
  flanger: [
    { name: 'Rate', say: swing },
    { name: 'Depth', say: (knob) => `${(8 * knob).toFixed(1)} ms` },
    { name: 'Return', say: back },
  ],
  phaser: [
    { name: 'Rate', say: swing },
    { name: 'Depth', say: percent },
    { name: 'Return', say: back },
  ],
  crusher: [
    { name: 'Bits', say: (knob) => `${plain(16 - 14 * knob)} bit` },
    { name: 'Hold', say: (knob) => `${plain(96 ** knob)} fr` },
    { name: 'Tone', say: tone },
  ],
  gate: [
    { name: 'Step', say: beats(0.0625, 0.125, 0.25, 0.5, 1) },
    { name: 'Open', say: (knob) => percent(0.1 + 0.9 * knob) },
    { name: 'Pattern', say: (knob) => `${chosen(knob, [1, 2, 3, 4, 5, 6, 7])} of 7` },
  ],
  repeat: [
    { name: 'Length', say: beats(0.0625, 0.125, 0.25, 0.5, 1, 2, 4) },
    { name: 'Fade', say: (knob) => `${(12 * knob).toFixed(1)} dB` },
    { name: 'Again', say: beats(1, 2, 4, 8, 16) },
  ],
};

/** The three parameters of an effect; numbered and in per cent where this page does not know it. */
export function parametersOf(type: string): Parameter[] {
  return PARAMETERS[type] ?? ['1', '2', '3'].map((name) => ({ name, say: percent }));
}
