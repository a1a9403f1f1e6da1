import { describe, expect, test } from 'vitest';
import { parsePublicKey } from '../../../src/key/public-key.ts';
import { requireStrong } from '../../../src/key/strength.ts';
import {
  modulusOfFermatRounds,
  modulusWithFactor,
  neighbouringPrimes,
  PRIMES_BELOW_752,
  primeFrom,
  rocaModulus,
  rsaSpki,
} from '../../vectors/key-moduli.ts';
import { ACCEPTED, pemOf, spkiOf } from '../../vectors/key-pairs.ts';
import { hintOf, problemOf } from '../../vectors/key-problem.ts';

const hintFor = (n: bigint, e?: bigint): string | undefined =>
  hintOf(() => requireStrong(parsePublicKey(rsaSpki(n, e))));

test.each(ACCEPTED)('a fresh %s key is strong', (kind) => {
  requireStrong(parsePublicKey(pemOf(kind)));
});

describe('an RSA modulus', () => {
  test.each([512, 1024, 2046, 2047, 2049, 2056, 2560, 3070, 3073, 4095, 4097, 8192])(
    'of %i bits has the wrong size',
    (bits) => {
      expect(hintFor((3n << BigInt(bits - 2)) + 1n)).toMatch(/exactly 2048, 3072 or 4096 bits/);
    },
  );

  test('with any prime factor below 752 is refused', () => {
    expect(PRIMES_BELOW_752).toHaveLength(133);
    for (const factor of PRIMES_BELOW_752)
      expect(hintFor(modulusWithFactor(2048, factor)), `${factor}`).toMatch(/no prime factor below 752/);
  });

  test.each([757n, 761n])('with %i as its least factor passes', (factor) => {
    expect(hintFor(modulusWithFactor(2048, factor))).toBeUndefined();
  });

  test('of the form that CVE-2017-15361 leaves behind is refused', () => {
    expect(hintFor(rocaModulus())).toMatch(/ROCA/);
  });

  test('that is a product of two neighbouring primes, or a square, is refused', () => {
    expect(hintFor(neighbouringPrimes(2048))).toMatch(/close to each other/);
    expect(hintFor(primeFrom(3n << 1022n) ** 2n)).toMatch(/close to each other/);
  });

  describe.each([2048, 3072, 4096])('of %i bits', (bits) => {
    test.each([1, 2, 50, 99, 100])('that Fermat factors in %i rounds is refused', (rounds) => {
      expect(hintFor(modulusOfFermatRounds(bits, rounds))).toMatch(/close to each other/);
    });

    test.each([101, 102, 500])('that takes Fermat %i rounds passes, as with Fulcio', (rounds) => {
      expect(hintFor(modulusOfFermatRounds(bits, rounds))).toBeUndefined();
    });
  });
});

test.each([1n, 3n, 17n, 65535n, 65539n, (1n << 32n) + 65537n, 65537n << 8n])(
  'the exponent %s is refused',
  (e) => {
    expect(hintFor(modulusWithFactor(2048, 757n), e)).toMatch(/exponent of an RSA key must be 65537/);
  },
);

test('every weakness has the message clients know', async () => {
  expect(await problemOf(() => requireStrong(parsePublicKey(rsaSpki(rocaModulus()))))).toEqual([
    'key_rejected',
    'The public key supplied in the request is insecure',
  ]);
});

describe('an Ed25519 point of low order', () => {
  const p = 2n ** 255n - 19n;
  const d = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;
  const power = (base: bigint, exponent: bigint): bigint => {
    let out = 1n;
    for (let b = base % p, e = exponent; e > 0n; e >>= 1n, b = (b * b) % p) if (e & 1n) out = (out * b) % p;
    return out;
  };
  const root = (n: bigint): bigint => {
    const r = power(n, (p + 3n) / 8n);
    return (r * r - n) % p === 0n ? r : (r * power(2n, (p - 1n) / 4n)) % p;
  };
  // Points of order 8 double to y = 0, so d y⁴ + 2y² - 1 = 0; of the two y² one is a square.
  const yy = [1n, -1n].map((sign) => (((sign * root(1n + d) - 1n + 2n * p) % p) * power(d, p - 2n)) % p);
  const [order8 = 0n] = yy.filter((n) => power(n, (p - 1n) / 2n) === 1n).map(root);
  const low: readonly (readonly [string, bigint])[] = [
    ['order 1', 1n],
    ['order 2', p - 1n],
    ['order 4', 0n],
    ['order 8', order8],
    ['order 8, negative', p - order8],
    ['order 1, not canonical', p + 1n],
    ['order 4, not canonical', p],
  ];
  const spki = (y: bigint, sign = 0): Uint8Array => {
    const out = spkiOf('Ed25519');
    for (let i = 0; i < 32; i++) out[12 + i] = Number((y >> BigInt(8 * i)) & 255n);
    out[43] = (out[43] ?? 0) | (sign << 7);
    return out;
  };

  test.each(low)('(%s) is refused with either sign', (_, y) => {
    for (const sign of [0, 1])
      expect(hintOf(() => requireStrong(parsePublicKey(spki(y, sign))))).toMatch(/low order/);
  });

  test('is told from its neighbours', () => {
    for (const y of [2n, 3n, p - 2n, order8 + 1n]) requireStrong(parsePublicKey(spki(y)));
  });
});
