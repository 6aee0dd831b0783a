import { expect, it } from 'vitest';
import { Renewal, type House } from '../src/lib/renewal.svelte';

const document_ = (script: string): string => `<script type="module" crossorigin src="${script}"></script>`;

function house(more: Partial<House> = {}): { renewal: Renewal; reloads: () => number } {
  let reloads = 0;
  const all: House = {
    ask: () => Promise.resolve(document_('/assets/index-b.js')),
    own: () => '/assets/index-a.js',
    busy: () => false,
    hidden: () => false,
    reload: () => (reloads += 1),
    ...more,
  };
  return { renewal: new Renewal(all), reloads: () => reloads };
}

it('takes another build where nobody is at work', async () => {
  const { renewal, reloads } = house();
  await renewal.look();
  expect([reloads(), renewal.waits]).toEqual([1, false]);
});

it('stays with its own build, with a document that is none, and without an answer', async () => {
  for (const ask of [
    () => Promise.resolve(document_('/assets/index-a.js')),
    () => Promise.resolve(''),
    () => Promise.resolve('<p>Log in first</p>'),
    () => Promise.reject(new Error('away')),
  ]) {
    const { renewal, reloads } = house({ ask });
    await renewal.look();
    expect([reloads(), renewal.waits]).toEqual([0, false]);
  }
});

it('never reloads a page that is developed', async () => {
  const { renewal, reloads } = house({ own: () => '/src/main.ts' });
  await renewal.look();
  expect(reloads()).toBe(0);
});

it('offers it to a hand at work and takes it when nobody looks', async () => {
  let [busy, hidden] = [true, false];
  const { renewal, reloads } = house({ busy: () => busy, hidden: () => hidden });
  await renewal.look();
  expect([reloads(), renewal.waits]).toEqual([0, true]);
  hidden = true;
  renewal.seen(); // hidden with something half typed
  expect(reloads()).toBe(0);
  busy = false;
  hidden = false;
  renewal.seen();
  expect(reloads()).toBe(0);
  hidden = true;
  renewal.seen();
  expect(reloads()).toBe(1);
});

it('comes when it is asked for', async () => {
  const { renewal, reloads } = house({ busy: () => true });
  await renewal.look();
  renewal.take();
  expect(reloads()).toBe(1);
});
