// Strength: which keys are too weak to certify; the rules of Sigstore's goodkey policy, which come from Boulder.

import { equal, unsigned } from '../encoding/bytes.ts';
import { Problem } from '../problem.ts';
import { isOfLowOrder } from './ed25519-point.ts';
import type { PublicKey, RsaKey } from './public-key.ts';
import { hasCloseFactors, hasSmallFactor, isRoca, smallRemainders } from './rsa-modulus.ts';

/** Throws Problem `key_rejected`. An ECDSA key needs nothing more: `parsePublicKey` lets pass only points of an accepted curve. */
export function requireStrong(key: PublicKey): void {
  const weakness = weaknessOf(key);
  if (weakness !== undefined) throw new Problem('key_rejected', { hint: weakness });
}

function weaknessOf(key: PublicKey): string | undefined {
  switch (key.type) {
    case 'ecdsa':
      return undefined;
    case 'rsa':
      return rsaWeaknessOf(key);
    case 'ed25519':
      // Beyond Fulcio's rules: one signature under such a key fits any message (OpenSSL before 3.5 lets it), so it proves no possession.
      return isOfLowOrder(key.point)
        ? 'The point of an Ed25519 key must not be of low order; make a new key.'
        : undefined;
    default:
      return key satisfies never;
  }
}

const F4 = Uint8Array.of(1, 0, 1); // 65537

function rsaWeaknessOf({ modulus, exponent, bits }: RsaKey): string | undefined {
  if (bits !== 2048 && bits !== 3072 && bits !== 4096)
    return 'The modulus of an RSA key must have exactly 2048, 3072 or 4096 bits.';
  if (!equal(exponent, F4)) return 'The public exponent of an RSA key must be 65537.';
  const n = unsigned(modulus);
  const remainders = smallRemainders(n);
  if (hasSmallFactor(remainders))
    return 'The modulus of an RSA key must have no prime factor below 752; make a new key.';
  if (isRoca(remainders))
    return 'An RSA key must not come from the Infineon library with the ROCA flaw (CVE-2017-15361); make one elsewhere.';
  if (hasCloseFactors(n))
    return 'The prime factors of an RSA modulus must not be close to each other; make a new key.';
  return undefined;
}
