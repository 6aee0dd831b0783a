// QR codes for the links that phones open (ISO/IEC 18004): byte mode, error correction M, versions 1 to 10 (213 bytes).

/** Per version: error correction codewords of a block, then blocks as [how many, data codewords of each]. */
const BLOCKS: readonly (readonly [number, ...(readonly [number, number])[]])[] = [
  [10, [1, 16]],
  [16, [1, 28]],
  [26, [1, 44]],
  [18, [2, 32]],
  [24, [2, 43]],
  [16, [4, 27]],
  [18, [4, 31]],
  [22, [2, 38], [2, 39]],
  [22, [3, 36], [2, 37]],
  [26, [4, 43], [1, 44]],
];

/** Centres of the alignment patterns beside 6. */
const ALIGNED: readonly (readonly number[])[] = [[], [18], [22], [26], [30], [34], [22, 38], [24, 42], [26, 46], [28, 50]];

const EXP = new Uint8Array(512);
const LOG = new Uint8Array(256);
for (let power = 0, value = 1; power < 255; power += 1) {
  EXP[power] = value;
  EXP[power + 255] = value;
  LOG[value] = power;
  value <<= 1;
  if (value & 0x100) value ^= 0x11d;
}

function times(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : (EXP[(LOG[a] ?? 0) + (LOG[b] ?? 0)] ?? 0);
}

/** The remainder of Reed and Solomon: `count` codewords that protect `data`. */
function correction(data: readonly number[], count: number): number[] {
  let generator = [1];
  for (let root = 0; root < count; root += 1) {
    const next = new Array<number>(generator.length + 1).fill(0);
    generator.forEach((factor, index) => {
      next[index] = (next[index] ?? 0) ^ factor;
      next[index + 1] = (next[index + 1] ?? 0) ^ times(factor, EXP[root] ?? 0);
    });
    generator = next;
  }
  const rest = [...data, ...new Array<number>(count).fill(0)];
  for (let index = 0; index < data.length; index += 1) {
    const lead = rest[index] ?? 0;
    generator.forEach((factor, place) => {
      rest[index + place] = (rest[index + place] ?? 0) ^ times(factor, lead);
    });
  }
  return rest.slice(data.length);
}

/** BCH remainder of format and version information. */
function checked(value: number, generator: number, bits: number): number {
  let rest = value << bits;
  const degree = 31 - Math.clz32(generator);
  for (let bit = 31 - Math.clz32(rest); rest !== 0 && bit >= degree; bit = 31 - Math.clz32(rest)) {
    rest ^= generator << (bit - degree);
  }
  return (value << bits) | rest;
}

function codewords(text: string): { version: number; words: number[] } | null {
  const bytes = new TextEncoder().encode(text);
  for (let version = 1; version <= 10; version += 1) {
    const [ec, ...groups] = BLOCKS[version - 1] ?? [0];
    const room = groups.reduce((sum, [blocks, size]) => sum + blocks * size, 0);
    const lengthBits = version < 10 ? 8 : 16;
    if (4 + lengthBits + 8 * bytes.length > 8 * room) continue;
    const bits: number[] = [];
    const put = (value: number, count: number): void => {
      for (let bit = count - 1; bit >= 0; bit -= 1) bits.push((value >> bit) & 1);
    };
    put(0b0100, 4);
    put(bytes.length, lengthBits);
    for (const byte of bytes) put(byte, 8);
    put(0, Math.min(4, 8 * room - bits.length));
    while (bits.length % 8 !== 0) bits.push(0);
    const data: number[] = [];
    for (let at = 0; at < bits.length; at += 8) data.push(parseInt(bits.slice(at, at + 8).join(''), 2));
    for (let pad = 0; data.length < room; pad += 1) data.push(pad % 2 === 0 ? 0xec : 0x11);

    const blocks: number[][] = [];
    let from = 0;
    for (const [count, size] of groups) {
      for (let block = 0; block < count; block += 1) {
        blocks.push(data.slice(from, from + size));
        from += size;
      }
    }
    const protections = blocks.map((block) => correction(block, ec));
    const words: number[] = [];
    const longest = Math.max(...blocks.map((block) => block.length));
    for (let at = 0; at < longest; at += 1) {
      for (const block of blocks) if (at < block.length) words.push(block[at] ?? 0);
    }
    for (let at = 0; at < ec; at += 1) for (const block of protections) words.push(block[at] ?? 0);
    return { version, words };
  }
  return null;
}

const MASKS: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(y / 2) + Math.floor(x / 3)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

type Grid = (boolean | undefined)[][];

/** Everything but the data: finders, timing, alignment, version; format places are kept free as false. */
function frameOf(version: number, size: number): Grid {
  const grid: Grid = Array.from({ length: size }, () => new Array<boolean | undefined>(size).fill(undefined));
  const set = (x: number, y: number, dark: boolean): void => {
    const row = grid[y];
    if (row && x >= 0 && x < size) row[x] = dark;
  };
  for (let at = 0; at < size; at += 1) {
    set(at, 6, at % 2 === 0);
    set(6, at, at % 2 === 0);
  }
  for (const [cx, cy] of [[3, 3], [size - 4, 3], [3, size - 4]] as const) {
    for (let dy = -4; dy <= 4; dy += 1) {
      for (let dx = -4; dx <= 4; dx += 1) {
        const ring = Math.max(Math.abs(dx), Math.abs(dy));
        set(cx + dx, cy + dy, ring !== 2 && ring !== 4);
      }
    }
  }
  const centres = version > 1 ? [6, ...(ALIGNED[version - 1] ?? [])] : [];
  const last = centres.at(-1) ?? 0;
  for (const cy of centres) {
    for (const cx of centres) {
      if ((cx === 6 && cy === 6) || (cx === 6 && cy === last) || (cx === last && cy === 6)) continue;
      for (let dy = -2; dy <= 2; dy += 1) {
        for (let dx = -2; dx <= 2; dx += 1) set(cx + dx, cy + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1);
      }
    }
  }
  if (version >= 7) {
    const bits = checked(version, 0x1f25, 12);
    for (let bit = 0; bit < 18; bit += 1) {
      const dark = ((bits >> bit) & 1) === 1;
      set(size - 11 + (bit % 3), Math.floor(bit / 3), dark);
      set(Math.floor(bit / 3), size - 11 + (bit % 3), dark);
    }
  }
  putFormat(set, size, 0);
  return grid;
}

function putFormat(set: (x: number, y: number, dark: boolean) => void, size: number, mask: number): void {
  const bits = checked(mask, 0x537, 10) ^ 0x5412; // correction M is 00
  for (let bit = 0; bit < 15; bit += 1) {
    const dark = ((bits >> bit) & 1) === 1;
    if (bit < 6) set(8, bit, dark);
    else if (bit < 8) set(8, bit + 1, dark);
    else if (bit === 8) set(7, 8, dark);
    else set(14 - bit, 8, dark);
    if (bit < 8) set(size - 1 - bit, 8, dark);
    else set(8, size - 15 + bit, dark);
  }
  set(8, size - 8, true);
}

function penalty(rows: readonly (readonly boolean[])[]): number {
  const size = rows.length;
  const at = (x: number, y: number): boolean => rows[y]?.[x] ?? false;
  let points = 0;
  let darkCount = 0;
  const finder = '10111010000';
  const backwards = '00001011101';
  for (const turned of [false, true]) {
    for (let y = 0; y < size; y += 1) {
      let line = '';
      for (let x = 0; x < size; x += 1) line += (turned ? at(y, x) : at(x, y)) ? '1' : '0';
      for (const run of line.match(/0{5,}|1{5,}/g) ?? []) points += run.length - 2;
      for (let x = 0; x + 11 <= size; x += 1) {
        const piece = line.slice(x, x + 11);
        if (piece === finder || piece === backwards) points += 40;
      }
      if (!turned) darkCount += line.split('1').length - 1;
    }
  }
  for (let y = 0; y + 1 < size; y += 1) {
    for (let x = 0; x + 1 < size; x += 1) {
      const dark = at(x, y);
      if (dark === at(x + 1, y) && dark === at(x, y + 1) && dark === at(x + 1, y + 1)) points += 3;
    }
  }
  return points + 10 * Math.floor(Math.abs((darkCount / (size * size)) * 20 - 10));
}

/** The modules of a QR code, true where dark, without the quiet zone; null where the text is too long. */
export function qr(text: string): boolean[][] | null {
  const found = codewords(text);
  if (!found) return null;
  const size = 17 + 4 * found.version;
  const frame = frameOf(found.version, size);
  const places: [number, number][] = [];
  for (let right = size - 1, upwards = true; right > 0; right -= 2, upwards = !upwards) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step += 1) {
      const y = upwards ? size - 1 - step : step;
      for (const x of [right, right - 1]) if (frame[y]?.[x] === undefined) places.push([x, y]);
    }
  }
  let best: boolean[][] | null = null;
  let least = Infinity;
  MASKS.forEach((masked, number) => {
    const rows = frame.map((row) => row.map((dark) => dark ?? false));
    places.forEach(([x, y], index) => {
      const bit = ((found.words[index >> 3] ?? 0) >> (7 - (index & 7))) & 1;
      const row = rows[y];
      if (row) row[x] = (bit === 1) !== masked(x, y);
    });
    putFormat((x, y, dark) => {
      const row = rows[y];
      if (row) row[x] = dark;
    }, size, number);
    const points = penalty(rows);
    if (points < least) [best, least] = [rows, points];
  });
  return best;
}
