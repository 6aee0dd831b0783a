// The HTTP side: tracks, jobs, registry. Every failure becomes an ApiError with a sentence for the performer.

import { asControl, type Control } from './controls';
import { words } from './format';

export interface StemRow {
  id: string;
  stem_type: string;
  engine: string;
  model: string;
  chosen: boolean;
}

export interface Job {
  id: string;
  kind: string;
  track_id: string;
  status: string;
  progress: number;
  stage: string;
  error: string | null;
}

export interface Track {
  id: string;
  title: string;
  artist: string;
  album: string;
  genre: string;
  year: number | null;
  duration: number;
  jobs: Job[];
  stems: StemRow[];
  tempo: number | null;
  key: string;
  /** 0 to 1; null where it is not analysed. */
  energy: number | null;
  /** What to know about the file, in sentences: that it ends too early, say. */
  warnings: string[];
}

/** A recording; `length` in seconds where it is known, `tracks` says whether there is a track list beside it. */
export interface Recording {
  name: string;
  length: number | null;
  size: number;
  tracks: boolean;
  recording: boolean;
}

export interface TrackPage {
  tracks: Track[];
  cursor: string | null;
  /** How many there are on all pages. */
  total: number;
}

/** A separation engine; `reason` says why it cannot run here, empty where it can. */
export interface Engine {
  name: string;
  label: string;
  reason: string;
}

/** Many jobs as one; the counts are of jobs. */
export interface Batch {
  id: string;
  title: string;
  status: string;
  progress: number;
  total: number;
  completed: number;
  failed: number;
  cancelled: number;
  running: number;
}
export type BatchMove = 'pause' | 'resume' | 'cancel' | 'retry';

/** Whether other machines may come in, and how: `links` log a phone in, once each. */
export interface Lan {
  open: boolean;
  addresses: string[];
  oscPort: number;
  links: string[];
}

export class ApiError extends Error {
  /** Seconds to wait before asking again, where the server said so. */
  retryAfterS = 0;

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** What the server adds for programs. */
    readonly details: Json = {},
  ) {
    super(message);
  }
}

export type Json = Record<string, unknown>;

export function map(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown, otherwise = ''): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : otherwise;
}

/** A name from a file: whatever stands in it, a page that is to be played on draws no more than this. */
const LONGEST = 1000;

export function line(value: unknown): string {
  return text(value).slice(0, LONGEST);
}

export function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

/** What an error answer says, in words. */
export function errorOf(status: number, body: unknown): ApiError {
  const error = map(map(body)['error']);
  const message = text(error['message']);
  if (message) return new ApiError(status, text(error['code'], 'error'), message, map(error['details']));
  if (status === 401 || status === 403) {
    return new ApiError(status, 'not_allowed', 'This page is not logged in. Open the link that `alchemy run` printed.');
  }
  if (status === 413) return new ApiError(status, 'too_large', 'The file is too large for this server.');
  return new ApiError(status, 'error', `The server answered ${status}.`);
}

/** What a kind of job is called in front of a performer. */
export function jobName(kind: string): string {
  return { processing: 'Separation', analysis: 'Analysis', download: 'Download' }[kind] ?? words(kind);
}

/** A job's row, from whichever of the job tables. */
export function asJob(row: unknown, trackId = ''): Job {
  const found = map(row);
  return {
    id: text(found['id']),
    kind: text(found['kind'], 'job'),
    track_id: text(found['track_id'], trackId),
    status: text(found['status']),
    progress: number(found['progress']),
    stage: text(found['stage']),
    error: text(found['error']) || text(map(found['error'])['message']) || text(found['error_message']) || null,
  };
}

export function asTrack(row: unknown): Track {
  const found = map(row);
  const id = text(found['id']);
  const analysis = map(found['analysis']);
  return {
    id,
    title: line(found['title']) || 'Untitled',
    artist: line(found['artist']),
    album: line(found['album']),
    genre: text(found['genre']),
    year: number(found['year']) || null,
    duration: number(found['duration']),
    jobs: list(found['jobs']).map((job) => asJob(job, id)),
    stems: list(found['stems']).map((stem) => {
      const row_ = map(stem);
      return {
        id: text(row_['id']),
        stem_type: text(row_['stem_type']),
        engine: text(row_['engine']),
        model: text(row_['model']),
        chosen: row_['chosen'] !== false,
      };
    }),
    tempo: number(analysis['tempo']) || number(found['bpm']) || null,
    key: text(analysis['key']) || text(found['key']),
    energy: typeof analysis['energy'] === 'number' ? analysis['energy'] : null,
    warnings: list(found['warnings']).map((sentence) => text(sentence)).filter(Boolean),
  };
}

export async function call(method: string, path: string, body?: unknown): Promise<unknown> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      credentials: 'same-origin',
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, 'offline', 'The server cannot be reached.');
  }
  const content: unknown = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) {
    const error = errorOf(answer.status, content);
    error.retryAfterS = Number(answer.headers.get('Retry-After')) || 0;
    throw error;
  }
  return content;
}

export async function controls(): Promise<Map<string, Control>> {
  const found = await call('GET', '/api/controls');
  const rows = Array.isArray(found) ? found : list(map(found)['controls']);
  const read = rows.map(asControl).filter((row) => row !== null);
  return new Map(read.map((row) => [row.path, row]));
}

/** A page of the library; `more` are further wishes, as the server names them. */
export async function tracks(query: string, cursor: string | null, sort = '-inserted_at', more: Readonly<Record<string, string>> = {}): Promise<TrackPage> {
  const asked = new URLSearchParams({ limit: '100', sort, ...more });
  if (query) asked.set('q', query);
  if (cursor) asked.set('cursor', cursor);
  const found = await call('GET', `/api/tracks?${asked}`);
  const rows = Array.isArray(found) ? found : list(map(found)['tracks']);
  return { tracks: rows.map(asTrack), cursor: text(map(found)['cursor']) || null, total: number(map(found)['total']) };
}

/** The genres of the library, the most frequent first. */
export const genres = async (): Promise<{ name: string; tracks: number }[]> =>
  list(await call('GET', '/api/genres')).map(map).map((row) => ({ name: line(row['name']), tracks: number(row['tracks']) }));

export async function track(id: string): Promise<Track> {
  return asTrack(await call('GET', `/api/tracks/${encodeURIComponent(id)}`));
}

export async function jobs(): Promise<Job[]> {
  const found = await call('GET', '/api/jobs');
  const rows = Array.isArray(found) ? found : list(map(found)['jobs']);
  return rows.map((row) => asJob(row));
}

function asBatch(row: unknown): Batch {
  const found = map(row);
  return {
    id: text(found['id']),
    title: text(found['title']),
    status: text(found['status']),
    progress: number(found['progress']),
    total: number(found['total']),
    completed: number(found['completed']),
    failed: number(found['failed']),
    cancelled: number(found['cancelled']),
    running: number(found['running']),
  };
}

export const batches = async (): Promise<Batch[]> =>
  list(map(await call('GET', '/api/batches'))['batches']).map(asBatch);
/** Ask for the stems of many tracks as one. */
export const newBatch = async (trackIds: readonly string[], title: string): Promise<Batch> =>
  asBatch(await call('POST', '/api/batches', { track_ids: trackIds, title }));
export const moveBatch = async (id: string, how: BatchMove): Promise<Batch> =>
  asBatch(await call('POST', `/api/batches/${encodeURIComponent(id)}/${how}`, {}));

export async function engines(): Promise<Engine[]> {
  return list(map(await call('GET', '/api/engines'))['engines']).map((row) => {
    const found = map(row);
    const name = text(found['name']);
    const reason = found['available'] === false ? text(found['reason'], 'It cannot run on this machine.') : '';
    return { name, label: text(found['label'], name) || name, reason };
  });
}

/** Fetch a file. Raises ApiError, also where nobody answers. */
export async function file(path: string, stop?: AbortSignal): Promise<Response> {
  const answer = await fetch(path, { credentials: 'same-origin', ...(stop && { signal: stop }) }).catch((error: unknown) => {
    if (stop?.aborted) throw error;
    throw new ApiError(0, 'offline', 'The server cannot be reached.');
  });
  if (!answer.ok) throw errorOf(answer.status, await answer.json().catch(() => null));
  return answer;
}

export const waveform = async (id: string): Promise<ArrayBuffer> =>
  (await file(`/api/tracks/${encodeURIComponent(id)}/waveform`)).arrayBuffer();
export const stemShape = async (id: string): Promise<ArrayBuffer> =>
  (await file(`/api/stems/${encodeURIComponent(id)}/waveform`)).arrayBuffer();

/** A track that goes with another, and how well, 0 to 1. */
export interface Match {
  trackId: string;
  score: number;
  tempo: number;
  camelot: string;
  energy: number;
}

function asMatches(found: unknown): Match[] {
  return list(map(found)['matches']).map(map).map((row) => ({
    trackId: text(row['track_id']),
    score: number(row['score']),
    tempo: number(row['tempo']),
    camelot: text(row['camelot']),
    energy: number(row['energy']),
  }));
}

/** What goes with a track, or with what is playing where none is named, the best first. */
export const similar = async (trackId: string, limit = 12): Promise<Match[]> =>
  asMatches(await call('GET', trackId ? `/api/tracks/${encodeURIComponent(trackId)}/similar?limit=${limit}` : `/api/similar/now?limit=${limit}`));

/** What is drawn on a waveform: beats in seconds, the number of the first downbeat, memory points. */
export interface MarkList {
  beats: number[];
  origin: number;
  memory: number[];
}

export async function marks(id: string): Promise<MarkList> {
  const found = map(await call('GET', `/api/tracks/${encodeURIComponent(id)}/cues`));
  const grid = map(found['grid']);
  const memory = list(found['cues']).map(map).filter((cue) => cue['kind'] === 'memory');
  return {
    beats: list(grid['beats']).map(number),
    origin: number(grid['origin']),
    memory: memory.map((cue) => number(cue['position'])),
  };
}

/** What of a track's words is to change: fields left out stay, null empties. */
export interface TagChange {
  title?: string;
  artist?: string | null;
  album?: string | null;
  genre?: string | null;
  year?: number | null;
}

export const separate = (id: string, engine: string): Promise<unknown> =>
  call('POST', `/api/tracks/${encodeURIComponent(id)}/separate`, engine ? { engine } : {});
export const analyse = (id: string): Promise<unknown> =>
  call('POST', `/api/tracks/${encodeURIComponent(id)}/analyze`, {});
/** Edit a track's words; only what is named changes, null empties. */
export const changeTrack = async (id: string, change: TagChange): Promise<Track> =>
  asTrack(await call('PATCH', `/api/tracks/${encodeURIComponent(id)}`, change));
export const removeTrack = (id: string): Promise<unknown> => call('DELETE', `/api/tracks/${encodeURIComponent(id)}`);
/** Have the server bring in what a link leads to. */
export const bring = (url: string): Promise<unknown> => call('POST', '/api/links', { url });
export const cancelJob = (id: string): Promise<unknown> =>
  call('POST', `/api/jobs/${encodeURIComponent(id)}/cancel`, {});
export const retryJob = (id: string): Promise<unknown> => call('POST', `/api/jobs/${encodeURIComponent(id)}/retry`, {});
export async function recordings(): Promise<Recording[]> {
  return list(await call('GET', '/api/recordings')).map((row) => {
    const found = map(row);
    return {
      name: text(found['name']),
      length: typeof found['length'] === 'number' ? found['length'] : null,
      size: number(found['size']),
      tracks: found['tracks'] === true,
      recording: found['recording'] === true,
    };
  });
}

export const recordingLink = (name: string): string => `/api/recordings/${encodeURIComponent(name)}`;
/** What the track list of a recording is called. */
export const trackListOf = (name: string): string => name.replace(/\.[^.]*$/, '.cue');
export const removeRecording = (name: string): Promise<unknown> => call('DELETE', recordingLink(name));
export const judgePeer = (address: string, status: 'allowed' | 'blocked'): Promise<unknown> =>
  call('POST', '/api/peers', { address, status });
function asLan(row: unknown): Lan {
  const found = map(row);
  const texts = (name: string): string[] => list(found[name]).filter((one) => typeof one === 'string');
  return {
    open: found['open'] === true,
    addresses: texts('addresses'),
    oscPort: number(found['osc_port']),
    links: texts('links').filter((link) => link.startsWith('https://') || link.startsWith('http://')),
  };
}

export const lan = async (): Promise<Lan> => asLan(await call('GET', '/api/lan'));
/** Open or close the network; opening, or opening again, gives fresh links. */
export const setLan = async (open: boolean): Promise<Lan> => asLan(await call('POST', '/api/lan', { open }));
export const learn = (path: string): Promise<unknown> => call('POST', '/api/midi/learn', { path });
export const forgetLearn = (): Promise<unknown> => call('DELETE', '/api/midi/learn');

/** Send one file. `fetch` cannot tell how far an upload is, so this is the older way. */
export function upload(file: File, progress: (part: number) => void, aborted: AbortSignal): Promise<Track> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append('file', file, file.name);
    request.open('POST', '/api/tracks');
    request.responseType = 'json';
    request.upload.onprogress = (event) => {
      if (event.lengthComputable && event.total > 0) progress(event.loaded / event.total);
    };
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(asTrack(request.response));
      else {
        const error = errorOf(request.status, request.response);
        error.retryAfterS = Number(request.getResponseHeader('Retry-After')) || 0;
        reject(error);
      }
    };
    request.onerror = () => reject(new ApiError(0, 'offline', 'The connection broke while the file was on its way.'));
    request.onabort = () => reject(new ApiError(0, 'aborted', 'Stopped.'));
    aborted.addEventListener('abort', () => request.abort(), { once: true });
    request.send(form);
  });
}
