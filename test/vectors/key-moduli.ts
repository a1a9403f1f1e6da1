// RSA moduli made by computation, most of them weak by one rule and no other, and the key around a modulus.

import { checkPrimeSync, createPublicKey } from 'node:crypto';

const base64url = (n: bigint): string => {
  const digits = n.toString(16);
  return Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex').toString('base64url');
};

/** SubjectPublicKeyInfo by node:crypto, which takes any modulus and exponent. */
export function rsaSpki(n: bigint, e = 65537n): Uint8Array<ArrayBuffer> {
  const jwk = { kty: 'RSA', n: base64url(n), e: base64url(e) };
  return new Uint8Array(createPublicKey({ key: jwk, format: 'jwk' }).export({ format: 'der', type: 'spki' }));
}

export const PRIMES_BELOW_752 = Array.from({ length: 752 }, (_, n) => BigInt(n)).filter(
  (n) => n > 1n && checkPrimeSync(n),
);

const isRough = (n: bigint): boolean => PRIMES_BELOW_752.every((prime) => n % prime !== 0n);

/** The least number from `from` on that has no prime factor below 752. */
export function roughFrom(from: bigint): bigint {
  let n = from | 1n;
  while (!isRough(n)) n += 2n;
  return n;
}

/** Of exactly `bits` bits; its cofactor has no factor below 752. */
export const modulusWithFactor = (bits: number, factor: bigint): bigint =>
  factor * roughFrom((3n << BigInt(bits - 2)) / factor);

/** Two neighbouring primes. */
export function neighbouringPrimes(bits: number): bigint {
  const p = primeFrom(3n << BigInt(bits / 2 - 2));
  return p * primeFrom(p + 2n);
}

export function primeFrom(from: bigint): bigint {
  let n = from | 1n;
  while (!checkPrimeSync(n)) n += 2n;
  return n;
}

/** n = (a - b)(a + b) for which Fermat's method needs exactly `rounds` rounds from a = ⌈√n⌉ upwards. */
export function modulusOfFermatRounds(bits: number, rounds: number): bigint {
  const least = 3n << BigInt(bits / 2 - 2);
  const b = squareRoot(least * BigInt(2 * rounds - 1)); // √n lies b² / 2a below a: half a round from either neighbour
  for (let a = least + ((least + b + 1n) % 2n); ; a += 2n) {
    const n = a * a - b * b;
    if (!isRough(n)) continue;
    if (a - squareRoot(n) !== BigInt(rounds)) throw new Error('b was chosen badly');
    return n;
  }
}

/** Rounded down; by bisection, as the code under test uses Newton's method. */
function squareRoot(n: bigint): bigint {
  let low = 0n;
  let high = 1n << BigInt(n.toString(2).length);
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle * middle <= n) low = middle;
    else high = middle;
  }
  return low;
}

/** Two primes k M + (65537^a mod M), M the product of the first 126 primes, as the flawed library makes them for 2048 bits. */
export function rocaModulus(): bigint {
  const m = PRIMES_BELOW_752.slice(0, 126).reduce((product, prime) => product * prime, 1n);
  const prime = (a: number, from: bigint): bigint => {
    let power = 1n;
    for (let i = 0; i < a; i++) power = (power * 65537n) % m;
    let candidate = from - (from % m) + m + power;
    while (!checkPrimeSync(candidate)) candidate += m;
    return candidate;
  };
  return prime(1234, 13n << 1020n) * prime(4321, 14n << 1020n);
}
