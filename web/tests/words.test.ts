import { describe, expect, it } from 'vitest';
import { asJob, asTrack, errorOf } from '../src/lib/api';
import { asControl, fromTravel, toTravel } from '../src/lib/controls';
import * as format from '../src/lib/format';
import { Telemetry } from '../src/lib/telemetry';
import { column, parseWaveform } from '../src/lib/waveform';

describe('format', () => {
  it.each([
    [0, false, '0:00'],
    [59.99, false, '0:59'],
    [61.25, true, '1:01.2'],
    [59.97, true, '0:59.9'],
    [3725, false, '1:02:05'],
    [-2.5, true, '-0:02.5'],
    [NaN, false, '–:––'],
  ])('time(%f, %s) is %s', (seconds, tenths, text) => expect(format.time(seconds, tenths)).toBe(text));

  it.each([[75.2, '1:16'], [9.96, '10.0'], [9.94, '9.9'], [0, '0.0'], [-1, '0.0']])('countdown(%f) is %s', (seconds, text) => expect(format.countdown(seconds)).toBe(text));

  it('writes gains, rates and sides', () => {
    expect(format.gain(1)).toBe('0.0 dB');
    expect(format.gain(0.5)).toBe('-6.0 dB');
    expect(format.gain(0)).toBe('-∞ dB');
    expect(format.decibels(3)).toBe('+3.0 dB');
    expect(format.decibels(-0.01)).toBe('0.0 dB');
    expect(format.semitones(3)).toBe('+3 st');
    expect(format.semitones(-0.254)).toBe('-0.25 st');
    expect(format.semitones(-0.001)).toBe('0 st');
    expect(format.rate(1.024)).toBe('+2.4 %');
    expect(format.rate(0.9999)).toBe('0.0 %');
    expect(format.balance(-0.4)).toBe('L 40');
    expect(format.balance(0)).toBe('centre');
    expect(format.bytes(4_210_000)).toBe('4.2 MB');
    expect(format.bytes(12)).toBe('12 B');
    expect(format.words('constant_power')).toBe('Constant power');
  });

  it('keeps meters within their box', () => {
    for (const peak of [0, -1, NaN, 1e-9, 0.5, 1, 100]) {
      expect(format.meterHeight(peak)).toBeGreaterThanOrEqual(0);
      expect(format.meterHeight(peak)).toBeLessThanOrEqual(1);
    }
    expect(format.meterHeight(1)).toBeGreaterThan(format.meterHeight(0.5));
  });
});

describe('travel', () => {
  const controls = [
    { min: 0, max: 1, curve: 'audio' },
    { min: -1, max: 1, curve: 'centred' },
    { min: -24, max: 12, curve: 'centred' },
    { min: 0.25, max: 4, curve: 'linear' },
    { min: 0, max: null, curve: 'linear' },
  ];

  it('goes there and back', () => {
    for (const control of controls) {
      for (let travel = 0; travel <= 1; travel += 0.05) {
        expect(toTravel(control, fromTravel(control, travel))).toBeCloseTo(travel, 9);
      }
    }
  });

  it('puts 0 dB and the centre in the middle, and half of a gain fader at -12 dB', () => {
    expect(fromTravel({ min: -24, max: 12, curve: 'centred' }, 0.5)).toBe(0);
    expect(fromTravel({ min: -1, max: 1, curve: 'centred' }, 0.5)).toBe(0);
    expect(format.gain(fromTravel({ min: 0, max: 1, curve: 'audio' }, 0.5))).toBe('-12.0 dB');
  });

  it('stays in range for values from outside', () => {
    for (const control of controls) {
      expect(toTravel(control, -1e9)).toBe(0);
      expect(toTravel(control, 1e9)).toBe(1);
    }
  });
});

describe('what the API says', () => {
  it('reads a row of the registry and refuses others', () => {
    expect(asControl({ path: '/x', kind: 'toggle', min: 0, max: 1, default: 0, choices: null })).toMatchObject({
      path: '/x',
      choices: [],
      curve: 'linear',
    });
    expect(asControl({ path: 4 })).toBeNull();
    expect(asControl(null)).toBeNull();
  });

  it('reads a track that lacks nearly everything', () => {
    const track = asTrack({ id: 'a', title: '', artist: null, duration: null, jobs: [{ id: 'j', kind: 'analysis' }] });
    expect(track).toMatchObject({ title: 'Untitled', artist: '', duration: 0, tempo: null });
    expect(track.jobs[0]?.track_id).toBe('a');
  });

  it('finds the reason of a failed job', () => {
    expect(asJob({ id: 'j', error: 'disk full' }).error).toBe('disk full');
    expect(asJob({ id: 'j', error: null }).error).toBeNull();
  });

  it('turns every error answer into a sentence', () => {
    expect(errorOf(422, { error: { code: 'not_audio', message: 'This is text.' } }).message).toBe('This is text.');
    expect(errorOf(401, null).message).toContain('link');
    expect(errorOf(502, '<html>').message).toContain('502');
  });
});

function waveformFile(bins: number[][], group: number): ArrayBuffer {
  const coarse = Math.ceil(bins.length / group);
  const data = new ArrayBuffer(40 + 5 * (coarse + bins.length));
  const view = new DataView(data);
  [0x53, 0x46, 0x41, 0x57].forEach((byte, index) => view.setUint8(index, byte));
  view.setUint16(4, 1, true);
  view.setUint16(6, 40, true);
  view.setUint32(8, 44100, true);
  view.setUint32(12, 294, true);
  view.setBigUint64(16, BigInt(294 * bins.length), true);
  view.setUint32(24, bins.length, true);
  view.setUint32(28, group, true);
  view.setUint32(32, coarse, true);
  bins.forEach((bin, index) => bin.forEach((byte, place) => view.setUint8(40 + 5 * (coarse + index) + place, byte)));
  return data;
}

describe('waveform', () => {
  const bins = [
    [0, 10, 1, 2, 3],
    [256 - 127, 127, 255, 0, 0],
    [0, 64, 0, 0, 255],
  ];

  it('reads what the decoder writes', () => {
    const wave = parseWaveform(waveformFile(bins, 2));
    expect(wave.duration).toBeCloseTo((3 * 294) / 44100, 9);
    expect([wave.coarse.count, wave.fine.count, wave.coarse.frames]).toEqual([2, 3, 588]);
    const look = { lowest: 0, highest: 0, low: 0, middle: 0, high: 0 };
    expect(column(wave, wave.fine, 0, wave.duration, look)).toBe(true);
    expect(look).toEqual({ lowest: -1, highest: 1, low: 1, middle: 2 / 255, high: 1 });
    expect(column(wave, wave.fine, 2 / 150, 3 / 150, look)).toBe(true);
    expect(look.highest).toBeCloseTo(64 / 127, 9);
    expect(column(wave, wave.fine, -1, 0, look)).toBe(false);
    expect(column(wave, wave.fine, 1, 2, look)).toBe(false);
  });

  it('refuses what is cut short or something else', () => {
    const whole = waveformFile(bins, 2);
    for (const data of [new ArrayBuffer(0), new ArrayBuffer(100), whole.slice(0, whole.byteLength - 1)]) {
      expect(() => parseWaveform(data)).toThrow('cannot be read');
    }
  });
});

describe('Telemetry', () => {
  const engine = { running: true, device: '', rate: 48000, block: 128, load: 0, late_blocks: 0, latency_ms: 0 };
  const at = (position: number, playing = true) => ({
    type: 'meters' as const,
    frame: 0,
    decks: [{ position, rate: 1, playing, level: 0.5, stems: {}, beat: 0, tempo: 0, phase: 0, rms: 0, loudness: -70 }],
    master: [0, 0],
    input: 0,
    limiter_db: 0,
    master_rms: [0, 0],
    loudness: -70,
    momentary: -70,
    recorded_s: 0,
    step: 0,
    next_s: -1,
    next_beats: -1,
    engine,
  });

  it('carries the playhead on between messages, and never backwards while it plays', () => {
    const telemetry = new Telemetry();
    let before = 0;
    for (let now = 0; now < 1000; now += 16) {
      if (now % 32 === 0) telemetry.hear(at(now / 1000 + (now % 96 === 0 ? 0.004 : 0)), now);
      const shown = telemetry.position(1, now) ?? -1;
      expect(shown).toBeGreaterThanOrEqual(before);
      expect(Math.abs(shown - now / 1000)).toBeLessThan(0.03);
      before = shown;
    }
  });

  it('jumps when the deck does, and stands when it stands', () => {
    const telemetry = new Telemetry();
    telemetry.hear(at(10), 0);
    telemetry.position(1, 0);
    telemetry.hear(at(60), 16);
    expect(telemetry.position(1, 16)).toBeCloseTo(60, 2);
    telemetry.hear(at(61, false), 32);
    expect(telemetry.position(1, 500)).toBe(61);
  });

  it('says nothing about now when it has heard nothing lately', () => {
    const telemetry = new Telemetry();
    expect(telemetry.position(1, 0)).toBeNull();
    telemetry.hear(at(1), 0);
    expect(telemetry.deck(1, 100)?.level).toBe(0.5);
    expect(telemetry.deck(1, 5000)).toBeNull();
    expect(telemetry.deck(2, 100)).toBeNull();
  });
});
