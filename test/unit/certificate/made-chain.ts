// CA certificates of every shape, right and wrong, written by hand so that the code under test does not vouch for itself.

import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { instantOf } from '../../../src/clock.ts';
import { type Bytes, concat } from '../../../src/encoding/bytes.ts';
import * as der from '../../../src/encoding/der.ts';

export const NOW = instantOf(Date.UTC(2026, 10, 24, 12, 0, 0));
const YEAR = 365 * 86_400_000;

export const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
export const ANY_PURPOSE = '2.5.29.37.0';
export const CERT_SIGN = 0x04;
export const CRL_SIGN = 0x02;

type Hash = 'sha1' | 'sha256' | 'sha384' | 'sha512';

export interface Shape {
  readonly subject?: string;
  /** Name that stands as the issuer, where it is not the parent's. */
  readonly issuer?: string;
  readonly key?: KeyObject;
  readonly notBefore?: number;
  readonly notAfter?: number;
  /** basicConstraints' cA; undefined leaves the extension out. */
  readonly ca?: boolean | undefined;
  readonly pathLength?: number;
  /** The byte of keyUsage; undefined leaves it out. */
  readonly usage?: number | undefined;
  readonly purposes?: readonly string[];
  readonly keyIdentifier?: Bytes;
  readonly extra?: readonly Bytes[];
  readonly hash?: Hash;
  /** AlgorithmIdentifier that stands for the signature, whatever key has signed. */
  readonly algorithm?: Bytes;
  /** Algorithm inside the TBSCertificate, where it differs from the outer one. */
  readonly innerHash?: Hash;
}

export interface Made {
  readonly der: Bytes;
  readonly key: KeyObject;
  readonly subject: string;
}

export const ecKey = (namedCurve = 'P-256'): KeyObject =>
  generateKeyPairSync('ec', { namedCurve }).privateKey;

/** A CA certificate under `parent`, or self-signed; a plain root or intermediate where `shape` says nothing else. */
export function make(shape: Shape = {}, parent?: Made): Made {
  const subject = shape.subject ?? (parent === undefined ? 'root' : 'intermediate');
  const key = shape.key ?? ecKey();
  const signer = parent?.key ?? key;
  const tbs = der.sequence(
    der.element(der.contextTag(0), der.unsignedInteger(Uint8Array.of(2))), // v3
    der.unsignedInteger(concat(Uint8Array.of(1), randomBytes(15))),
    shape.algorithm ?? algorithmOf(signer, shape.innerHash ?? shape.hash),
    nameOf(shape.issuer ?? parent?.subject ?? subject),
    der.sequence(
      der.time((shape.notBefore ?? NOW - YEAR) / 1000),
      der.time((shape.notAfter ?? NOW + YEAR) / 1000),
    ),
    nameOf(subject),
    new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' })),
    der.element(der.contextTag(3), der.sequence(...extensionsOf(shape))),
  );
  const hash = signer.asymmetricKeyType === 'ed25519' ? null : (shape.hash ?? 'sha256');
  const signature = new Uint8Array(sign(hash, tbs, signer));
  const algorithm = shape.algorithm ?? algorithmOf(signer, shape.hash);
  return { der: der.sequence(tbs, algorithm, der.bitString(signature)), key, subject };
}

/** Issuing CA and root, as a deployment has them. */
export function makePair(
  issuing: Shape = {},
  root: Shape = {},
): { issuing: Made; root: Made; chain: Bytes[] } {
  const above = make({ pathLength: 1, ...root });
  const below = make({ pathLength: 0, purposes: [CODE_SIGNING], ...issuing }, above);
  return { issuing: below, root: above, chain: [below.der, above.der] };
}

/** A CA for code signing: more certificates above it than its own pathLenConstraint says nothing about. */
export const ISSUING: Shape = { subject: 'issuing', purposes: [CODE_SIGNING] };

export function extension(id: string, critical: boolean, value: Uint8Array): Bytes {
  const flag = critical ? der.element(der.TAG.boolean, Uint8Array.of(0xff)) : new Uint8Array();
  return der.sequence(der.objectIdentifier(id), flag, der.octetString(value));
}

function extensionsOf(shape: Shape): Bytes[] {
  const { pathLength, purposes, keyIdentifier, extra = [] } = shape;
  const ca = 'ca' in shape ? shape.ca : true;
  const usage = 'usage' in shape ? shape.usage : CERT_SIGN | CRL_SIGN;
  const out: Bytes[] = [];
  if (ca !== undefined) {
    const flag = ca ? der.element(der.TAG.boolean, Uint8Array.of(0xff)) : new Uint8Array();
    const path = pathLength === undefined ? new Uint8Array() : der.unsignedInteger(Uint8Array.of(pathLength));
    out.push(extension('2.5.29.19', true, der.sequence(flag, path)));
  }
  if (usage !== undefined) {
    out.push(extension('2.5.29.15', true, der.element(der.TAG.bitString, Uint8Array.of(1, usage))));
  }
  if (purposes !== undefined) {
    out.push(extension('2.5.29.37', false, der.sequence(...purposes.map(der.objectIdentifier))));
  }
  if (keyIdentifier !== undefined) out.push(extension('2.5.29.14', false, der.octetString(keyIdentifier)));
  return [...out, ...extra];
}

/** An empty name for '', else O=Test, CN=`text`. */
export function nameOf(text: string): Bytes {
  if (text === '') return der.sequence();
  const attribute = (id: string, value: string): Bytes =>
    der.set(der.sequence(der.objectIdentifier(id), der.utf8String(value)));
  return der.sequence(attribute('2.5.4.10', 'Test'), attribute('2.5.4.3', text));
}

const ECDSA: Readonly<Record<Hash, string>> = {
  sha1: '1.2.840.10045.4.1',
  sha256: '1.2.840.10045.4.3.2',
  sha384: '1.2.840.10045.4.3.3',
  sha512: '1.2.840.10045.4.3.4',
};
const RSA: Readonly<Record<Hash, string>> = {
  sha1: '1.2.840.113549.1.1.5',
  sha256: '1.2.840.113549.1.1.11',
  sha384: '1.2.840.113549.1.1.12',
  sha512: '1.2.840.113549.1.1.13',
};

function algorithmOf(key: KeyObject, hash: Hash = 'sha256'): Bytes {
  if (key.asymmetricKeyType === 'ed25519') return der.sequence(der.objectIdentifier('1.3.101.112'));
  if (key.asymmetricKeyType === 'ec') return der.sequence(der.objectIdentifier(ECDSA[hash]));
  return der.sequence(der.objectIdentifier(RSA[hash]), der.element(der.TAG.null));
}
