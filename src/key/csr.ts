// SigningRequest: a PKCS#10 certification request, of which only key and signature count (RFC 2986 section 4).

import type { Bytes } from '../encoding/bytes.ts';
import { contextTag, DerError, octetsOf, readAll, readOnly, TAG } from '../encoding/der.ts';
import { decodePem } from '../encoding/pem.ts';
import { Problem } from '../problem.ts';
import { type AlgorithmIdentifier, readAlgorithmIdentifier } from './algorithm-identifier.ts';
import { type PublicKey, readSubjectPublicKeyInfo } from './public-key.ts';

/** Subject, attributes and requested extensions are left out on purpose: the identity comes from the token alone. */
export interface SigningRequest {
  readonly publicKey: PublicKey;
  /** CertificationRequestInfo as sent, DER: what the signature covers. */
  readonly info: Uint8Array;
  readonly signatureAlgorithm: AlgorithmIdentifier;
  readonly signature: Uint8Array;
}

const LABELS: ReadonlySet<string> = new Set(['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST']);
const FIELD = 'certificateSigningRequest';
const ACCEPTED =
  'Send a PKCS#10 request for an ECDSA (P-256, P-384, P-521), RSA or Ed25519 key as PEM labelled CERTIFICATE REQUEST.';

const lenientUtf8 = new TextDecoder();

/** The request in the first PEM block. Throws Problems `csr_invalid`, and `key_rejected` for a key of a kind that is never accepted. */
export function parseSigningRequest(pem: Uint8Array): SigningRequest {
  const [block] = decodePem(lenientUtf8.decode(pem));
  if (block === undefined || !LABELS.has(block.label))
    throw new Problem('csr_invalid', { field: FIELD, hint: ACCEPTED });
  try {
    return readSigningRequest(block.der);
  } catch (cause) {
    if (!(cause instanceof DerError)) throw cause;
    throw new Problem('csr_invalid', { field: FIELD, hint: ACCEPTED, cause });
  }
}

function readSigningRequest(der: Bytes): SigningRequest {
  const [info, algorithm, signature, extra] = readAll(readOnly(der, TAG.sequence).content);
  if (info?.tag !== TAG.sequence || algorithm === undefined || signature === undefined || extra !== undefined)
    throw new DerError('CertificationRequest is not info, algorithm and signature', 0);
  const [version, subject, key, attributes, more] = readAll(info.content);
  if (
    version?.tag !== TAG.integer ||
    subject?.tag !== TAG.sequence ||
    key === undefined ||
    attributes?.tag !== contextTag(0) ||
    more !== undefined
  )
    throw new DerError('CertificationRequestInfo is not version, subject, key and attributes', info.start);
  const publicKey = readSubjectPublicKeyInfo(new Uint8Array(key.raw));
  if (publicKey === undefined) throw new Problem('key_rejected', { field: FIELD, hint: ACCEPTED });
  return {
    publicKey,
    info: info.raw,
    signatureAlgorithm: readAlgorithmIdentifier(algorithm),
    signature: octetsOf(signature),
  };
}
