import { expect, it } from 'vitest';
import { SHORTCUTS } from '../src/lib/shortcuts';

it('gives no key to two deeds', () => {
  const keys = SHORTCUTS.map((one) => one.key);
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys.every((key) => key === key.toLowerCase() && key.length === 1)).toBe(true);
});
