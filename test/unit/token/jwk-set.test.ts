import { expect, it } from 'vitest';
import { JwkSet } from '../../../src/token/jwk-set.ts';
import { newSigningKey } from '../../fakes/issuer.ts';

const { jwk: ec } = await newSigningKey('ES256', 'ec');
const { jwk: ed } = await newSigningKey('EdDSA', 'ed');
const { jwk: rsa } = await newSigningKey('RS256', 'rsa');
const bare = { ...rsa, alg: undefined };

it.each([
  [
    [ec, ed, rsa],
    ['RS256', 'ES256', 'EdDSA', 'Ed25519'],
  ],
  [[{ ...rsa, alg: 'PS384' }], ['PS384']],
  [[bare], ['RS256']],
  [[{ ...ec, alg: undefined }], ['ES256']],
  [[], []],
])('%# says itself which algorithms it is for', (keys, expected) => {
  expect(JwkSet.parse({ keys })?.algorithms).toEqual(expected);
});

it('finds keys by algorithm and kid', async () => {
  const set = JwkSet.parse({ keys: [ec, ed, rsa, { ...ec, kid: 'twin' }] });
  const count = async (...args: Parameters<JwkSet['find']>) => (await set?.find(...args))?.length;
  expect(await count('ES256', undefined)).toBe(2);
  expect(await count('ES256', 'ec')).toBe(1);
  expect(await count('ES384', undefined)).toBe(0);
  expect(await count('RS256', 'ec')).toBe(0);
  expect(await count('RS256', 'rsa')).toBe(1);
  expect(await count('PS256', 'rsa')).toBe(0); // its `alg` is RS256
  expect(await count('Ed25519', 'ed')).toBe(1); // the same as EdDSA
});

it('imports a key once for each algorithm', async () => {
  const set = JwkSet.parse({ keys: [bare] });
  const [first, again, other] = await Promise.all([
    set?.find('RS256', 'rsa'),
    set?.find('RS256', undefined),
    set?.find('PS256', 'rsa'),
  ]);
  expect(first?.[0]).toBe(again?.[0]);
  expect(first?.[0]).not.toBe(other?.[0]);
  expect((await set?.find('RS256', 'rsa'))?.[0]).toBe(first?.[0]);
});

it.each([
  ['a published private key', { ...ec, d: 'AQAB' }],
  ['an encryption key', { ...ec, use: 'enc' }],
  ['a key for another purpose', { ...ec, alg: 'ECDH-ES' }],
  ['a secret', { kty: 'oct', k: 'AAAA', kid: 'x' }],
  ['an RSA key of more than 8192 bits', { ...rsa, n: 'A'.repeat(1_367) }],
  ['an RSA key with a long exponent', { ...rsa, e: 'AQABAQAB' }],
])('leaves out %s', (_, jwk) => {
  expect(JwkSet.parse({ keys: [jwk] })?.size).toBe(0);
});

it('takes fifty keys and no more', async () => {
  const keys = Array.from({ length: 60 }, (_, index) => ({ ...ec, kid: `${index}` }));
  expect(JwkSet.parse({ keys })?.size).toBe(50);
});

it.each([undefined, null, 'keys', [], {}, { keys: {} }, { keys: null }])('is not %j', (document) => {
  expect(JwkSet.parse(document)).toBeUndefined();
});
