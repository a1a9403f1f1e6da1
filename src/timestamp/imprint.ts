// MessageImprint: the hash of what is timestamped, which the requester alone computes (RFC 3161 section 2.4.1).

import type { Bytes } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';
import * as oid from '../oid.ts';
import { TimestampRejection } from './rejection.ts';

interface Hash {
  /** Name as the JSON form of a query spells it. */
  readonly name: 'sha256' | 'sha384' | 'sha512';
  readonly oid: oid.Oid;
  /** Bytes of a digest. */
  readonly size: number;
}

const HASHES: readonly Hash[] = [
  { name: 'sha256', oid: oid.sha256, size: 32 },
  { name: 'sha384', oid: oid.sha384, size: 48 },
  { name: 'sha512', oid: oid.sha512, size: 64 },
];

/** Checks a MessageImprint's algorithm and length. Throws TimestampRejection or DerError. */
export function checkImprint(imprint: der.Element): void {
  const [algorithm, digest, ...rest] = der.readAll(imprint.content);
  if (algorithm?.tag !== der.TAG.sequence || digest?.tag !== der.TAG.octetString || rest.length > 0)
    throw new TimestampRejection('badDataFormat', 'messageImprint is not an algorithm and an OCTET STRING');
  const [identifier, parameters, ...more] = der.readAll(algorithm.content);
  if (identifier?.tag !== der.TAG.oid || more.length > 0)
    throw new TimestampRejection('badDataFormat', 'hashAlgorithm is not an AlgorithmIdentifier');
  const dotted = der.oidOf(identifier.content);
  const hash = HASHES.find((candidate) => candidate.oid === dotted);
  // Parameters are absent or NULL (RFC 5754 section 2).
  const plain =
    parameters === undefined || (parameters.tag === der.TAG.null && parameters.content.length === 0);
  if (hash === undefined || !plain) throw unknownHash();
  checkLength(hash, digest.content);
}

/** MessageImprint, DER, from a hash by its name in any case. Throws TimestampRejection. */
export function encodeImprint(name: string, digest: Uint8Array): Bytes {
  const hash = HASHES.find((candidate) => candidate.name === name.toLowerCase());
  if (hash === undefined) throw unknownHash();
  checkLength(hash, digest);
  return der.sequence(der.sequence(der.objectIdentifier(hash.oid)), der.octetString(digest));
}

function checkLength(hash: Hash, digest: Uint8Array): void {
  if (digest.length !== hash.size)
    throw new TimestampRejection('badDataFormat', `a ${hash.name} digest has ${hash.size} bytes`);
}

function unknownHash(): TimestampRejection {
  return new TimestampRejection('badAlg', 'the imprint must be a sha256, sha384 or sha512 digest');
}
