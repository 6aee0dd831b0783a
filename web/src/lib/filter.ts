// Which tracks the library lists, beyond the words that are searched. Pure.

export interface Filter {
  tempoMin: number | null;
  tempoMax: number | null;
  /** A place on the Camelot wheel, such as `8A`; empty for every key. */
  key: string;
  /** Whether what mixes with the key is listed, too. */
  near: boolean;
  /** 0 to 1. */
  energyMin: number | null;
  energyMax: number | null;
  stems: '' | 'with' | 'without';
  genre: string;
}

export const EVERYTHING: Filter = {
  tempoMin: null, tempoMax: null, key: '', near: true, energyMin: null, energyMax: null, stems: '', genre: '',
};
export const CAMELOT: readonly string[] = Array.from({ length: 24 }, (_, place) => `${(place >> 1) + 1}${place % 2 ? 'B' : 'A'}`);

/** How many things a filter asks for. */
export function wishes(filter: Filter): number {
  return [
    filter.tempoMin !== null || filter.tempoMax !== null, filter.key !== '', filter.energyMin !== null || filter.energyMax !== null,
    filter.stems !== '', filter.genre !== '',
  ].filter(Boolean).length;
}

/** A filter as the server is asked. */
export function asked(filter: Filter): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, bound] of [['tempo_min', filter.tempoMin], ['tempo_max', filter.tempoMax], ['energy_min', filter.energyMin], ['energy_max', filter.energyMax]] as const) {
    if (bound !== null && Number.isFinite(bound)) found[name] = String(bound);
  }
  if (filter.key) found['key'] = filter.key;
  if (filter.key && filter.near) found['near'] = 'true';
  if (filter.stems) found['stems'] = filter.stems === 'with' ? 'true' : 'false';
  if (filter.genre) found['genre'] = filter.genre;
  return found;
}

/** What mixes with a track: its tempo within six per cent, its key and the neighbours of that. */
export function like(tempo: number, key: string): Partial<Filter> {
  const bounds = tempo > 0 ? { tempoMin: Math.floor(tempo * 0.94), tempoMax: Math.ceil(tempo * 1.06) } : { tempoMin: null, tempoMax: null };
  return { ...bounds, key, near: true };
}
