// Curve: the NIST prime curves that client keys may lie on (FIPS 186-4 appendix D.1.2), and membership of a point.

import { unsigned } from '../encoding/bytes.ts';

export type CurveName = 'P-256' | 'P-384' | 'P-521';

interface Curve {
  /** Bytes of one coordinate. */
  readonly size: number;
  /** The field's prime. */
  readonly p: bigint;
  /** Of y² = x³ - 3x + b. */
  readonly b: bigint;
}

export const CURVES: Readonly<Record<CurveName, Curve>> = {
  'P-256': {
    size: 32,
    p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  },
  'P-384': {
    size: 48,
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
  },
  'P-521': {
    size: 66,
    p: 2n ** 521n - 1n,
    b: 0x0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
  },
};

/**
 * Whether `point` is an uncompressed point of the curve (SEC 1 section 3.2.2.1): right length, coordinates below p, equation met.
 * Infinity has another length, and all other points have the curve's prime order, as its cofactor is 1.
 */
export function isOnCurve(name: CurveName, point: Uint8Array): boolean {
  const { size, p, b } = CURVES[name];
  if (point.length !== 1 + 2 * size || point[0] !== 0x04) return false;
  const x = unsigned(point.subarray(1, 1 + size));
  const y = unsigned(point.subarray(1 + size));
  return x < p && y < p && (y * y - ((x * x - 3n) % p) * x - b) % p === 0n;
}
