// MIDI as the server sees it: ports, mappings, what was heard last.

import { call, list, map, number, text } from './api';

export interface MidiPort {
  name: string;
  device: string;
  ident: string;
  isInput: boolean;
  status: string;
  trouble: string;
  messages: number;
  shows: boolean;
  hear: boolean;
  output: string;
  mapping: string;
  layers: string[];
}

export interface MidiOverview {
  ports: MidiPort[];
  mappings: string[];
  undo: string;
}

export interface MidiLine {
  source: string;
  path: string;
  mode: string;
  on: string;
  layer: string;
  note: string;
}

export interface MidiTable {
  name: string;
  builtin: boolean;
  lines: MidiLine[];
  absent: { source: string; path: string }[];
  file: string;
}

export interface MidiHeard {
  number: number;
  device: string;
  text: string;
  moved: string;
}

function asPort(row: unknown): MidiPort {
  const found = map(row);
  return {
    name: text(found['name']),
    device: text(found['device']),
    ident: text(found['ident']),
    isInput: found['is_input'] === true,
    status: text(found['error']) || text(found['status']),
    trouble: text(found['trouble']),
    messages: number(found['messages']),
    shows: found['shows'] === true,
    hear: found['hear'] !== false,
    output: text(found['output']),
    mapping: text(found['mapping']),
    layers: list(found['layers']).map((layer) => text(layer)),
  };
}

export async function overview(): Promise<MidiOverview> {
  const found = map(await call('GET', '/api/midi'));
  return {
    ports: list(found['ports']).map(asPort),
    mappings: list(found['mappings']).map((name) => text(name)),
    undo: text(found['undo']),
  };
}

export async function table(name: string): Promise<MidiTable> {
  const found = map(await call('GET', `/api/midi/mapping?name=${encodeURIComponent(name)}`));
  return {
    name: text(found['name']),
    builtin: found['builtin'] === true,
    file: text(found['text']),
    lines: list(found['lines']).map((row) => {
      const line = map(row);
      return {
        source: text(line['source']),
        path: text(line['path']),
        mode: text(line['mode']),
        on: text(line['on'], 'press'),
        layer: text(line['layer']),
        note: text(line['note']),
      };
    }),
    absent: list(found['absent']).map((row) => ({ source: text(map(row)['source']), path: text(map(row)['path']) })),
  };
}

export async function heard(after: number): Promise<MidiHeard[]> {
  return list(await call('GET', `/api/midi/heard?after=${after}`)).map((row) => {
    const found = map(row);
    const moved = list(found['moved']).map((one) => {
      const value = map(one)['value'];
      return `${text(map(one)['path'])} ${typeof value === 'number' ? Number(value.toFixed(3)) : String(value)}`;
    });
    return {
      number: number(found['number']),
      device: text(found['device']),
      text: text(found['text']),
      moved: found['learned'] === true ? 'learning' : moved.join(', '),
    };
  });
}

/** Take in a mapping file, ours or one of Mixxx; returns what became of it, in sentences. */
export async function take(file: string, content: string): Promise<string[]> {
  const found = map(await call('POST', '/api/midi/mapping', { file, text: content }));
  return list(found['report']).map((line) => text(line));
}

export const forget = (port: string, line: MidiLine): Promise<unknown> =>
  call('POST', '/api/midi/forget', { port, source: line.source, path: line.path, on: line.on, layer: line.layer });
export const undo = (): Promise<unknown> => call('POST', '/api/midi/undo', {});
export const choose = (device: string, hear: boolean, output: string): Promise<unknown> =>
  call('POST', '/api/midi/port', { device, hear, output });
