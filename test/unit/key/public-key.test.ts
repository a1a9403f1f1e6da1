import { createPublicKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { concat, unsigned } from '../../../src/encoding/bytes.ts';
import { bitString, readAll, readOnly, sequence, TAG, unsignedInteger } from '../../../src/encoding/der.ts';
import { encodePem } from '../../../src/encoding/pem.ts';
import { CURVES, type CurveName } from '../../../src/key/curve.ts';
import { parsePublicKey } from '../../../src/key/public-key.ts';
import { ACCEPTED, type Kind, keyPair, pemOf, spkiOf } from '../../vectors/key-pairs.ts';
import { problemOf } from '../../vectors/key-problem.ts';

const UNPARSEABLE = ['public_key_invalid', 'The public key supplied in the request could not be parsed'];
const INSECURE = ['key_rejected', 'The public key supplied in the request is insecure'];

const refusal = (content: string | Uint8Array) => problemOf(() => parsePublicKey(content));
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe.each(ACCEPTED)('a %s key', (kind) => {
  const { publicKey } = keyPair(kind);
  const pem = pemOf(kind);
  const spki = spkiOf(kind);

  test('reads the same from PEM text, PEM bytes and DER, and keeps its bytes', () => {
    for (const content of [pem, bytes(pem), spki, Buffer.concat([spki]).subarray()]) {
      const key = parsePublicKey(content);
      expect(key.spki).toEqual(spki);
      expect(key).toEqual(parsePublicKey(pem));
    }
  });

  test('shows what node:crypto sees in it', () => {
    const key = parsePublicKey(pem);
    const jwk = publicKey.export({ format: 'jwk' });
    const part = (name: 'x' | 'y' | 'n' | 'e'): Buffer => Buffer.from(jwk[name] ?? '', 'base64url');
    expect(key).toMatchObject(
      key.type === 'rsa'
        ? { bits: Number(kind.split('-')[1]), modulus: view(part('n')), exponent: view(part('e')) }
        : key.type === 'ecdsa'
          ? { curve: kind, point: concat(Uint8Array.of(4), part('x'), part('y')) }
          : { type: 'ed25519', point: view(part('x')) },
    );
  });

  test('does not share memory with the request', () => {
    const sent = spki.slice();
    const key = parsePublicKey(sent);
    sent.fill(0);
    expect(key.spki).toEqual(spki);
  });

  test('reads with other text around, CRLF, and no final newline', () => {
    for (const text of [
      `Bag Attributes\n${pem}trailing`,
      pem.replaceAll('\n', '\r\n'),
      pem.trimEnd(),
      `\n\n ${pem}`,
    ])
      expect(parsePublicKey(text).spki).toEqual(spki);
  });
});

const view = (buffer: Buffer): Uint8Array => new Uint8Array(buffer);

test('the first PEM block counts', async () => {
  expect(parsePublicKey(pemOf('P-256') + pemOf('P-384')).spki).toEqual(spkiOf('P-256'));
  expect(await refusal(encodePem('CERTIFICATE', spkiOf('P-256')) + pemOf('P-256'))).toEqual(UNPARSEABLE);
});

test.each(['RSA-2048', 'RSA-3072', 'RSA-4096'] as const)(
  'PKCS#1 of %s becomes SubjectPublicKeyInfo',
  (kind) => {
    const pem = keyPair(kind).publicKey.export({ format: 'pem', type: 'pkcs1' }).toString();
    expect(pem).toContain('RSA PUBLIC KEY');
    expect(parsePublicKey(pem)).toEqual(parsePublicKey(spkiOf(kind)));
  },
);

test.each([
  ['modulus', [0], [1, 0, 1]],
  ['exponent', [0x7f], [0]],
])('a %s of 0 could not be parsed', async (_, n, e) => {
  const pkcs1 = sequence(...[n, e].map((magnitude) => unsignedInteger(Uint8Array.from(magnitude))));
  expect(await refusal(encodePem('RSA PUBLIC KEY', pkcs1))).toEqual(UNPARSEABLE);
});

test.each(['DSA', 'X25519', 'P-224'] as const)('%s is insecure', async (kind) => {
  for (const content of [pemOf(kind), bytes(pemOf(kind)), spkiOf(kind)])
    expect(await refusal(content)).toEqual(INSECURE);
});

test.each(['Ed448', 'X448', 'secp256k1', 'brainpoolP256r1', 'RSA-PSS'] satisfies Kind[])(
  '%s could not be parsed',
  async (kind) => {
    for (const content of [pemOf(kind), bytes(pemOf(kind)), spkiOf(kind)])
      expect(await refusal(content)).toEqual(UNPARSEABLE);
  },
);

describe('could not be parsed', () => {
  test.each([
    'EC PUBLIC KEY',
    'ECDSA PUBLIC KEY',
    'DSA PUBLIC KEY',
    'CERTIFICATE',
    'PRIVATE KEY',
    'RSA PUBLIC KEY',
    'public key',
  ])('SubjectPublicKeyInfo labelled %s', async (label) => {
    expect(await refusal(encodePem(label, spkiOf('P-256')))).toEqual(UNPARSEABLE);
    expect(await refusal(bytes(encodePem(label, spkiOf('P-256'))))).toEqual(UNPARSEABLE);
  });

  test('PKCS#1 labelled PUBLIC KEY', async () => {
    const pkcs1 = keyPair('RSA-2048').publicKey.export({ format: 'der', type: 'pkcs1' });
    expect(await refusal(encodePem('PUBLIC KEY', pkcs1))).toEqual(UNPARSEABLE);
  });

  test.each([
    ['nothing', ''],
    ['no bytes', new Uint8Array()],
    ['prose', 'not a key'],
    ['a key cut short', pemOf('P-256').slice(0, 100)],
    ['base64 of DER as text', Buffer.from(spkiOf('P-256')).toString('base64')],
    ['DER as text', Buffer.from(spkiOf('Ed25519')).toString('latin1')],
    ['an empty block', encodePem('PUBLIC KEY', new Uint8Array())],
    ['an SSH key', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJd'],
  ])('%s', async (_, content) => {
    expect(await refusal(content)).toEqual(UNPARSEABLE);
  });
});

describe('strict about DER', () => {
  const spki = spkiOf('P-256');
  const rsa = spkiOf('RSA-2048');
  const edit = (der: Uint8Array, at: number, ...put: number[]): Uint8Array => {
    const out = der.slice();
    out.set(put, at);
    return out;
  };

  test.each([
    ['trailing byte', concat(spki, Uint8Array.of(0))],
    ['one byte short', spki.subarray(0, -1)],
    ['length of two bytes where one does', concat(Uint8Array.of(0x30, 0x81, 0x59), spki.subarray(2))],
    ['indefinite length', concat(Uint8Array.of(0x30, 0x80), spki.subarray(2), Uint8Array.of(0, 0))],
    ['SET for SEQUENCE', edit(spki, 0, 0x31)],
    ['BIT STRING with unused bits', edit(spki, 25, 1)],
    ['OCTET STRING for BIT STRING', edit(spki, 23, 4)],
    ['curve not named by an identifier', edit(spki, 13, 4)],
    ['third field', concat(edit(spki, 1, 0x5b), Uint8Array.of(5, 0))],
    [
      'RSA without NULL',
      concat(Uint8Array.of(0x30, 0x82, 1, 32, 0x30, 11), rsa.subarray(6, 17), rsa.subarray(19)),
    ],
    ['RSA with another tag for NULL', edit(rsa, 17, 4)],
    ['negative modulus', edit(rsa, 32, 0x80)],
    ['modulus with a needless zero', edit(rsa, 33, 0x7f)],
    ['exponent 0', edit(rsa, rsa.length - 5, 2, 3, 0, 0, 0)],
    [
      'Ed25519 of 31 bytes',
      edit(spkiOf('Ed25519').subarray(0, -1), 1, 41, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 32),
    ],
    [
      'Ed25519 with parameters',
      concat(Uint8Array.of(0x30, 44, 0x30, 7, 6, 3, 0x2b, 0x65, 0x70, 5, 0), spkiOf('Ed25519').subarray(9)),
    ],
  ])('%s', async (_, der) => {
    expect(await refusal(der)).toEqual(UNPARSEABLE);
  });

  test('a modulus of 48 KiB is read, and left to the strength policy', () => {
    const big = parsePublicKey(
      encodePem(
        'RSA PUBLIC KEY',
        concat(
          Uint8Array.of(0x30, 0x82, 0xc0, 0x09, 2, 0x82, 0xc0, 0),
          new Uint8Array(0xc000).fill(0x7f),
          Uint8Array.of(2, 3, 1, 0, 1),
        ),
      ),
    );
    expect(big).toMatchObject({ type: 'rsa', bits: 8 * 0xc000 - 1 });
  });
});

describe.each(Object.keys(CURVES) as CurveName[])('a point for %s', (curve) => {
  const { size, p } = CURVES[curve];
  const spki = spkiOf(curve);
  const point = spki.subarray(-1 - 2 * size);
  const x = unsigned(point.subarray(1, 1 + size));
  const y = unsigned(point.subarray(1 + size));
  const field = (n: bigint): Uint8Array =>
    Buffer.from(
      n
        .toString(16)
        .padStart(2 * size, '0')
        .slice(-2 * size),
      'hex',
    );
  const [algorithm] = readAll(readOnly(spki, TAG.sequence).content);
  const withPoint = (...parts: Uint8Array[]): Uint8Array =>
    sequence(algorithm?.raw ?? spki, bitString(concat(...parts)));
  const four = Uint8Array.of(4);

  test('is accepted with either y', () => {
    expect(withPoint(point)).toEqual(spki);
    expect(parsePublicKey(withPoint(four, field(x), field(y)))).toMatchObject({ curve });
    expect(parsePublicKey(withPoint(four, field(x), field(p - y)))).toMatchObject({ curve });
  });

  test.each([
    ['beside the curve, in y', withPoint(four, field(x), field(y ^ 1n))],
    ['beside the curve, in x', withPoint(four, field(x ^ 1n), field(y))],
    ['(0, 0)', withPoint(four, field(0n), field(0n))],
    ['x out of range', withPoint(four, field(p), field(y))],
    ['y out of range', withPoint(four, field(x), field(p))],
    ['x + p, where the field has room', withPoint(four, field(x + p), field(y))],
    ['hybrid form', withPoint(Uint8Array.of(6 | Number(y & 1n)), field(x), field(y))],
    ['another form', withPoint(Uint8Array.of(5), field(x), field(y))],
    ['compressed, of full length', withPoint(Uint8Array.of(2 | Number(y & 1n)), field(x), field(0n))],
    ['one byte short', withPoint(four, field(x), field(y).subarray(1))],
  ])('is refused: %s', async (_, der) => {
    expect(await refusal(der)).toEqual(UNPARSEABLE);
  });

  test('is refused compressed and at infinity', async () => {
    const compressed = withPoint(Uint8Array.of(2 | Number(y & 1n)), field(x));
    expect(
      createPublicKey({ key: Buffer.from(compressed), format: 'der', type: 'spki' }).asymmetricKeyType,
    ).toBe('ec');
    expect(await refusal(compressed)).toEqual(UNPARSEABLE);
    expect(await refusal(withPoint(Uint8Array.of(0)))).toEqual(UNPARSEABLE);
  });
});
