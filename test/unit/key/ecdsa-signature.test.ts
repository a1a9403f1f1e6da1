import { describe, expect, test } from 'vitest';
import { fromHex, hex } from '../../../src/encoding/bytes.ts';
import { eitherToDer, toDer, toP1363 } from '../../../src/key/ecdsa-signature.ts';

const either = (text: string): string | undefined => {
  const der = eitherToDer(fromHex(text));
  return der === undefined ? undefined : hex(der);
};

describe('DER from r || s', () => {
  test.each([
    ['01020304', '3008020201020202 0304'],
    ['00010002', '3006020101020102'],
    ['80008001', '300a0203008000 0203008001'],
    ['007f0080', '300702017f 02020080'],
    ['00000000', '3006020100020100'],
  ])('%s', (p1363, der) => {
    expect(hex(toDer(fromHex(p1363)))).toBe(der.replaceAll(' ', ''));
  });
});

describe('r || s from DER', () => {
  test.each([
    ['3006020101020102', '00010002'],
    ['300802020080 02020081', '00800081'],
    ['3008020301 0000 020101', undefined], // r of three bytes
    ['3006020100020100', '00000000'],
  ])('%s', (der, p1363) => {
    const found = toP1363(fromHex(der.replaceAll(' ', '')), 2);
    expect(found === undefined ? undefined : hex(found)).toBe(p1363);
  });

  test.each([
    ['empty', ''],
    ['trailing byte', '300602010102010200'],
    ['third integer', '3009020101020102020103'],
    ['one integer', '3003020101'],
    ['negative', '3006020181020102'],
    ['needless zero', '300702020001020102'],
    ['empty integer', '30050200020102'],
    ['long length', '308106020101020102'],
    ['indefinite length', '3080020101020102 0000'],
    ['another tag', '3106020101020102'],
    ['another inner tag', '3006030101020102'],
    ['cut short', '30060201010201'],
  ])('none: %s', (_, der) => {
    expect(toP1363(fromHex(der.replaceAll(' ', '')), 2)).toBeUndefined();
  });
});

describe('the choice of the encoding', () => {
  test('a DER pair stays as it is', () => {
    expect(either('3006020101020102')).toBe('3006020101020102');
  });

  test.each([
    ['bytes after the sequence', '30060201010201020000'],
    ['bytes after the pair', '3008020101020102 0500'],
    ['a negative integer', '3006020181020102'],
  ])('what begins as a DER pair is not tried as r || s: %s', (_, signature) => {
    expect(signature.replaceAll(' ', '').length % 4).toBe(0); // an even number of bytes
    expect(either(signature.replaceAll(' ', ''))).toBeUndefined();
  });

  test.each([
    ['a length beyond its end', '3007020101020102'],
    ['a needless zero', '3008020200010202 0002'],
    ['a needless 0xff', '30080202ff8102020102'],
    ['a second element of another kind', '3006020201010500'],
    ['another outer tag', '3106020101020102'],
  ])('what does not begin so is r || s: %s', (_, signature) => {
    const raw = fromHex(signature.replaceAll(' ', ''));
    expect(eitherToDer(raw)).toEqual(toDer(raw));
  });

  test.each([2, 4, 62, 64, 66, 96, 130, 132])('%i bytes are split in the middle', (length) => {
    const raw = new Uint8Array(length).fill(0x11);
    const der = eitherToDer(raw);
    expect(der && toP1363(der, length / 2)).toEqual(raw);
  });

  test.each([0, 1, 63, 65, 131, 133, 134, 1000])('%i bytes are no signature', (length) => {
    expect(eitherToDer(new Uint8Array(length).fill(0x11))).toBeUndefined();
  });
});
