import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TlsReader, uint, vector } from '../../../src/encoding/tls.ts';

describe('TLS presentation language', () => {
  test('integers of every size come back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), fc.nat(), (size, n) => {
        const value = n % 256 ** Math.min(size, 6);
        const bytes = uint(value, size);
        expect(bytes.length).toBe(size);
        expect(new TlsReader(bytes).uint(size)).toBe(value);
      }),
    );
  });

  test('a timestamp of eight bytes is big-endian', () => {
    expect(Buffer.from(uint(1790000000123, 8)).toString('hex')).toBe('000001a0c4506c7b');
  });

  test.each([
    [256, 1],
    [-1, 4],
    [2 ** 40, 5],
    [0.5, 2],
    [2 ** 53, 8],
  ])('%d does not fit %d bytes', (n, size) => {
    expect(() => uint(n, size)).toThrow(RangeError);
  });

  test('vectors come back and reads past the end throw', () => {
    const reader = new TlsReader(vector(Uint8Array.of(1, 2, 3), 2));
    expect([...reader.vector(2)]).toEqual([1, 2, 3]);
    expect(reader.done).toBe(true);
    expect(() => reader.bytes(1)).toThrow(RangeError);
    expect(() => new TlsReader(Uint8Array.of(0, 5, 1)).vector(2)).toThrow(RangeError);
  });
});
