import { expect, test } from 'vitest';
import { hex } from '../../../src/encoding/bytes.ts';
import { nativeRandom } from '../../../src/node/system/native-random.ts';

test.each([0, 1, 20, 4095, 4096, 4097, 100_000])('%i bytes of their own', (length) => {
  const [a, b] = [nativeRandom(length), nativeRandom(length)];
  expect(a.length).toBe(length);
  expect(a.buffer).not.toBe(b.buffer);
  expect(a.byteLength).toBe(a.buffer.byteLength);
});

test('nothing comes twice, across many refills of the pool', () => {
  const seen = new Set(Array.from({ length: 10_000 }, () => hex(nativeRandom(20))));
  expect(seen.size).toBe(10_000);
});

test('every bit is set about half of the time', () => {
  const rounds = 4000;
  const counts = new Array<number>(160).fill(0);
  for (let i = 0; i < rounds; i++) {
    const bytes = nativeRandom(20);
    for (let bit = 0; bit < 160; bit++) {
      const set = ((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1;
      counts[bit] = (counts[bit] ?? 0) + set;
    }
  }
  // 10 standard deviations: a sound generator fails once in 10^20 runs.
  for (const count of counts) expect(Math.abs(count - rounds / 2)).toBeLessThan(10 * Math.sqrt(rounds / 4));
});
