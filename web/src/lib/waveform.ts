// Reads waveform.bin (audio/waveform.py describes it): peaks and three bands, coarse and fine.

export interface Bins {
  count: number;
  /** Frames in one bin. */
  frames: number;
  /** Records of five bytes: lowest, highest (int8), low, middle, high (uint8). */
  records: DataView;
}

export interface Waveform {
  rate: number;
  duration: number;
  coarse: Bins;
  fine: Bins;
}

const RECORD = 5;

/** Raises Error with a sentence for the performer where `data` is no waveform. */
export function parseWaveform(data: ArrayBuffer): Waveform {
  const view = new DataView(data);
  const broken = new Error('The waveform of this track cannot be read.');
  if (data.byteLength < 40 || view.getUint32(0, false) !== 0x53464157 || view.getUint16(4, true) !== 1) throw broken;
  const header = view.getUint16(6, true);
  const rate = view.getUint32(8, true);
  const binFrames = view.getUint32(12, true);
  const frames = Number(view.getBigUint64(16, true));
  const fine = view.getUint32(24, true);
  const group = view.getUint32(28, true);
  const coarse = view.getUint32(32, true);
  const fineAt = header + coarse * RECORD;
  if (rate === 0 || binFrames === 0 || group === 0 || fineAt + fine * RECORD > data.byteLength) throw broken;
  return {
    rate,
    duration: frames / rate,
    coarse: { count: coarse, frames: binFrames * group, records: new DataView(data, header, coarse * RECORD) },
    fine: { count: fine, frames: binFrames, records: new DataView(data, fineAt, fine * RECORD) },
  };
}

export interface Column {
  lowest: number;
  highest: number;
  low: number;
  middle: number;
  high: number;
}

/** Merge the bins that cover `from`..`to` seconds into `out`, all 0..1 (peaks -1..1); false outside the track. */
export function column(wave: Waveform, bins: Bins, from: number, to: number, out: Column): boolean {
  const scale = wave.rate / bins.frames;
  const first = Math.max(0, Math.floor(from * scale));
  const last = Math.min(bins.count - 1, Math.max(first, Math.ceil(to * scale) - 1));
  if (to <= 0 || first >= bins.count || last < first) return false;
  let lowest = 127;
  let highest = -127;
  let low = 0;
  let middle = 0;
  let high = 0;
  for (let index = first; index <= last; index += 1) {
    const at = index * RECORD;
    lowest = Math.min(lowest, bins.records.getInt8(at));
    highest = Math.max(highest, bins.records.getInt8(at + 1));
    low = Math.max(low, bins.records.getUint8(at + 2));
    middle = Math.max(middle, bins.records.getUint8(at + 3));
    high = Math.max(high, bins.records.getUint8(at + 4));
  }
  out.lowest = lowest / 127;
  out.highest = highest / 127;
  out.low = low / 255;
  out.middle = middle / 255;
  out.high = high / 255;
  return true;
}
