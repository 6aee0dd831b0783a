// The same for many, one after the other, as fast as the server allows. Pure but for the clock.

import { ApiError } from './api';

const MOST_WAIT_S = 60;

/** Do `action` for each; where the server wants a pause it gets one. Raises the first other fault. */
export async function each<Item>(
  items: readonly Item[],
  action: (item: Item) => Promise<unknown>,
  pause: (seconds: number) => Promise<unknown> = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000)),
): Promise<void> {
  for (const item of items) {
    for (;;) {
      try {
        await action(item);
        break;
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 429) throw error;
        await pause(Math.min(MOST_WAIT_S, Math.max(1, error.retryAfterS)));
      }
    }
  }
}
