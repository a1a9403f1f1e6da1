// CA reader: what a CA certificate says, as far as an authority and the path rules need it (RFC 5280 section 4).

import { BitString, OctetString } from 'asn1js';
import { AuthorityKeyIdentifier, BasicConstraints, Certificate, type Extension, ExtKeyUsage } from 'pkijs';
import { type Instant, instantOf } from '../clock.ts';
import { type Bytes, equal } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';
import { type AlgorithmIdentifier, readAlgorithmIdentifier } from '../key/algorithm-identifier.ts';
import { type PublicKey, readSubjectPublicKeyInfo } from '../key/public-key.ts';
import * as oid from '../oid.ts';
import { AuthorityError } from './authority-error.ts';

/** A CA certificate as far as an authority needs it; byte strings are DER, exactly as the certificate has them. */
export interface CaCertificate {
  readonly der: Bytes;
  readonly tbs: Bytes;
  readonly issuer: Bytes;
  readonly subject: Bytes;
  /** The subject for people, such as "O=Example, CN=root". */
  readonly title: string;
  readonly spki: Bytes;
  readonly notBefore: Instant;
  readonly notAfter: Instant;
  readonly isCa: boolean;
  readonly pathLength: number | undefined;
  /** keyUsage is there and has keyCertSign. */
  readonly certifies: boolean;
  readonly purposes: readonly string[] | undefined;
  readonly keyIdentifier: Bytes | undefined;
  readonly authorityKeyIdentifier: Bytes | undefined;
  readonly criticals: readonly string[];
  readonly signatureAlgorithm: AlgorithmIdentifier;
  readonly signature: Bytes;
}

/** Throws AuthorityError `certificate_malformed`. */
export function readCaCertificate(bytes: Bytes): CaCertificate {
  try {
    return read(bytes);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : 'unreadable';
    throw new AuthorityError(
      'certificate_malformed',
      `there is a certificate that is not in DER: ${detail}`,
      cause,
    );
  }
}

function read(bytes: Bytes): CaCertificate {
  const [tbs, algorithm] = der.readAll(der.readOnly(bytes, der.TAG.sequence).content);
  const fields = der.readAll(tbs?.content ?? new Uint8Array());
  const skip = fields[0]?.tag === der.contextTag(0) ? 1 : 0; // version
  const field = (n: number): Bytes => new Uint8Array(fields[n + skip]?.raw ?? []);
  const certificate = Certificate.fromBER(bytes);
  const extensions = new Map<string, Extension>();
  for (const extension of certificate.extensions ?? []) {
    if (extensions.has(extension.extnID)) throw new TypeError('an extension occurs twice');
    extensions.set(extension.extnID, extension);
  }
  if (algorithm === undefined || !equal(field(1), algorithm.raw)) {
    throw new TypeError('two different signature algorithms'); // RFC 5280 section 4.1.1.2
  }
  const parsed = <T extends object>(
    id: oid.Oid,
    type: abstract new (...values: never[]) => T,
  ): T | undefined => {
    const value: unknown = extensions.get(id)?.parsedValue;
    if (value instanceof type && !('parsingError' in value)) return value;
    if (extensions.has(id)) throw new TypeError(`extension ${id} cannot be read`);
    return undefined;
  };
  const constraints = parsed(oid.basicConstraints, BasicConstraints);
  const usage = parsed(oid.keyUsage, BitString)?.valueBlock.valueHexView[0] ?? 0;
  const authorityKey = parsed(oid.authorityKeyIdentifier, AuthorityKeyIdentifier)?.keyIdentifier;
  const pathLength = constraints?.pathLenConstraint;
  return {
    der: bytes,
    tbs: new Uint8Array(tbs?.raw ?? []),
    issuer: field(2),
    subject: field(4),
    title: titleOf(certificate),
    spki: field(5),
    notBefore: instantOf(certificate.notBefore.value.getTime()),
    notAfter: instantOf(certificate.notAfter.value.getTime()),
    isCa: constraints?.cA === true,
    pathLength: typeof pathLength === 'object' ? pathLength.valueBlock.valueDec : pathLength,
    certifies: (usage & KEY_CERT_SIGN) !== 0,
    purposes: parsed(oid.extKeyUsage, ExtKeyUsage)?.keyPurposes,
    keyIdentifier: contentOf(parsed(oid.subjectKeyIdentifier, OctetString)),
    authorityKeyIdentifier: contentOf(authorityKey),
    criticals: [...extensions.values()].filter(({ critical }) => critical).map(({ extnID }) => extnID),
    signatureAlgorithm: readAlgorithmIdentifier(algorithm),
    signature: new Uint8Array(certificate.signatureValue.valueBlock.valueHexView),
  };
}

/** Bit 5 from the left (RFC 5280 section 4.2.1.3). */
const KEY_CERT_SIGN = 0x04;

function contentOf(octets: OctetString | undefined): Bytes | undefined {
  return octets === undefined ? undefined : new Uint8Array(octets.valueBlock.valueHexView);
}

const SHORT: ReadonlyMap<string, string> = new Map([
  [oid.commonName, 'CN'],
  [oid.organizationName, 'O'],
]);

function titleOf({ subject }: Certificate): string {
  return subject.typesAndValues
    .map(({ type, value }) => `${SHORT.get(type) ?? type}=${String(value.valueBlock.value)}`)
    .join(', ');
}

/** Throws AuthorityError `algorithm_unsupported`. */
export function publicKeyOf(certificate: CaCertificate): PublicKey {
  const sentence = `the key of ${certificate.title} is not ECDSA on P-256, P-384 or P-521, RSA, or Ed25519`;
  let key: PublicKey | undefined;
  try {
    key = readSubjectPublicKeyInfo(certificate.spki);
  } catch (cause) {
    throw new AuthorityError('algorithm_unsupported', sentence, cause);
  }
  if (key === undefined) throw new AuthorityError('algorithm_unsupported', sentence);
  return key;
}
