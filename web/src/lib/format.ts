// Numbers as a performer reads them. Pure.

/** `m:ss` or `h:mm:ss`; with `tenths` one digit after the seconds. */
export function time(seconds: number, tenths = false): string {
  if (!Number.isFinite(seconds)) return '–:––';
  const sign = seconds < 0 ? '-' : '';
  const whole = Math.floor(tenths ? Math.abs(seconds) * 10 : Math.abs(seconds) + 1e-6) / (tenths ? 10 : 1);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = whole % 60;
  const tail = tenths ? rest.toFixed(1).padStart(4, '0') : String(Math.floor(rest)).padStart(2, '0');
  return hours > 0 ? `${sign}${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${sign}${minutes}:${tail}`;
}

/** Time that is left: whole seconds, rounded up, and tenths once it is under ten. */
export function countdown(seconds: number): string {
  return seconds < 10 ? Math.max(0, seconds).toFixed(1) : time(Math.ceil(seconds));
}

/** Beats as musicians count them: 0.25 is `1/4`, 8 is `8`. */
export function beatCount(beats: number): string {
  return beats < 1 ? `1/${Math.round(1 / beats)}` : String(Math.round(beats * 100) / 100);
}

/** Linear gain as decibels: `-6.0 dB`, `-∞ dB`. */
export function gain(value: number): string {
  return value > 1e-5 ? decibels(20 * Math.log10(value)) : '-∞ dB';
}

/** Decibels with a sign where it is above zero. */
export function decibels(value: number): string {
  const rounded = Math.round(value * 10) / 10;
  return `${rounded > 0 ? '+' : ''}${(rounded === 0 ? 0 : rounded).toFixed(1)} dB`;
}

/** Speed ratio as a change in per cent: 1.024 is `+2.4 %`. */
export function rate(value: number): string {
  const percent = Math.round((value - 1) * 1000) / 10;
  return `${percent > 0 ? '+' : ''}${(percent === 0 ? 0 : percent).toFixed(1)} %`;
}

/** 0..1 as per cent. */
export function percent(value: number): string {
  return `${Math.round(value * 100)} %`;
}

/** -1..1 as a side: `L 40`, `centre`, `R 100`. */
export function balance(value: number): string {
  const amount = Math.round(Math.abs(value) * 100);
  return amount === 0 ? 'centre' : `${value < 0 ? 'L' : 'R'} ${amount}`;
}

/** A size in bytes: `4.2 MB`. */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`;
}

/** Peak gain to the height of a meter, 0..1: -54 dB is the bottom, +3 dB the top. */
export function meterHeight(peak: number): number {
  if (!(peak > 0)) return 0;
  return Math.min(1, Math.max(0, (20 * Math.log10(peak) + 54) / 57));
}

/** A word of the server's vocabulary as a label: `constant_power` is `Constant power`. */
export function words(name: string): string {
  const text = name.replaceAll('_', ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Semitones with a sign, cents as the fraction: `+3 st`, `-0.25 st`. */
export function semitones(value: number): string {
  const rounded = Math.round(value * 100) / 100;
  return `${rounded > 0 ? '+' : ''}${rounded === 0 ? 0 : rounded} st`;
}
