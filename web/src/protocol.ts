// Generated from server/protocol.py by `python -m server.typescript`. Do not edit: a test fails when it is stale.

declare const unit: unique symbol;
type Branded<Name extends string> = number & { readonly [unit]?: Name };

export type Seconds = Branded<'Seconds'>;
export type Frames = Branded<'Frames'>;
export type Revision = Branded<'Revision'>;
export type Milliseconds = Branded<'Milliseconds'>;
export type Decibels = Branded<'Decibels'>;

/** Version both ends name in hello and welcome. */
export const PROTOCOL_VERSION = 1;

/** What a control holds. */
export type Value = boolean | number | string;

/** First message of a page. */
export interface HelloMessage {
  type: 'hello';
  protocol: number;
  client?: string;
}

/** Set a control, at once or at engine frame `at`. */
export interface SetMessage {
  type: 'set';
  path: string;
  value: Value;
  id?: number;
  at?: Frames | null;
}

/** Press a trigger. */
export interface TriggerMessage {
  type: 'trigger';
  path: string;
  id?: number;
  at?: Frames | null;
}

/** Choose what else to hear: any of `meters`, `jobs`, `audio`. Replaces the earlier choice. */
export interface SubscribeMessage {
  type: 'subscribe';
  topics: string[];
  id?: number;
}

/** Ask for a pong; `sent` is the page's clock and comes back untouched. */
export interface PingMessage {
  type: 'ping';
  sent: number;
  id?: number;
}

/** How the engine is; `device` names what plays, `rate` in Hz, `block` in frames. */
export interface EngineStatus {
  running: boolean;
  device: string;
  rate: number;
  block: number;
  load: number;
  late_blocks: number;
  latency_ms: Milliseconds;
}

/** The whole show: first answer to `hello`, and again whenever a slow page has missed changes. */
export interface WelcomeMessage {
  type: 'welcome';
  protocol: number;
  version: string;
  rev: Revision;
  controls: Record<string, Value>;
  engine: EngineStatus;
}

/** Controls that changed; sent to every page, the one that asked included. */
export interface StateMessage {
  type: 'state';
  rev: Revision;
  changes: Record<string, Value>;
}

/** One deck's telemetry. `stems` are peaks by stem name; `beat` counts from the first downbeat, `tempo` is in beats a minute (0 without a grid), `phase` in beats ahead of the leader; `loudness` is short-term, in LUFS. */
export interface DeckMeters {
  position: Seconds;
  rate: number;
  playing: boolean;
  level: number;
  stems: Record<string, number>;
  beat: number;
  tempo: number;
  phase: number;
  rms: number;
  loudness: number;
}

/** Telemetry, at most 30 a second. `frame` is the engine's clock; loudness of the master in LUFS; `step` is the sequencer's, from 1, 0 while it stands; `next_s` and `next_beats` are left until the setlist goes on, -1 where nobody knows; `input` is the peak of what the device hears. */
export interface MetersMessage {
  type: 'meters';
  frame: Frames;
  decks: DeckMeters[];
  master: number[];
  limiter_db: Decibels;
  engine: EngineStatus;
  master_rms: number[];
  loudness: number;
  momentary: number;
  recorded_s: number;
  step: number;
  next_s: number;
  next_beats: number;
  input: number;
}

/** A job moved. `progress` 0 to 100; `error` says what to do when it failed. */
export interface JobChangedMessage {
  type: 'job';
  id: string;
  kind: string;
  track_id: string;
  status: string;
  progress: number;
  stage: string;
  error: string | null;
}

/** A batch of jobs moved on. `progress` 0 to 100 of all of it; the counts are of jobs. */
export interface BatchChangedMessage {
  type: 'batch';
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

/** A track was added, changed or removed; `marks` where only its grid or its cues were set anew. */
export interface LibraryChangedMessage {
  type: 'library';
  track_id: string;
  change: string;
}

/** A playlist was made, renamed, filled, put in another order or removed. */
export interface PlaylistChangedMessage {
  type: 'playlist';
  playlist_id: string;
}

/** An OSC sender. `status` is waiting, allowed or blocked; `trouble` is flood, garbage or nothing. */
export interface Peer {
  address: string;
  status: string;
  messages: number;
  trouble: string;
}

/** An OSC sender knocked, was allowed, was blocked or went away. */
export interface PeersChangedMessage {
  type: 'peers';
  peers: Peer[];
}

/** MIDI learn: `path` waits for a control to be moved, or was mapped to `source` of `device`. */
export interface LearnChangedMessage {
  type: 'learn';
  path: string;
  state: string;
  device: string;
  source: string;
}

/** Where all stems of a track can be heard: stretches in seconds, in order, none touching another. */
export interface StemsReadyMessage {
  type: 'ready';
  track_id: string;
  ranges: [number, number][];
}

/** Something the performer should know. `level` is info, warning or error. */
export interface NoticeMessage {
  type: 'notice';
  level: string;
  code: string;
  message: string;
  path: string;
}

/** A message was refused and changed nothing; `answers` is its id. */
export interface ErrorMessage {
  type: 'error';
  code: string;
  message: string;
  answers: number;
  path: string;
}

/** Answer to a ping. `frame` is the engine's clock. */
export interface PongMessage {
  type: 'pong';
  sent: number;
  frame: Frames;
  id: number;
}

/** The master, for pages that listen. `pcm` is interleaved stereo float32, little-endian. */
export interface AudioBlockMessage {
  type: 'audio';
  frame: Frames;
  rate: number;
  pcm: Uint8Array;
}

export type ClientMessage =
  | HelloMessage
  | SetMessage
  | TriggerMessage
  | SubscribeMessage
  | PingMessage;

export type ServerMessage =
  | WelcomeMessage
  | StateMessage
  | MetersMessage
  | JobChangedMessage
  | BatchChangedMessage
  | LibraryChangedMessage
  | PlaylistChangedMessage
  | PeersChangedMessage
  | LearnChangedMessage
  | StemsReadyMessage
  | NoticeMessage
  | ErrorMessage
  | PongMessage
  | AudioBlockMessage;

/** What each message of the server must carry, checked before the page believes it. */
const SERVER_SHAPES: Record<ServerMessage['type'], Record<string, Shape>> = {
  welcome: { protocol: 'number', version: 'string', rev: 'number', controls: 'map', engine: 'map' },
  state: { rev: 'number', changes: 'map' },
  meters: { frame: 'number', decks: 'list', master: 'list', limiter_db: 'number', engine: 'map', master_rms: 'list', loudness: 'number', momentary: 'number', recorded_s: 'number', step: 'number', next_s: 'number', next_beats: 'number', input: 'number' },
  job: { id: 'string', kind: 'string', track_id: 'string', status: 'string', progress: 'number', stage: 'string', error: 'any' },
  batch: { id: 'string', title: 'string', status: 'string', progress: 'number', total: 'number', completed: 'number', failed: 'number', cancelled: 'number', running: 'number' },
  library: { track_id: 'string', change: 'string' },
  playlist: { playlist_id: 'string' },
  peers: { peers: 'list' },
  learn: { path: 'string', state: 'string', device: 'string', source: 'string' },
  ready: { track_id: 'string', ranges: 'list' },
  notice: { level: 'string', code: 'string', message: 'string', path: 'string' },
  error: { code: 'string', message: 'string', answers: 'number', path: 'string' },
  pong: { sent: 'number', frame: 'number', id: 'number' },
  audio: { frame: 'number', rate: 'number', pcm: 'bytes' },
};

export type Shape = 'number' | 'string' | 'boolean' | 'bytes' | 'list' | 'map' | 'any';

/** Whether `value` has the shape that a field of a message asks for. */
function fits(value: unknown, wanted: Shape): boolean {
  switch (wanted) {
    case 'any':
      return true;
    case 'bytes':
      return value instanceof Uint8Array;
    case 'list':
      return Array.isArray(value);
    case 'map':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    default:
      return typeof value === wanted;
  }
}

/** Return `data` as a message of the server, or null where it is none this page knows. Unknown fields are ignored. */
export function asServerMessage(data: unknown): ServerMessage | null {
  if (typeof data !== 'object' || data === null) return null;
  const message = data as Record<string, unknown>;
  const type = message['type'];
  if (typeof type !== 'string' || !Object.hasOwn(SERVER_SHAPES, type)) return null;
  const fields = SERVER_SHAPES[type as ServerMessage['type']];
  for (const [name, wanted] of Object.entries(fields)) {
    if (!fits(message[name], wanted)) return null;
  }
  return data as ServerMessage;
}
