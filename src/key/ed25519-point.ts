// Ed25519 point: the one property of a public key on edwards25519 that a certificate depends on (RFC 8032 section 5.1).

import { unsigned } from '../encoding/bytes.ts';

// -x² + y² = 1 + d x² y² over the field of 2^255 - 19
const P = 2n ** 255n - 19n;
const D = 0x52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3n;

/**
 * Whether the cofactor 8 takes the point of a 32-byte key to the neutral element. Under such a key one signature fits many messages.
 * Doubles y = Y / Z three times by y' = (d y⁴ + 2y² - 1) / (1 + 2d y² - d y⁴) and compares with 1; the sign of x plays no part.
 */
export function isOfLowOrder(key: Uint8Array): boolean {
  let y = unsigned(key.toReversed()) & (2n ** 255n - 1n);
  let z = 1n;
  for (let doubling = 0; doubling < 3; doubling++) {
    const yy = (y * y) % P;
    const zz = (z * z) % P;
    const dy4 = (((D * yy) % P) * yy) % P;
    y = (dy4 + 2n * yy * zz - zz * zz) % P;
    z = (zz * zz + ((2n * D * yy) % P) * zz - dy4) % P;
  }
  return (y - z) % P === 0n;
}
