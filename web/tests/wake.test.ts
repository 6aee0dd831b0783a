import { beforeEach, expect, it } from 'vitest';
import { Wake, type Screen } from '../src/lib/wake.svelte';

/** A screen that counts its locks. */
class FakeScreen implements Screen {
  locks: FakeLock[] = [];
  refuses = false;
  isHidden = false;
  waiting: (() => void)[] = [];
  readonly #watchers = new Set<() => void>();

  request: Screen['request'] = async () => {
    if (this.refuses) throw new Error('battery');
    await new Promise<void>((go) => this.waiting.push(go));
    const lock = new FakeLock();
    this.locks.push(lock);
    return lock;
  };

  hidden = (): boolean => this.isHidden;

  watch = (task: () => void): (() => void) => {
    this.#watchers.add(task);
    return () => this.#watchers.delete(task);
  };

  show(seen: boolean): void {
    this.isHidden = !seen;
    if (!seen) for (const lock of this.locks) lock.lose();
    for (const task of this.#watchers) task();
  }

  get on(): number {
    return this.locks.filter((lock) => lock.held).length;
  }
}

class FakeLock extends EventTarget {
  held = true;

  async release(): Promise<undefined> {
    this.lose();
    return undefined;
  }

  lose(): void {
    if (!this.held) return;
    this.held = false;
    this.dispatchEvent(new Event('release'));
  }
}

let screen: FakeScreen;
let wake: Wake;

async function settle(): Promise<void> {
  for (let turn = 0; turn < 6; turn += 1) {
    for (const go of screen.waiting.splice(0)) go();
    await Promise.resolve();
    await Promise.resolve();
  }
}

beforeEach(() => {
  screen = new FakeScreen();
  wake = new Wake(screen);
});

it('holds one lock while somebody looks, and lets go of it', async () => {
  const [first, second] = [wake.hold(), wake.hold()];
  await settle();
  expect(screen.on).toBe(1);
  first();
  first();
  expect(screen.on).toBe(1);
  second();
  expect(screen.on).toBe(0);
});

it('takes it again when the page is seen again', async () => {
  wake.hold();
  await settle();
  screen.show(false);
  await settle();
  expect(screen.on).toBe(0);
  screen.show(true);
  await settle();
  expect(screen.on).toBe(1);
  expect(wake.trouble).toBe(false);
});

it('keeps no lock that comes after the stage was left', async () => {
  const forget = wake.hold();
  forget();
  await settle();
  expect(screen.locks.length).toBe(1);
  expect(screen.on).toBe(0);
});

it('asks once more where the browser takes it away, then says so', async () => {
  wake.hold();
  await settle();
  screen.locks[0]?.lose();
  await settle();
  expect([screen.on, wake.trouble]).toEqual([1, false]);
  screen.locks[1]?.lose();
  await settle();
  expect([screen.on, wake.trouble]).toEqual([0, true]);
});

it('says where there is none or it is refused, until nobody looks', async () => {
  screen.refuses = true;
  const forget = wake.hold();
  await settle();
  expect(wake.trouble).toBe(true);
  forget();
  expect(wake.trouble).toBe(false);
  screen.request = undefined;
  wake.hold();
  await settle();
  expect(wake.trouble).toBe(true);
});
