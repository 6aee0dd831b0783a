// Where the master leaves the page. Two ways with one face: an audio worklet, and, where the page is not a secure context
// (http to another machine) and browsers offer none, short buffers laid end to end on the context's clock.

import { AudioRing, type RingState } from './ring';
import workletUrl from './worklet?worker&url';

export interface Outlet {
  readonly kind: 'worklet' | 'buffers';
  push(frame: number, rate: number, pcm: Float32Array<ArrayBuffer>): void;
  close(): Promise<void>;
}

type Report = (state: RingState) => void;

/** Open the speakers; call from a click, or browsers keep silent. Raises Error where this browser has no audio at all. */
export async function openOutlet(report: Report): Promise<Outlet> {
  if (typeof AudioContext === 'undefined') throw new Error('This browser cannot play sound from a page.');
  const context = new AudioContext({ latencyHint: 'interactive' });
  try {
    await context.resume();
    if ('audioWorklet' in context && window.isSecureContext) return await throughWorklet(context, report);
    return throughBuffers(context, report);
  } catch (error) {
    await context.close();
    throw error;
  }
}

async function throughWorklet(context: AudioContext, report: Report): Promise<Outlet> {
  await context.audioWorklet.addModule(workletUrl);
  const node = new AudioWorkletNode(context, 'monitor', { numberOfInputs: 0, outputChannelCount: [2] });
  node.port.onmessage = (event: MessageEvent<RingState>) => report(event.data);
  node.connect(context.destination);
  return {
    kind: 'worklet',
    push: (frame, rate, pcm) => node.port.postMessage({ frame, rate, pcm }, [pcm.buffer]),
    close: async () => {
      node.disconnect();
      await context.close();
    },
  };
}

/** Seconds laid out ahead of the context's clock, and the length of one piece. */
const AHEAD_S = 0.2;
const PIECE_S = 0.05;

function throughBuffers(context: AudioContext, report: Report): Outlet {
  const ring = new AudioRing();
  const frames = Math.round(context.sampleRate * PIECE_S);
  let nextFrame = 0;
  let sinceReport = 0;
  const lay = (): void => {
    const now = Math.ceil(context.currentTime * context.sampleRate);
    if (nextFrame < now) nextFrame = now + Math.round(context.sampleRate * 0.02);
    while (nextFrame < now + AHEAD_S * context.sampleRate) {
      const piece = context.createBuffer(2, frames, context.sampleRate);
      ring.pull(piece.getChannelData(0), piece.getChannelData(1), context.sampleRate);
      const source = context.createBufferSource();
      source.buffer = piece;
      source.connect(context.destination);
      source.start(nextFrame / context.sampleRate);
      nextFrame += frames;
    }
    sinceReport += 1;
    if (sinceReport % 10 === 0) report(ring.state);
  };
  const timer = window.setInterval(lay, 25);
  return {
    kind: 'buffers',
    push: (frame, rate, pcm) => ring.push(frame, rate, pcm),
    close: async () => {
      window.clearInterval(timer);
      await context.close();
    },
  };
}

/** The samples of an `audio` message as floats of their own (the message's bytes need not lie on a boundary of four). */
export function samples(pcm: Uint8Array): Float32Array<ArrayBuffer> {
  const copy = pcm.slice(0, pcm.byteLength - (pcm.byteLength % 8));
  return new Float32Array(copy.buffer as ArrayBuffer, 0, copy.byteLength / 4);
}
