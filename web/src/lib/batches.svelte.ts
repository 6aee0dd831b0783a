// Batches of jobs as this page shows them, newest first.

import type { BatchChangedMessage } from '../protocol';
import * as api from './api';
import type { Batch } from './api';

const OVER = new Set(['completed', 'failed', 'cancelled']);

export class Batches {
  all: Batch[] = $state.raw([]);

  /** How many are neither over nor paused. */
  get busy(): number {
    return this.all.filter((batch) => !OVER.has(batch.status) && batch.status !== 'paused').length;
  }

  isOver(batch: Batch): boolean {
    return OVER.has(batch.status);
  }

  async load(): Promise<void> {
    try {
      this.all = await api.batches();
    } catch {
      // the library's list says it already when the server cannot be reached
    }
  }

  hear(message: BatchChangedMessage): void {
    const { type: _, ...batch } = message;
    this.take(batch);
  }

  take(batch: Batch): void {
    const known = this.all.some((other) => other.id === batch.id);
    this.all = known ? this.all.map((other) => (other.id === batch.id ? batch : other)) : [batch, ...this.all];
  }
}
