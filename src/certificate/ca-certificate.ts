// CA certificate: root, intermediate and timestamping certificates of an instance, made once (RFC 5280 section 4.2).

import { BitString, Integer, OctetString } from 'asn1js';
import {
  AlgorithmIdentifier,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  Extension,
  ExtKeyUsage,
  PublicKeyInfo,
  RelativeDistinguishedNames,
  Time,
} from 'pkijs';
import { type Instant, instantOf, secondsOf } from '../clock.ts';
import { type Bytes, unsigned } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';
import type { Sha256 } from '../encoding/digest.ts';
import type { Random } from '../encoding/random.ts';
import type { Signer } from '../key/signer.ts';
import * as oid from '../oid.ts';
import { readCaCertificate } from './ca-reader.ts';
import { algorithmIdentifier } from './profile.ts';

/** Subject of a CA certificate: one organizationName and one commonName, 1 to 64 characters each (X.520). */
export interface CaName {
  readonly organization: string;
  readonly commonName: string;
}

/** What every creation takes beside its subject. */
export interface Creation {
  readonly random: Random;
  readonly sha256: Sha256;
  readonly now: Instant;
}

/** The certificate above, and its key, which signs. */
export interface Parent {
  readonly certificate: Bytes;
  readonly signer: Signer;
}

const DAY = 86_400_000;

/** A root lives ten years: its key is used once and then kept off line. */
export const ROOT_DAYS = 3652;

/**
 * An intermediate lives three years: its key is on line, so it is renewed while people remember how,
 * and a renewal takes the root key out of its safe once in that time and not more often.
 */
export const INTERMEDIATE_DAYS = 1096;

/**
 * notBefore lies one hour back. A clock that is set right after the first start, or a second machine
 * whose clock is behind, must not find its own CA "not yet valid"; no leaf exists in that hour.
 */
export const BACKDATE_SECONDS = 3600;

/** A self-signed root: pathLenConstraint 1, keyCertSign and cRLSign, no extended key usage. */
export async function createRoot(name: CaName, signer: Signer, creation: Creation): Promise<Bytes> {
  const subject = encodeName(name);
  const certificate = template(subject, signer.publicKey, ROOT_DAYS, undefined, creation);
  certificate.extensions = [
    basicConstraints(1),
    keyUsage(CERT_SIGN_AND_CRL_SIGN),
    subjectKeyIdentifier(signer.publicKey, creation.sha256),
  ];
  return signed(certificate, subject, signer);
}

/** An issuing CA for code signing under `parent`: pathLenConstraint 0; it never outlives the parent. `name` may be a DER Name. */
export async function createIntermediate(
  name: CaName | Bytes,
  publicKey: Bytes,
  parent: Parent,
  creation: Creation,
): Promise<Bytes> {
  return underParent(name, publicKey, parent, creation, [
    basicConstraints(0),
    keyUsage(CERT_SIGN_AND_CRL_SIGN),
    extKeyUsage(oid.ekuCodeSigning, false),
  ]);
}

/** The certificate of a timestamp authority under `parent`: timeStamping alone, critical (RFC 3161 section 2.3). */
export async function createTimestampCertificate(
  name: CaName,
  publicKey: Bytes,
  parent: Parent,
  creation: Creation,
): Promise<Bytes> {
  return underParent(name, publicKey, parent, creation, [
    keyUsage(DIGITAL_SIGNATURE),
    extKeyUsage(oid.ekuTimeStamping, true),
  ]);
}

function underParent(
  name: CaName | Bytes,
  publicKey: Bytes,
  parent: Parent,
  creation: Creation,
  extensions: readonly Extension[],
): Promise<Bytes> {
  const above = readCaCertificate(parent.certificate);
  const subject = name instanceof Uint8Array ? name : encodeName(name);
  const certificate = template(subject, publicKey, INTERMEDIATE_DAYS, above.notAfter, creation);
  certificate.extensions = [...extensions, subjectKeyIdentifier(publicKey, creation.sha256)];
  if (above.keyIdentifier !== undefined) {
    certificate.extensions.push(authorityKeyIdentifier(above.keyIdentifier));
  }
  return signed(certificate, above.subject, parent.signer);
}

function template(
  subject: Bytes,
  publicKey: Bytes,
  days: number,
  latest: Instant | undefined,
  { random, now }: Creation,
): Certificate {
  const start = instantOf((secondsOf(now) - BACKDATE_SECONDS) * 1000);
  const end = Math.min(secondsOf(now) * 1000 + days * DAY, latest ?? Number.POSITIVE_INFINITY);
  if (end <= now) throw new RangeError('the CA certificate above has expired');
  return new Certificate({
    version: 2, // v3
    serialNumber: Integer.fromBigInt(serialNumber(random)),
    notBefore: time(start),
    notAfter: time(instantOf(end)),
    subject: RelativeDistinguishedNames.fromBER(subject),
    subjectPublicKeyInfo: PublicKeyInfo.fromBER(publicKey),
  });
}

/** Signs through the port, so that a key in an HSM or a KMS makes certificates as well as one in a file. */
async function signed(certificate: Certificate, issuer: Bytes, signer: Signer): Promise<Bytes> {
  certificate.issuer = RelativeDistinguishedNames.fromBER(issuer);
  certificate.signature = AlgorithmIdentifier.fromBER(algorithmIdentifier(signer.algorithm));
  certificate.signatureAlgorithm = certificate.signature;
  const tbs = new Uint8Array(certificate.encodeTBS().toBER());
  certificate.tbsView = tbs;
  certificate.signatureValue = new BitString({ valueHex: await signer.sign(tbs) });
  return new Uint8Array(certificate.toSchema().toBER());
}

/** 159 random bits, never zero (RFC 5280 section 4.1.2.2). */
function serialNumber(random: Random): bigint {
  for (;;) {
    const serial = unsigned(random(20)) >> 1n;
    if (serial !== 0n) return serial;
  }
}

/** Name with one attribute in each RDN: pushed to pkijs both would share one. */
export function encodeName({ organization, commonName }: CaName): Bytes {
  const attributes = [
    [oid.organizationName, organization],
    [oid.commonName, commonName],
  ] as const;
  return der.sequence(
    ...attributes.map(([type, value]) => {
      if (value.length < 1 || value.length > 64) {
        throw new RangeError('a name in a CA certificate has 1 to 64 characters');
      }
      return der.set(der.sequence(der.objectIdentifier(type), der.utf8String(value)));
    }),
  );
}

const LAST_UTC_TIME = Date.UTC(2050, 0, 1);

/** UTCTime through 2049, GeneralizedTime after (RFC 5280 section 4.1.2.5). */
function time(at: Instant): Time {
  return new Time({ type: at < LAST_UTC_TIME ? 0 : 1, value: new Date(at) });
}

/** KeyUsage bits from the left: digitalSignature is bit 0, keyCertSign 5, cRLSign 6 (RFC 5280 section 4.2.1.3). */
const DIGITAL_SIGNATURE = new BitString({ valueHex: Uint8Array.of(0x80), unusedBits: 7 });
const CERT_SIGN_AND_CRL_SIGN = new BitString({ valueHex: Uint8Array.of(0x06), unusedBits: 1 });

function extension(extnID: oid.Oid, critical: boolean, value: { toBER(): ArrayBuffer }): Extension {
  return new Extension({ extnID, critical, extnValue: value.toBER() });
}

function keyUsage(bits: BitString): Extension {
  return extension(oid.keyUsage, true, bits);
}

function basicConstraints(pathLenConstraint: number): Extension {
  return extension(
    oid.basicConstraints,
    true,
    new BasicConstraints({ cA: true, pathLenConstraint }).toSchema(),
  );
}

function extKeyUsage(purpose: oid.Oid, critical: boolean): Extension {
  return extension(oid.extKeyUsage, critical, new ExtKeyUsage({ keyPurposes: [purpose] }).toSchema());
}

/** The left 160 bits of SHA-256 over the key's bits (RFC 7093 section 2, method 1). */
function subjectKeyIdentifier(publicKey: Bytes, sha256: Sha256): Extension {
  const key = PublicKeyInfo.fromBER(publicKey).subjectPublicKey.valueBlock.valueHexView;
  return extension(oid.subjectKeyIdentifier, false, new OctetString({ valueHex: sha256(key).slice(0, 20) }));
}

function authorityKeyIdentifier(identifier: Bytes): Extension {
  const keyIdentifier = new OctetString({ valueHex: identifier });
  return extension(
    oid.authorityKeyIdentifier,
    false,
    new AuthorityKeyIdentifier({ keyIdentifier }).toSchema(),
  );
}
