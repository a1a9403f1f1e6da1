// Submitted certificate: as much of a certificate as a log reads before it takes it, held to DER throughout (RFC 5280 section 4.1).

import type { Bytes } from '../encoding/bytes.ts';
import { concat, equal } from '../encoding/bytes.ts';
import { requireCanonical } from '../encoding/canonical.ts';
import * as der from '../encoding/der.ts';
import { type AlgorithmIdentifier, readAlgorithmIdentifier } from '../key/algorithm-identifier.ts';
import * as oid from '../oid.ts';

export interface SubmittedExtension {
  /** Dotted form. */
  readonly id: string;
  readonly critical: boolean;
  /** What the OCTET STRING holds. */
  readonly value: Uint8Array;
  /** The whole Extension. */
  readonly raw: Uint8Array;
}

export interface SubmittedCertificate {
  readonly der: Bytes;
  /** TBSCertificate; the views below point into it. */
  readonly tbs: Uint8Array;
  /** The fields of the TBSCertificate before its extensions, joined. */
  readonly head: Uint8Array;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** SubjectPublicKeyInfo. */
  readonly spki: Bytes;
  readonly extensions: readonly SubmittedExtension[];
  readonly signatureAlgorithm: AlgorithmIdentifier;
  readonly signature: Uint8Array;
}

const VERSION_3 = Uint8Array.of(der.TAG.integer, 1, 2);
const EXPLICIT_EXTENSIONS = der.contextTag(3);

/** Throws a DerError for anything but a version 3 certificate in DER. */
export function readSubmittedCertificate(bytes: Bytes): SubmittedCertificate {
  requireCanonical(bytes, der.TAG.sequence);
  const outer = der.readAll(der.readOnly(bytes, der.TAG.sequence).content);
  const [tbs, algorithm, signature] = outer;
  if (
    outer.length !== 3 ||
    tbs?.tag !== der.TAG.sequence ||
    algorithm === undefined ||
    signature === undefined
  )
    throw new der.DerError('a certificate is a TBSCertificate, an algorithm and a signature', 0);
  const fields = der.readAll(tbs.content);
  const [version, serial, inner, issuer, validity, subject, spki, ...rest] = fields;
  if (version?.tag !== der.contextTag(0) || !equal(version.content, VERSION_3))
    throw new der.DerError('not a version 3 certificate', tbs.start);
  if (serial?.tag !== der.TAG.integer || spki?.tag !== der.TAG.sequence)
    throw new der.DerError('fields of the TBSCertificate are missing', tbs.start);
  for (const field of [inner, issuer, validity, subject])
    if (field?.tag !== der.TAG.sequence) throw new der.DerError('a field is no SEQUENCE', tbs.start);
  // RFC 5280 section 4.1.1.2
  if (!equal(inner?.raw ?? NONE, algorithm.raw))
    throw new der.DerError('two different signature algorithms', algorithm.start);
  const last = rest.at(-1);
  const explicit = last?.tag === EXPLICIT_EXTENSIONS ? last : undefined;
  const unique = explicit === undefined ? rest : rest.slice(0, -1);
  // issuerUniqueID and subjectUniqueID, each IMPLICIT BIT STRING
  if (!unique.every(({ tag }, i) => tag === 0x81 + i || (unique.length === 1 && tag === 0x82)))
    throw new der.DerError('unknown fields in the TBSCertificate', tbs.start);
  return {
    der: bytes,
    tbs: tbs.raw,
    head: tbs.content.subarray(0, explicit?.start ?? tbs.content.length),
    issuer: issuer?.raw ?? NONE,
    subject: subject?.raw ?? NONE,
    spki: concat(spki.raw),
    extensions: explicit === undefined ? [] : readExtensions(explicit),
    signatureAlgorithm: readAlgorithmIdentifier(algorithm),
    signature: der.octetsOf(signature),
  };
}

const NONE = new Uint8Array();

function readExtensions(explicit: der.Element): SubmittedExtension[] {
  const list = der.readAll(der.readOnly(explicit.content, der.TAG.sequence).content);
  const extensions = list.map(readExtension);
  if (extensions.length === 0) throw new der.DerError('an empty list of extensions', explicit.start);
  if (new Set(extensions.map(({ id }) => id)).size !== extensions.length)
    throw new der.DerError('an extension occurs twice', explicit.start);
  return extensions;
}

function readExtension(extension: der.Element): SubmittedExtension {
  const parts = extension.tag === der.TAG.sequence ? der.readAll(extension.content) : [];
  const [id, flag] = parts;
  const value = parts.at(-1);
  const marked = parts.length === 3;
  if (parts.length < 2 || parts.length > 3 || id?.tag !== der.TAG.oid || value?.tag !== der.TAG.octetString)
    throw new der.DerError('an extension is an identifier, a flag and a value', extension.start);
  // FALSE is the default, and a default is left out (X.690 section 11.5).
  if (marked && (flag?.tag !== der.TAG.boolean || flag.content[0] !== 0xff))
    throw new der.DerError('an extension whose critical flag is not DER', extension.start);
  return { id: der.oidOf(id.content), critical: marked, value: value.content, raw: extension.raw };
}

/** Whether the certificate is of a CA that may sign certificates (RFC 5280 sections 4.2.1.9 and 4.2.1.3); with its path length. */
export function readCaBits({ extensions }: SubmittedCertificate): {
  readonly mayCertify: boolean;
  readonly pathLength: number | undefined;
} {
  const value = (id: oid.Oid): Uint8Array | undefined => extensions.find((found) => found.id === id)?.value;
  const constraints = value(oid.basicConstraints);
  const [flag, length] =
    constraints === undefined ? [] : der.readAll(der.readOnly(constraints, der.TAG.sequence).content);
  const isCa = flag?.tag === der.TAG.boolean && flag.content[0] === 0xff;
  const usage = value(oid.keyUsage);
  const bits = usage === undefined ? undefined : der.readOnly(usage, der.TAG.bitString).content[1];
  // keyCertSign is bit 5 from the left.
  const mayCertify = isCa && (usage === undefined || ((bits ?? 0) & 0x04) !== 0);
  return { mayCertify, pathLength: length === undefined ? undefined : toNumber(der.magnitudeOf(length)) };
}

function toNumber(magnitude: Uint8Array): number {
  let out = 0;
  for (const byte of magnitude) out = out * 256 + byte;
  return out;
}

/** The purposes of an extended key usage extension, in dotted form; none where there is no such extension. */
export function readPurposes({ extensions }: SubmittedCertificate): readonly string[] {
  const usage = extensions.find(({ id }) => id === oid.extKeyUsage);
  if (usage === undefined) return [];
  return der
    .readAll(der.readOnly(usage.value, der.TAG.sequence).content)
    .map(({ content }) => der.oidOf(content));
}
