// Verification: whether a bundle holds for an artifact under a trusted root, and whether who signed is who was meant.

import { createHash } from 'node:crypto';
import {
  type Bundle,
  bundleFromJSON,
  isBundleWithDsseEnvelope,
  isBundleWithMessageSignature,
} from '@sigstore/bundle';
import type { TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, VerificationError, Verifier } from '@sigstore/verify';
import { type Leaf, readLeaf } from '../certificate/leaf.ts';
import { printable } from '../certificate/plain-words.ts';
import { ClientError, type FlawCode, SignatureFlaw } from './client-error.ts';
import type { IdentityPattern } from './identity-pattern.ts';
import { isAbout, PAYLOAD_TYPE, predicateName, readStatement, type Statement } from './statement.ts';

export interface SignedArtifact {
  readonly bundle: Bundle;
  readonly artifact: Uint8Array;
  readonly trustedRoot: TrustedRoot;
}

export interface Signer {
  readonly identity: string;
  readonly issuer: string;
  readonly leaf: Leaf;
  /** When a trusted clock saw the signature; the earliest, where there are several. */
  readonly signedAt: Date;
  /** In an attestation. */
  readonly statement?: Statement;
}

/** What a signature has to be beside sound. */
export interface Expectation {
  readonly identity: IdentityPattern;
  /** The exact URL. */
  readonly issuer: string;
  /** An attestation of this type. Without it, a plain signature or an attestation of where the artifact comes from. */
  readonly predicateType?: string;
  /** Takes an attestation of whatever type, and no plain signature. */
  readonly anyAttestation?: boolean;
}

/** Throws SignatureFlaw `bundle_malformed`. */
export function readBundle(text: string): Bundle {
  try {
    return bundleFromJSON(JSON.parse(text));
  } catch (cause) {
    throw new SignatureFlaw('bundle_malformed', 'the bundle is no Sigstore bundle', cause);
  }
}

/** Sound, and by whom; that alone is no reason to trust it. Throws SignatureFlaw, and ClientError for the trusted root. */
export function whoSigned(signed: SignedArtifact): Signer {
  const { bundle, artifact } = signed;
  const leaf = leafOf(bundle);
  const times = timesOf(bundle);
  checkDigest(bundle, artifact);
  checkCryptographically(signed, leaf, times);
  const identity = leaf.san?.value;
  const issuer = leaf.attributes.get(8) ?? leaf.attributes.get(1);
  if (identity === undefined || issuer === undefined)
    throw flaw('bundle_unsuitable', 'the certificate names nobody, or not whose word that is');
  const statement = statementOf(bundle, artifact);
  return {
    identity,
    issuer,
    leaf,
    signedAt: new Date(Math.min(...times)),
    ...(statement === undefined ? {} : { statement }),
  };
}

/** Throws SignatureFlaw with the first thing that is wrong, and ClientError for a trusted root that cannot be used. */
export function verifySignature(signed: SignedArtifact, expectation: Expectation): Signer {
  const signer = whoSigned(signed);
  checkKind(signer.statement?.predicateType, expectation);
  const { identity, issuer } = expectation;
  if (signer.issuer !== issuer) {
    throw new SignatureFlaw(
      'issuer_mismatch',
      `the signer's identity comes from ${printable(signer.issuer)}, not from ${printable(issuer)}`,
    );
  }
  if (!identity.matches(signer.identity)) {
    throw new SignatureFlaw(
      'identity_mismatch',
      `it was signed by ${printable(signer.identity)}, not by ${printable(identity.text)}`,
    );
  }
  return signer;
}

function leafOf({ verificationMaterial: { content } }: Bundle): Leaf {
  if (content.$case === 'publicKey')
    throw flaw('bundle_unsuitable', 'the bundle names a bare key, so that no identity stands behind it');
  const certificate =
    content.$case === 'certificate' ? content.certificate : content.x509CertificateChain.certificates[0];
  try {
    const leaf = readLeaf(certificate?.rawBytes ?? new Uint8Array());
    if (Number.isFinite(leaf.notBefore) && Number.isFinite(leaf.notAfter)) return leaf;
  } catch {
    // told below
  }
  throw flaw('bundle_malformed', 'the certificate in the bundle cannot be read');
}

/** What the timestamps of the bundle say, not yet believed, in milliseconds. */
function timesOf(bundle: Bundle): readonly number[] {
  // A signature log's time counts with the log's promise alone, as in @sigstore/verify.
  const timestamps = entityOf(bundle, new Uint8Array()).timestamps.filter(
    (stamp) => stamp.$case === 'timestamp-authority' || stamp.tlogEntry.inclusionPromise !== undefined,
  );
  if (timestamps.length === 0) {
    throw flaw(
      'timestamp_missing',
      'the bundle has no timestamp, so that nothing shows it was signed while the certificate was valid',
    );
  }
  const times = timestamps.map(timeOf);
  if (times.every(Number.isFinite)) return times;
  throw flaw('bundle_malformed', 'a timestamp in the bundle cannot be read');
}

type Stamp = ReturnType<typeof toSignedEntity>['timestamps'][number];

/** NaN for a timestamp that cannot be read: the parts of a token are only parsed when they are asked for. */
function timeOf(stamp: Stamp): number {
  if (stamp.$case === 'transparency-log') return Number(stamp.tlogEntry.integratedTime) * 1000;
  try {
    return stamp.timestamp.signingTime.getTime();
  } catch {
    return Number.NaN;
  }
}

function entityOf(bundle: Bundle, artifact: Uint8Array): ReturnType<typeof toSignedEntity> {
  if (isBundleWithDsseEnvelope(bundle)) {
    const { signatures, payloadType } = bundle.content.dsseEnvelope;
    if (signatures.length !== 1)
      throw flaw('bundle_malformed', 'the envelope in the bundle has not exactly one signature');
    if (payloadType !== PAYLOAD_TYPE)
      throw flaw(
        'bundle_unsuitable',
        'the envelope in the bundle holds something other than an in-toto statement',
      );
  }
  try {
    return toSignedEntity(bundle, Buffer.from(artifact));
  } catch (cause) {
    throw flaw('bundle_malformed', 'a part of the bundle cannot be read', cause);
  }
}

/** The digest in the bundle is a hint that anyone can change; it serves to say plainly that the file is another one. */
function checkDigest(bundle: Bundle, artifact: Uint8Array): void {
  if (!isBundleWithMessageSignature(bundle)) return;
  const wanted = bundle.content.messageSignature.messageDigest.digest;
  if (wanted.length !== 32) return;
  const found = createHash('sha256').update(artifact).digest();
  if (wanted.equals(found)) return;
  throw flaw(
    'artifact_mismatch',
    `the file is not the one that was signed: its SHA-256 is ${found.toString('hex')}, and the bundle is for ${wanted.toString('hex')}`,
  );
}

function checkCryptographically(
  { bundle, artifact, trustedRoot }: SignedArtifact,
  leaf: Leaf,
  times: readonly number[],
): void {
  const entity = entityOf(bundle, artifact);
  try {
    verifierFor(trustedRoot).verify(entity);
  } catch (failure) {
    if (failure instanceof ClientError) throw failure;
    if (!(failure instanceof VerificationError))
      throw flaw('bundle_malformed', 'a part of the bundle cannot be read', failure);
    throw explained(failure, leaf, times);
  }
}

/** What the trusted root lists is asked for: one SCT for its CT logs, one entry for its signature logs. */
function verifierFor(root: TrustedRoot): Verifier {
  try {
    return new Verifier(toTrustMaterial(root), {
      ctlogThreshold: root.ctlogs.length > 0 ? 1 : 0,
      tlogThreshold: root.tlogs.length > 0 ? 1 : 0,
      timestampThreshold: 1,
    });
  } catch (cause) {
    throw new ClientError('trusted_root_malformed', 'a key of the trusted root cannot be read', cause);
  }
}

function explained(failure: VerificationError, leaf: Leaf, times: readonly number[]): SignatureFlaw {
  switch (failure.code) {
    case 'TIMESTAMP_ERROR':
      return flaw(
        'timestamp_untrusted',
        'no timestamp authority of the trusted root vouches for the time of the signature',
        failure,
      );
    case 'CERTIFICATE_ERROR':
      if (/\bSCT/.test(failure.message)) {
        return flaw(
          'sct_untrusted',
          "the certificate is in no log of the trusted root, or its promise to be there is not the log's own",
          failure,
        );
      }
      if (times.some((time) => time < leaf.notBefore || time > leaf.notAfter)) {
        return flaw(
          'certificate_expired',
          `the signature was made outside the certificate's time, ${iso(leaf.notBefore)} to ${iso(leaf.notAfter)}`,
          failure,
        );
      }
      return flaw(
        'certificate_untrusted',
        'no certificate authority of the trusted root has issued the certificate',
        failure,
      );
    case 'SIGNATURE_ERROR':
      return flaw('signature_invalid', 'the signature does not match what it is said to sign', failure);
    case 'PUBLIC_KEY_ERROR':
      return flaw(
        'bundle_unsuitable',
        'the bundle names a bare key, so that no identity stands behind it',
        failure,
      );
    default:
      return flaw(
        'signature_log_untrusted',
        'the signature is in no signature log of the trusted root, or its entry there is about something else',
        failure,
      );
  }
}

/** Only after the signature over it has been checked. */
function statementOf(bundle: Bundle, artifact: Uint8Array): Statement | undefined {
  if (!isBundleWithDsseEnvelope(bundle)) return undefined;
  const statement = readStatement(bundle.content.dsseEnvelope.payload);
  if (isAbout(statement, artifact)) return statement;
  const found = createHash('sha256').update(artifact).digest('hex');
  throw flaw(
    'artifact_mismatch',
    `the attestation is about something else: no subject of it has the file's SHA-256, ${found}`,
  );
}

/** An attestation may say anything, even that the artifact is bad, so only some kinds pass for "this is from them". */
function checkKind(found: string | undefined, { predicateType, anyAttestation = false }: Expectation): void {
  if (found === undefined) {
    if (predicateType === undefined && !anyAttestation) return;
    throw flaw('predicate_type_mismatch', 'the bundle is a plain signature, and an attestation is asked for');
  }
  if (
    predicateType === undefined
      ? anyAttestation || predicateName(found) !== undefined
      : found === predicateType
  )
    return;
  throw flaw(
    'predicate_type_mismatch',
    predicateType === undefined
      ? `the bundle is an attestation of type ${printable(found)}: read what it says before trusting the file, and ask for it with --type`
      : `the attestation is of type ${printable(found)}, not ${printable(predicateType)}`,
  );
}

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString().replace('.000Z', 'Z');

function flaw(code: FlawCode, sentence: string, cause?: unknown): SignatureFlaw {
  return new SignatureFlaw(code, sentence, cause);
}
