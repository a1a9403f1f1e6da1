import * as asn1js from 'asn1js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as der from '../../../src/encoding/der.ts';

const fromAsn1 = (schema: asn1js.BaseBlock): Uint8Array => new Uint8Array(schema.toBER());
const raw = (b: Uint8Array): ArrayBuffer => Uint8Array.from(b).buffer;

describe('writing, checked against asn1js', () => {
  test.each([0, 1, 126, 127, 128, 129, 255, 256, 257, 65535, 65536, 70000])('a length of %i', (n) => {
    const content = new Uint8Array(n).fill(7);
    const written = der.octetString(content);
    expect(Buffer.from(written)).toEqual(
      Buffer.from(fromAsn1(new asn1js.OctetString({ valueHex: raw(content) }))),
    );
    expect(written.length).toBe(der.elementSize(n));
    expect(Buffer.from(der.readOnly(written, der.TAG.octetString).content)).toEqual(Buffer.from(content));
  });

  test.each([
    '2.5.29.15',
    '1.3.6.1.4.1.57264.1.24',
    '1.2.840.113549.1.1.11',
    '2.999.3',
    '0.9.2342',
    '2.16.840.1.101.3.4.2.1',
  ])('object identifier %s', (dotted) => {
    const written = der.objectIdentifier(dotted);
    expect(Buffer.from(written)).toEqual(
      Buffer.from(fromAsn1(new asn1js.ObjectIdentifier({ value: dotted }))),
    );
    expect(der.oidOf(der.readOnly(written, der.TAG.oid).content)).toBe(dotted);
  });

  test('unsigned integers are minimal', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 40 }), (magnitude) => {
        const written = der.readOnly(der.unsignedInteger(magnitude), der.TAG.integer).content;
        const value = BigInt(`0x0${Buffer.from(magnitude).toString('hex')}`);
        expect(BigInt(`0x${Buffer.from(written).toString('hex')}`)).toBe(value);
        expect((written[0] ?? 0) < 0x80).toBe(true);
        if (written.length > 1) expect(written[0] !== 0 || (written[1] ?? 0) >= 0x80).toBe(true);
      }),
    );
  });

  test.each([
    [0, 0x17, '700101000000Z'],
    [2524607999, 0x17, '491231235959Z'],
    [2524608000, 0x18, '20500101000000Z'],
    [1790000000, 0x17, '260921141320Z'],
  ])('time %i', (seconds, tag, text) => {
    const { tag: found, content } = der.readElement(der.time(seconds));
    expect([found, Buffer.from(content).toString()]).toEqual([tag, text]);
  });
});

describe('reading', () => {
  const malformed: [string, number[]][] = [
    ['nothing', []],
    ['a tag alone', [0x30]],
    ['indefinite length', [0x30, 0x80, 0, 0]],
    ['long form where short fits', [0x04, 0x81, 0x01, 0x00]],
    ['leading zero in the length', [0x04, 0x82, 0x00, 0x80, ...new Array<number>(128).fill(0)]],
    ['content past the end', [0x04, 0x03, 1, 2]],
    ['multi-byte tag', [0x1f, 0x81, 0x01, 0x00]],
    ['five length bytes', [0x04, 0x85, 0, 0, 0, 0, 1, 0]],
  ];
  test.each(malformed)('refuses %s', (_, bytes) => {
    expect(() => der.readElement(Uint8Array.from(bytes))).toThrow(der.DerError);
  });

  test('refuses trailing bytes and other tags', () => {
    expect(() => der.readOnly(Uint8Array.of(0x05, 0x00, 0x00), der.TAG.null)).toThrow(/trailing/);
    expect(() => der.readOnly(Uint8Array.of(0x05, 0x00), der.TAG.sequence)).toThrow(/tag/);
  });

  test('arbitrary bytes give elements or a DerError, and elements lie inside', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        try {
          const all = der.readAll(bytes);
          expect(all.reduce((sum, e) => sum + e.raw.length, 0)).toBe(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(der.DerError);
        }
      }),
    );
  });

  test.each([[[]], [[0x80]], [[0x2a, 0x80, 0x01]], [[0x2a, 0x86]]])(
    'refuses object identifier %j',
    (content) => {
      expect(() => der.oidOf(Uint8Array.from(content))).toThrow(der.DerError);
    },
  );
});
