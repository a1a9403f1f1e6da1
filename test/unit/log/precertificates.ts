// Precertificates for tests of submissions, made by hand, right and wrong.

import { type Bytes, concat } from '../../../src/encoding/bytes.ts';
import * as der from '../../../src/encoding/der.ts';
import { extension, ISSUING, type Made, make, type Shape } from '../certificate/made-chain.ts';

export const POISON_ID = '1.3.6.1.4.1.11129.2.4.3';
export const SCT_LIST_ID = '1.3.6.1.4.1.11129.2.4.2';
export const PRECERTIFICATE_SIGNING = '1.3.6.1.4.1.11129.2.4.4';

export const POISON = extension(POISON_ID, true, Uint8Array.of(5, 0));
const SAN = extension(
  '2.5.29.17',
  true,
  der.sequence(der.element(der.contextTag(6, true), new TextEncoder().encode('https://example.com/me'))),
);

/** A leaf under `issuer`; `extra` replaces the poison. */
export function precertificate(issuer: Made, shape: Shape = {}): Made {
  return make({ subject: '', ca: undefined, usage: 0x80, extra: [SAN, POISON], ...shape }, issuer);
}

export const withExtensions = (...extra: readonly Bytes[]): Shape => ({ extra: [SAN, ...extra] });

export interface Hierarchy {
  readonly root: Made;
  readonly issuing: Made;
  /** DER: issuing CA, root. */
  readonly chain: readonly Bytes[];
}

export function hierarchy(issuing: Shape = {}, root: Shape = {}): Hierarchy {
  const above = make({ pathLength: 1, ...root });
  const below = make({ ...ISSUING, pathLength: 0, ...issuing }, above);
  return { root: above, issuing: below, chain: [below.der, above.der] };
}

/** A certificate whose TBSCertificate is other bytes, its signature kept. */
export function withTbs(certificate: Bytes, change: (tbs: Bytes) => Bytes): Bytes {
  const [tbs, ...rest] = der.readAll(der.readOnly(certificate, der.TAG.sequence).content);
  return der.sequence(change(concat(tbs?.raw ?? new Uint8Array())), ...rest.map(({ raw }) => raw));
}
