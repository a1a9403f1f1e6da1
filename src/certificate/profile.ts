// Profile: what every leaf of an authority has in common, compiled once to DER (RFC 5280 section 4.1).

import { type Bytes, concat } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';
import type { SigningAlgorithm } from '../key/signer.ts';
import * as oid from '../oid.ts';
import type { Authority } from './authority.ts';

/** Seconds from notBefore to notAfter: Fulcio's ten minutes. */
export const LIFETIME_SECONDS = 600;

export interface Profile {
  /** AlgorithmIdentifier of the authority's signatures, as TBSCertificate and Certificate both carry it. */
  readonly signatureAlgorithm: Bytes;
  /** Issuer: the CA's subject, byte for byte. */
  readonly issuerName: Bytes;
  /** keyUsage and extKeyUsage, which come before the leaf's own extensions. */
  readonly usage: Bytes;
  /** authorityKeyIdentifier, or empty where the CA has no key identifier. */
  readonly authorityKeyIdentifier: Bytes;
}

export function compileProfile(authority: Authority): Profile {
  const { keyIdentifier } = authority;
  return {
    signatureAlgorithm: algorithmIdentifier(authority.signer.algorithm),
    issuerName: authority.issuerName,
    usage: concat(
      // digitalSignature, bit 0: one byte with seven unused bits (RFC 5280 section 4.2.1.3)
      extension(oid.keyUsage, true, Uint8Array.of(0x03, 0x02, 0x07, 0x80)),
      extension(oid.extKeyUsage, false, der.sequence(der.objectIdentifier(oid.ekuCodeSigning))),
    ),
    authorityKeyIdentifier:
      keyIdentifier === undefined
        ? new Uint8Array()
        : // [0] IMPLICIT KeyIdentifier (RFC 5280 section 4.2.1.1)
          extension(
            oid.authorityKeyIdentifier,
            false,
            der.sequence(der.element(der.contextTag(0, true), keyIdentifier)),
          ),
  };
}

/** Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue } (RFC 5280 section 4.1). */
export function extension(id: oid.Oid, critical: boolean, value: Uint8Array): Bytes {
  return der.sequence(extensionHead(id, critical), der.octetString(value));
}

/** extnID and critical: what an extension begins with, whatever its value. */
export function extensionHead(id: oid.Oid, critical: boolean): Bytes {
  const flag = critical ? Uint8Array.of(der.TAG.boolean, 1, 0xff) : new Uint8Array();
  return concat(der.objectIdentifier(id), flag);
}

const NULL = Uint8Array.of(der.TAG.null, 0);

/** AlgorithmIdentifier: RSA carries NULL parameters (RFC 4055 section 5), the others none (RFC 5758, RFC 8410). */
export function algorithmIdentifier(algorithm: SigningAlgorithm): Bytes {
  switch (algorithm) {
    case 'ecdsa-p256-sha256':
      return der.sequence(der.objectIdentifier(oid.ecdsaWithSha256));
    case 'ecdsa-p384-sha384':
      return der.sequence(der.objectIdentifier(oid.ecdsaWithSha384));
    case 'ecdsa-p521-sha512':
      return der.sequence(der.objectIdentifier(oid.ecdsaWithSha512));
    case 'rsa-pkcs1-sha256':
      return der.sequence(der.objectIdentifier(oid.sha256WithRsa), NULL);
    case 'ed25519':
      return der.sequence(der.objectIdentifier(oid.ed25519));
    default:
      return algorithm satisfies never;
  }
}
