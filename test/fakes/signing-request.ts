// Signing request: a PKCS#10 request for a test key, with any signature algorithm and with what it likes to ask for (RFC 2986).

import { constants, sign } from 'node:crypto';
import type { Bytes } from '../../src/encoding/bytes.ts';
import * as der from '../../src/encoding/der.ts';
import { encodePem } from '../../src/encoding/pem.ts';
import { type Kind, keyPair, spkiOf } from '../vectors/key-pairs.ts';

const ALGORITHMS = {
  'ecdsa-sha1': ['1.2.840.10045.4.1', 'sha1'],
  'ecdsa-sha256': ['1.2.840.10045.4.3.2', 'sha256'],
  'ecdsa-sha384': ['1.2.840.10045.4.3.3', 'sha384'],
  'ecdsa-sha512': ['1.2.840.10045.4.3.4', 'sha512'],
  'rsa-sha1': ['1.2.840.113549.1.1.5', 'sha1'],
  'rsa-sha256': ['1.2.840.113549.1.1.11', 'sha256'],
  'rsa-sha384': ['1.2.840.113549.1.1.12', 'sha384'],
  'rsa-sha512': ['1.2.840.113549.1.1.13', 'sha512'],
  'rsa-pss-sha256': ['1.2.840.113549.1.1.10', 'sha256'],
  ed25519: ['1.3.101.112', null],
} as const;

export type RequestAlgorithm = keyof typeof ALGORITHMS;

const USUAL: Partial<Record<Kind, RequestAlgorithm>> = {
  'P-384': 'ecdsa-sha384',
  'P-521': 'ecdsa-sha512',
  Ed25519: 'ed25519',
};

export interface RequestOptions {
  readonly algorithm?: RequestAlgorithm;
  readonly label?: string;
  /** Common name of a subject that must not matter. */
  readonly subject?: string;
  /** An email address that is asked for, and a CA certificate with it. */
  readonly asksFor?: string;
  readonly broken?: boolean;
}

/** PEM. */
export function signingRequest(kind: Kind, options: RequestOptions = {}): string {
  const { label = 'CERTIFICATE REQUEST', subject, asksFor, broken = false } = options;
  const algorithm =
    options.algorithm ?? USUAL[kind] ?? (kind.startsWith('RSA') ? 'rsa-sha256' : 'ecdsa-sha256');
  const info = der.sequence(
    der.unsignedInteger(Uint8Array.of(0)),
    subject === undefined ? der.sequence() : nameOf(subject),
    spkiOf(kind),
    der.element(der.contextTag(0), ...(asksFor === undefined ? [] : [extensionRequest(asksFor)])),
  );
  const signature = signatureOf(kind, algorithm, info);
  if (broken) signature[signature.length - 1] = (signature.at(-1) ?? 0) ^ 1;
  return encodePem(label, der.sequence(info, identifierOf(algorithm), der.bitString(signature)));
}

function signatureOf(kind: Kind, algorithm: RequestAlgorithm, info: Bytes): Buffer {
  const { privateKey: key } = keyPair(kind);
  const [, hash] = ALGORITHMS[algorithm];
  if (algorithm !== 'rsa-pss-sha256') return sign(hash, info, key);
  return sign(hash, info, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
}

function identifierOf(algorithm: RequestAlgorithm): Bytes {
  const id = der.objectIdentifier(ALGORITHMS[algorithm][0]);
  if (algorithm === 'rsa-pss-sha256') return der.sequence(id, pssParameters());
  return algorithm.startsWith('rsa') ? der.sequence(id, der.element(der.TAG.null)) : der.sequence(id);
}

/** SHA-256, MGF1 with SHA-256, 32 bytes of salt (RFC 4055 section 3.1). */
function pssParameters(): Bytes {
  const sha256 = der.sequence(der.objectIdentifier('2.16.840.1.101.3.4.2.1'), der.element(der.TAG.null));
  const mgf1 = der.sequence(der.objectIdentifier('1.2.840.113549.1.1.8'), sha256);
  return der.sequence(
    der.element(der.contextTag(0), sha256),
    der.element(der.contextTag(1), mgf1),
    der.element(der.contextTag(2), der.unsignedInteger(Uint8Array.of(32))),
  );
}

function nameOf(text: string): Bytes {
  return der.sequence(der.set(der.sequence(der.objectIdentifier('2.5.4.3'), der.utf8String(text))));
}

function extensionRequest(email: string): Bytes {
  const name = der.element(der.contextTag(1, true), Buffer.from(email));
  const extension = (id: string, value: Uint8Array): Bytes =>
    der.sequence(
      der.objectIdentifier(id),
      der.element(der.TAG.boolean, Uint8Array.of(0xff)),
      der.octetString(value),
    );
  const isCa = der.sequence(der.element(der.TAG.boolean, Uint8Array.of(0xff)));
  const extensions = der.sequence(extension('2.5.29.17', der.sequence(name)), extension('2.5.29.19', isCa));
  return der.sequence(der.objectIdentifier('1.2.840.113549.1.9.14'), der.set(extensions));
}
