// Expiry: when each certificate of an instance's CA chain expires, by its place in the chain.

import type { Instant } from '../clock.ts';
import type { Bytes } from '../encoding/bytes.ts';
import { readCaCertificate } from './ca-reader.ts';

export interface Expiry {
  /** `issuing`, `intermediate-1` and so on, `root`; a lone certificate is issuing. */
  readonly place: string;
  readonly notAfter: Instant;
}

/** `chain` is DER, issuing CA first, root last. Throws AuthorityError. */
export function expiriesOf(chain: readonly Bytes[]): readonly Expiry[] {
  return chain.map((der, i) => ({
    place: placeOf(i, chain.length),
    notAfter: readCaCertificate(der).notAfter,
  }));
}

function placeOf(index: number, length: number): string {
  if (index === 0) return 'issuing';
  return index === length - 1 ? 'root' : `intermediate-${index}`;
}
