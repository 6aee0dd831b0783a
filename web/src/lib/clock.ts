// Places in a song as somebody types and reads them. Pure.

/** Seconds of `1:02.5`, `62.5`, `1:00:00`; null for what is no time. */
export function readTime(text: string): number | null {
  const parts = text.trim().replace(',', '.').split(':');
  if (parts.length > 3 || parts.some((part) => !/^\d+(\.\d*)?$|^\.\d+$/.test(part))) return null;
  if (parts.slice(0, -1).some((part) => part.includes('.'))) return null;
  const [seconds = 0, minutes = 0, hours = 0] = parts.map(Number).reverse();
  if (parts.length > 1 && seconds >= 60) return null;
  return hours * 3600 + minutes * 60 + seconds;
}

/** `m:ss.mmm`, as `readTime` takes it. */
export function fullTime(seconds: number): string {
  const total = Math.round(Math.max(0, seconds) * 1000);
  const minutes = Math.floor(total / 60000);
  const rest = total % 60000;
  return `${minutes}:${String(Math.floor(rest / 1000)).padStart(2, '0')}.${String(rest % 1000).padStart(3, '0')}`;
}

/** The stretches of a list of mutes: `12.5-20 40-52.25`. */
export function readMutes(text: string): [number, number][] {
  return text
    .split(/\s+/)
    .map((part) => part.split('-').map(Number))
    .filter((pair): pair is [number, number] => pair.length === 2 && pair.every(Number.isFinite) && (pair[1] ?? 0) > (pair[0] ?? 0));
}

export function writeMutes(stretches: readonly (readonly [number, number])[]): string {
  const thousandth = (seconds: number): string => String(Math.round(seconds * 1000) / 1000);
  return stretches.map(([from, to]) => `${thousandth(from)}-${thousandth(to)}`).join(' ');
}

/** The value of `places` (growing) nearest to `seconds`, where it is nearer than `reach`; else `seconds`. */
export function nearest(places: readonly number[], seconds: number, reach: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if ((places[mid] ?? 0) < seconds) low = mid + 1;
    else high = mid;
  }
  let best = seconds;
  let distance = reach;
  for (const place of [places[low - 1], places[low]]) {
    if (place !== undefined && Math.abs(place - seconds) < distance) {
      distance = Math.abs(place - seconds);
      best = place;
    }
  }
  return best;
}
