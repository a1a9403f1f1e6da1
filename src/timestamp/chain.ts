// Timestamp chain: the certificates that let others believe a timestamp, checked against the key (RFC 3161 section 2.3).

import { AuthorityError } from '../certificate/authority-error.ts';
import { type CaCertificate, readCaCertificate } from '../certificate/ca-reader.ts';
import { type Instant, instantOf } from '../clock.ts';
import { type Bytes, equal } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';
import * as oid from '../oid.ts';

export interface TimestampChain {
  /** The authority's own certificate first, root last, DER each. */
  readonly certificates: readonly Bytes[];
  /** Name that issued the authority's certificate, DER, byte for byte. */
  readonly issuer: Bytes;
  /** Serial number of the authority's certificate, INTEGER, DER. */
  readonly serialNumber: Uint8Array;
  /** The span in which every certificate of the chain is valid. */
  readonly notBefore: Instant;
  readonly notAfter: Instant;
}

/** Throws AuthorityError when `publicKey` (SPKI, DER) cannot give timestamps that verify under this chain. */
export function readTimestampChain(certificates: readonly Bytes[], publicKey: Bytes): TimestampChain {
  const chain = certificates.map((bytes) => readCaCertificate(bytes));
  const [leaf] = chain;
  if (leaf === undefined) throw new AuthorityError('chain_empty', 'the timestamp chain has no certificate');
  if (!equal(leaf.spki, publicKey)) {
    const sentence = `the timestamp key is not the one of the first certificate (${leaf.title})`;
    throw new AuthorityError('key_mismatch', sentence);
  }
  checkPurpose(leaf);
  checkOrder(chain);
  return {
    certificates,
    issuer: leaf.issuer,
    serialNumber: serialNumberOf(leaf),
    notBefore: instantOf(Math.max(...chain.map(({ notBefore }) => notBefore))),
    notAfter: instantOf(Math.min(...chain.map(({ notAfter }) => notAfter))),
  };
}

/** An end entity whose one extended key usage is timeStamping, in a critical extension (RFC 3161 section 2.3). */
function checkPurpose({ title, purposes, criticals, isCa }: CaCertificate): void {
  const alone = purposes?.length === 1 && purposes[0] === oid.ekuTimeStamping;
  if (!alone || !criticals.includes(oid.extKeyUsage)) {
    const sentence = `the timestamp certificate (${title}) needs extKeyUsage timeStamping, alone and critical`;
    throw new AuthorityError('purpose_missing', sentence);
  }
  if (isCa) {
    const sentence = `the timestamp certificate (${title}) is a CA, which a timestamp authority must not be`;
    throw new AuthorityError('purpose_excluded', sentence);
  }
}

function checkOrder(chain: readonly CaCertificate[]): void {
  for (const [i, certificate] of chain.entries()) {
    const above = chain[i + 1] ?? certificate; // the root has issued itself
    if (equal(certificate.issuer, above.subject)) continue;
    throw new AuthorityError(
      'chain_order',
      `certificate ${i + 1} of the timestamp chain (${certificate.title}) is not issued by the next one: ` +
        'put the timestamp certificate first and the root last',
    );
  }
}

/** Follows version in TBSCertificate (RFC 5280 section 4.1), and has the tag that version does not have. */
function serialNumberOf({ title, tbs }: CaCertificate): Uint8Array {
  const fields = der.readAll(der.readOnly(tbs, der.TAG.sequence).content);
  const serialNumber = fields.find(({ tag }) => tag === der.TAG.integer);
  if (serialNumber !== undefined) return serialNumber.raw;
  throw new AuthorityError(
    'certificate_malformed',
    `the timestamp certificate (${title}) has no serial number`,
  );
}
