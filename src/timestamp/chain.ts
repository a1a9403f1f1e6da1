// Chain: the certificates that let others believe a timestamp, checked against the key at start-up (RFC 3161 section 2.3).

import * as pkijs from 'pkijs';
import { type Instant, instantOf } from '../clock.ts';
import { type Bytes, equal } from '../encoding/bytes.ts';
import * as oid from '../oid.ts';

export interface TimestampChain {
  /** The authority's own certificate first, root last, DER each. */
  readonly certificates: readonly Bytes[];
  /** Name that issued the authority's certificate, DER, byte for byte. */
  readonly issuer: Bytes;
  /** Serial number of the authority's certificate, INTEGER, DER. */
  readonly serialNumber: Bytes;
  /** The span in which every certificate of the chain is valid. */
  readonly notBefore: Instant;
  readonly notAfter: Instant;
}

/** Throws a TypeError that says what keeps `publicKey` from giving timestamps under this chain. */
export function readTimestampChain(certificates: readonly Bytes[], publicKey: Bytes): TimestampChain {
  const chain = certificates.map(parse);
  const [leaf] = chain;
  if (leaf === undefined) throw new TypeError('the timestamp chain is empty');
  if (!equal(encode(leaf.subjectPublicKeyInfo), publicKey))
    throw new TypeError('the timestamp certificate is not for the timestamp key');
  checkUsage(leaf);
  for (const [i, certificate] of chain.entries()) {
    const issuer = chain[i + 1] ?? certificate;
    if (!equal(encode(certificate.issuer), encode(issuer.subject)))
      throw new TypeError(`certificate ${i + 1} of the timestamp chain is not issued by the next one`);
  }
  return {
    certificates,
    issuer: encode(leaf.issuer),
    serialNumber: new Uint8Array(leaf.serialNumber.toBER()),
    notBefore: instantOf(Math.max(...chain.map((certificate) => certificate.notBefore.value.getTime()))),
    notAfter: instantOf(Math.min(...chain.map((certificate) => certificate.notAfter.value.getTime()))),
  };
}

/** An end entity with exactly one extended key usage, timeStamping, in a critical extension (RFC 3161 section 2.3). */
function checkUsage(leaf: pkijs.Certificate): void {
  const extensionOf = (id: oid.Oid): pkijs.Extension | undefined =>
    leaf.extensions?.find((candidate) => candidate.extnID === id);

  const usage = extensionOf(oid.extKeyUsage);
  const purposes = usage?.parsedValue instanceof pkijs.ExtKeyUsage ? usage.parsedValue.keyPurposes : [];
  if (usage?.critical !== true || purposes.length !== 1 || purposes[0] !== oid.ekuTimeStamping)
    throw new TypeError('the timestamp certificate needs extKeyUsage timeStamping, alone and critical');
  const constraints = extensionOf(oid.basicConstraints)?.parsedValue;
  if (constraints instanceof pkijs.BasicConstraints && constraints.cA)
    throw new TypeError('the timestamp certificate must not be a CA');
}

function parse(certificate: Bytes, index: number): pkijs.Certificate {
  try {
    return pkijs.Certificate.fromBER(certificate);
  } catch (cause) {
    throw new TypeError(`certificate ${index + 1} of the timestamp chain is not a certificate`, { cause });
  }
}

function encode(part: pkijs.RelativeDistinguishedNames | pkijs.PublicKeyInfo): Bytes {
  return new Uint8Array(part.toSchema().toBER());
}
