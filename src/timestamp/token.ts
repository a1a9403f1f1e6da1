// Token: a TSTInfo signed as CMS SignedData (RFC 3161 section 2.4.2, RFC 5652 section 5).
//
// pkijs takes 2 ms for a token where the signature takes 0.03 ms, so what all tokens share is encoded once.

import { AuthorityError } from '../certificate/authority-error.ts';
import { algorithmIdentifier } from '../certificate/profile.ts';
import { type Instant, secondsOf } from '../clock.ts';
import { type Bytes, concat, utf8 } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';
import type { Sha256 } from '../encoding/digest.ts';
import type { HashName } from '../key/algorithm.ts';
import type { SigningAlgorithm } from '../key/signer.ts';
import * as oid from '../oid.ts';
import type { TimestampChain } from './chain.ts';
import type { TimestampQuery } from './query.ts';

/** What every token of one authority has in common; DER. */
export interface TokenTemplate {
  /** Hash of TSTInfo; always the one that the signature algorithm hashes with. */
  readonly digest: HashName;
  /** TSAPolicyId. */
  readonly policy: Bytes;
  readonly accuracy: Bytes;
  /** The attributes contentType and signingCertificateV2. */
  readonly attributes: readonly Bytes[];
  /** SignedData: version and digestAlgorithms. */
  readonly opening: Bytes;
  /** SignedData: certificates, for a query that wants them. */
  readonly certificates: Bytes;
  /** SignerInfo: version, sid and digestAlgorithm. */
  readonly signer: Bytes;
  /** SignerInfo: signatureAlgorithm. */
  readonly signatureAlgorithm: Bytes;
}

export interface TokenSettings {
  readonly algorithm: SigningAlgorithm;
  readonly policy: oid.Oid;
  /** Whole seconds by which genTime may be off, 1 to 127. */
  readonly accuracy: number;
}

const integer = (n: number): Bytes => der.unsignedInteger(Uint8Array.of(n));
const V1 = integer(1);
const V3 = integer(3);
const GRANTED = der.sequence(integer(0));
const ID_TST_INFO = der.objectIdentifier(oid.tstInfo);
const ID_SIGNED_DATA = der.objectIdentifier(oid.signedData);

/** Throws AuthorityError `algorithm_unsupported`. */
export function compileTemplate(
  chain: TimestampChain,
  settings: TokenSettings,
  sha256: Sha256,
): TokenTemplate {
  const [digest, digestOid] = digestOf(settings.algorithm);
  // Parameters are absent (RFC 5754 section 2).
  const digestAlgorithm = der.sequence(der.objectIdentifier(digestOid));
  const [leaf = new Uint8Array(), ...issuers] = chain.certificates;
  return {
    digest,
    policy: der.objectIdentifier(settings.policy),
    accuracy: der.sequence(integer(settings.accuracy)),
    attributes: [
      attribute(oid.contentType, ID_TST_INFO),
      attribute(oid.signingCertificateV2, signingCertificate(chain, sha256(leaf))),
    ],
    // Version 3, since the content is not id-data (RFC 5652 section 5.1).
    opening: concat(V3, der.set(digestAlgorithm)),
    // Without the root, which whoever verifies must have from elsewhere.
    certificates: implicit(0, der.setOf(leaf, ...issuers.slice(0, -1))),
    // Version 1, since sid is an IssuerAndSerialNumber (RFC 5652 section 5.3).
    signer: concat(V1, der.sequence(chain.issuer, chain.serialNumber), digestAlgorithm),
    signatureAlgorithm: algorithmIdentifier(settings.algorithm),
  };
}

/** TSTInfo. `serial` is the magnitude of serialNumber; genTime is `at` in whole seconds. */
export function encodeTstInfo(
  template: TokenTemplate,
  query: TimestampQuery,
  serial: Bytes,
  at: Instant,
): Bytes {
  return der.sequence(
    V1,
    template.policy,
    query.imprint,
    der.unsignedInteger(serial),
    generalizedTime(at),
    template.accuracy,
    query.nonce ?? new Uint8Array(),
  );
}

/** SignedAttributes as the SET OF that is signed (RFC 5652 section 5.4). */
export function encodeAttributes(template: TokenTemplate, tstInfoDigest: Bytes, at: Instant): Bytes {
  return der.setOf(
    ...template.attributes,
    attribute(oid.signingTime, der.time(secondsOf(at))),
    attribute(oid.messageDigest, der.octetString(tstInfoDigest)),
  );
}

/** TimeStampResp with status granted(0) and the token. */
export function encodeReply(
  template: TokenTemplate,
  query: TimestampQuery,
  signed: { readonly tstInfo: Bytes; readonly attributes: Bytes; readonly signature: Bytes },
): Bytes {
  const signerInfo = der.sequence(
    template.signer,
    implicit(0, signed.attributes),
    template.signatureAlgorithm,
    der.octetString(signed.signature),
  );
  const signedData = der.sequence(
    template.opening,
    der.sequence(ID_TST_INFO, explicit(0, der.octetString(signed.tstInfo))),
    query.certificates ? template.certificates : new Uint8Array(),
    der.set(signerInfo),
  );
  return der.sequence(GRANTED, der.sequence(ID_SIGNED_DATA, explicit(0, signedData)));
}

/**
 * CMS has one hash for content and signature (RFC 5754 section 3), so it follows from the key.
 * Ed25519 is out: OpenSSL's timestamp verifier does not know it.
 */
function digestOf(algorithm: SigningAlgorithm): readonly [HashName, oid.Oid] {
  switch (algorithm) {
    case 'ecdsa-p256-sha256':
    case 'rsa-pkcs1-sha256':
      return ['SHA-256', oid.sha256];
    case 'ecdsa-p384-sha384':
      return ['SHA-384', oid.sha384];
    case 'ecdsa-p521-sha512':
      return ['SHA-512', oid.sha512];
    case 'ed25519':
      throw new AuthorityError('algorithm_unsupported', 'a timestamp key is ECDSA or RSA, not Ed25519');
    default:
      return algorithm satisfies never;
  }
}

/** SigningCertificateV2 with one ESSCertIDv2; SHA-256 is its default hash (RFC 5035 section 4). */
function signingCertificate(chain: TimestampChain, leafHash: Bytes): Bytes {
  // GeneralNames with one directoryName [4], explicit as Name is a CHOICE (RFC 5280 section 4.2.1.6).
  const issuerSerial = der.sequence(der.sequence(explicit(4, chain.issuer)), chain.serialNumber);
  return der.sequence(der.sequence(der.sequence(der.octetString(leafHash), issuerSerial)));
}

/** Attribute with one value (RFC 5652 section 5.3). */
function attribute(type: oid.Oid, value: Bytes): Bytes {
  return der.sequence(der.objectIdentifier(type), der.set(value));
}

/** GeneralizedTime without fraction, in UTC (RFC 3161 section 2.4.2). */
function generalizedTime(at: Instant): Bytes {
  const digits = new Date(secondsOf(at) * 1000).toISOString().slice(0, 19).replace(/[-:T]/g, '');
  return der.element(der.TAG.generalizedTime, utf8(`${digits}Z`));
}

const explicit = (n: number, content: Bytes): Bytes => der.element(der.contextTag(n), content);

/** The same element under a context tag in place of its own. */
function implicit(n: number, encoded: Bytes): Bytes {
  const out = encoded.slice();
  out[0] = der.contextTag(n);
  return out;
}
