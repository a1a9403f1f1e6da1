// Precertificates for tests of submissions, made by hand, right and wrong.

import { type Bytes, concat, equal } from '../../../src/encoding/bytes.ts';
import * as der from '../../../src/encoding/der.ts';
import type { Sct } from '../../../src/log/log.ts';
import { sctListSize, writeSctList } from '../../../src/log/sct.ts';
import { extension, ISSUING, type Made, make, type Shape } from '../certificate/made-chain.ts';

export const POISON_ID = '1.3.6.1.4.1.11129.2.4.3';
export const SCT_LIST_ID = '1.3.6.1.4.1.11129.2.4.2';
export const PRECERTIFICATE_SIGNING = '1.3.6.1.4.1.11129.2.4.4';

export const POISON = extension(POISON_ID, true, Uint8Array.of(5, 0));
const uri = (text: string): Bytes => der.element(der.contextTag(6, true), new TextEncoder().encode(text));
const san = (...names: readonly Bytes[]): Bytes => extension('2.5.29.17', true, der.sequence(...names));
const SAN = san(uri('https://example.com/me'));

/** Of a certificate for those URIs, on the word of that OIDC issuer. */
export function nameExtensions(names: readonly string[], issuer: string): Shape {
  const says = extension('1.3.6.1.4.1.57264.1.8', false, der.utf8String(issuer));
  return { extra: [san(...names.map(uri)), says, POISON] };
}

/** SignedCertificateTimestampList. */
export function sctListOf(sct: Sct): Bytes {
  const out = new Uint8Array(sctListSize(sct));
  writeSctList(out, 0, sct);
  return out;
}

/** The certificate of a precertificate: the SCT in place of the poison. Its signature is not made anew. */
export function withSct(precertificate: Bytes, sct: Sct): Bytes {
  const list = extension(SCT_LIST_ID, false, der.octetString(sctListOf(sct)));
  return withTbs(precertificate, (tbs) => {
    const fields = der.readAll(der.readOnly(tbs, der.TAG.sequence).content);
    const wrapped = der.readOnly(fields.at(-1)?.content ?? tbs, der.TAG.sequence);
    const extensions = der.readAll(wrapped.content).map(({ raw }) => (equal(raw, POISON) ? list : raw));
    const head = fields.slice(0, -1).map(({ raw }) => raw);
    return der.sequence(...head, der.element(der.contextTag(3), der.sequence(...extensions)));
  });
}

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
