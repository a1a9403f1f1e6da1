import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  allocate,
  base64,
  base64url,
  concat,
  equal,
  fromBase64,
  fromBase64Url,
  fromHex,
  fromUtf8,
  hex,
  unsigned,
  utf8,
  utf8Size,
  writeUtf8,
} from '../../../src/encoding/bytes.ts';

const bytes = fc.uint8Array({ maxLength: 300 }).map((b) => Uint8Array.from(b));

describe('text forms of bytes', () => {
  test('agree with Buffer in both directions', () => {
    fc.assert(
      fc.property(bytes, (b) => {
        const buffer = Buffer.from(b);
        expect(base64(b)).toBe(buffer.toString('base64'));
        expect(base64url(b)).toBe(buffer.toString('base64url'));
        expect(hex(b)).toBe(buffer.toString('hex'));
        for (const text of [base64(b), base64url(b), base64(b).replace(/=+$/, '')]) {
          expect(fromBase64(text)).toEqual(b);
        }
        expect(fromBase64Url(base64url(b))).toEqual(b);
        expect(fromHex(hex(b))).toEqual(b);
      }),
    );
  });

  test.each(['a', 'ab=', 'a===', '=', 'ab c', 'ab\n', 'äb', '+-/_=='])('refuses %j as base64', (text) => {
    expect(fromBase64(text)).toBeUndefined();
  });

  test.each(['a', 'ab=', '+-', 'a/b', 'ab c', 'ab\n', 'äb', 'abcde'])('refuses %j as base64url', (text) => {
    expect(() => fromBase64Url(text)).toThrow();
  });

  test('reads and writes UTF-8 strictly', () => {
    expect(fromUtf8(utf8('é✓\u{1f980}'))).toBe('é✓\u{1f980}');
    expect(() => fromUtf8(Uint8Array.of(0xc0, 0x80))).toThrow(TypeError);
  });
});

test('UTF-8 sizes and bytes agree with Buffer, surrogate halves included', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((u) => String.fromCharCode(u)) }),
  );
  fc.assert(
    fc.property(text, fc.nat(5), (value, offset) => {
      const expected = Buffer.from(value, 'utf8');
      expect(utf8Size(value)).toBe(expected.length);
      const out = new Uint8Array(offset + expected.length);
      expect(writeUtf8(out, offset, value)).toBe(out.length);
      expect(Buffer.from(out.subarray(offset))).toEqual(expected);
    }),
  );
});

test('concat and equal agree with Buffer', () => {
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 5 }), (parts) => {
      const joined = concat(...parts);
      expect(Buffer.from(joined)).toEqual(Buffer.concat(parts));
      expect(equal(joined, Uint8Array.from(joined))).toBe(true);
      if (joined.length > 0) {
        const changed = Uint8Array.from(joined);
        changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
        expect(equal(joined, changed)).toBe(false);
      }
    }),
  );
});

describe('arrays that share a block', () => {
  test('are zeroed, of the length asked for, and never overlap', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9000 }), { maxLength: 60 }), (lengths) => {
        const arrays = lengths.map((length, i) => {
          const array = allocate(length);
          expect(array.length).toBe(length);
          expect(array.every((byte) => byte === 0)).toBe(true);
          return array.fill((i % 255) + 1);
        });
        for (const [i, array] of arrays.entries())
          expect(array.every((byte) => byte === (i % 255) + 1)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  test('read numbers where they begin, not where their block does', () => {
    allocate(100);
    const array = allocate(100);
    array[99] = 7;
    expect(unsigned(array)).toBe(7n);
  });
});
