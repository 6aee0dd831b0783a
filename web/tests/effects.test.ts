import { describe, expect, it } from 'vitest';
import { parametersOf } from '../src/lib/effects';

describe('effect parameters', () => {
  it.each([
    ['echo', 0, 0, '1/8 bt'],
    ['echo', 0, 0.5, '3/4 bt'],
    ['echo', 0, 1, '2 bt'],
    ['echo', 2, 1, 'open'],
    ['reverb', 0, 1, '10.0 s'],
    ['flanger', 0, 0, '0.05 Hz'],
    ['flanger', 2, 0.5, '0 %'],
    ['crusher', 0, 1, '2 bit'],
    ['gate', 2, 1, '7 of 7'],
    ['repeat', 2, 0.5, '4 bt'],
    ['unheard of', 0, 0.25, '25 %'],
  ])('%s, parameter %i at %f is %s', (type, index, knob, text) => expect(parametersOf(type)[index]?.say(knob)).toBe(text));
});
