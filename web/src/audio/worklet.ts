// Runs on the audio thread: blocks come in by the port, frames go out to the speakers, state goes back four times a second.

import { AudioRing } from './ring';

declare const sampleRate: number;
declare abstract class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

interface Block {
  frame: number;
  rate: number;
  pcm: Float32Array;
}

class Monitor extends AudioWorkletProcessor {
  readonly #ring = new AudioRing();
  #untilReport = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<Block>) => this.#ring.push(data.frame, data.rate, data.pcm);
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const left = outputs[0]?.[0];
    const right = outputs[0]?.[1] ?? left;
    if (left === undefined || right === undefined) return true;
    this.#ring.pull(left, right, sampleRate);
    this.#untilReport -= left.length;
    if (this.#untilReport <= 0) {
      this.#untilReport = sampleRate / 4;
      this.port.postMessage(this.#ring.state);
    }
    return true;
  }
}

registerProcessor('monitor', Monitor);
