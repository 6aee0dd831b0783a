import { describe, expect, it } from 'vitest';
import { qr } from '../src/lib/qr';

async function digest(text: string): Promise<string> {
  const lines = (qr(text) ?? []).map((row) => row.map((dark) => (dark ? '1' : '0')).join('')).join('\n');
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(lines));
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

describe('qr', () => {
  // Both codes were read back by an independent decoder (ZXing) when this was written.
  it.each([
    [
      'https://192.168.1.5:4443/?token=abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ',
      37,
      'fdab978a25929912433f3b09f47699bdf757ad5d5300d119c423399f0ae3d8a5',
    ],
    ['v'.repeat(213), 57, 'fab98ac44d7635fe41cd35c6173651bc4e17e38fee7cd944182d63038340fc6c'],
  ])('draws what a reader reads', async (text, size, hash) => {
    expect(qr(text)?.length).toBe(size);
    expect(await digest(text)).toBe(hash);
  });

  it('says when a text is too long', () => {
    expect(qr('v'.repeat(214))).toBeNull();
  });
});
