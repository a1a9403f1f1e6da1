// SignatureAlgorithm: what a certification request may be signed with (RFC 5758, RFC 4055, RFC 8410).

import { contextTag, DerError, type Element, readAll, readElement } from '../encoding/der.ts';
import * as oid from '../oid.ts';
import type { HashName } from './algorithm.ts';
import { type AlgorithmIdentifier, readAlgorithmIdentifier } from './algorithm-identifier.ts';
import type { PublicKey } from './public-key.ts';

interface Accepted {
  readonly keyType: PublicKey['type'];
  /** Undefined for Ed25519, which signs the message as it is. */
  readonly hash: HashName | undefined;
  readonly refusedAs?: undefined;
}

interface Refused {
  readonly keyType: PublicKey['type'];
  /** The name by which Fulcio refuses it. */
  readonly refusedAs: string;
}

export type SignatureAlgorithm = Accepted | Refused;

const ALGORITHMS: ReadonlyMap<string, SignatureAlgorithm> = new Map<string, SignatureAlgorithm>([
  [oid.ecdsaWithSha256, { keyType: 'ecdsa', hash: 'SHA-256' }],
  [oid.ecdsaWithSha384, { keyType: 'ecdsa', hash: 'SHA-384' }],
  [oid.ecdsaWithSha512, { keyType: 'ecdsa', hash: 'SHA-512' }],
  [oid.sha256WithRsa, { keyType: 'rsa', hash: 'SHA-256' }],
  [oid.sha384WithRsa, { keyType: 'rsa', hash: 'SHA-384' }],
  [oid.sha512WithRsa, { keyType: 'rsa', hash: 'SHA-512' }],
  [oid.ed25519, { keyType: 'ed25519', hash: undefined }],
  [oid.ecdsaWithSha1, { keyType: 'ecdsa', refusedAs: 'ECDSA-SHA1' }],
  [oid.sha1WithRsa, { keyType: 'rsa', refusedAs: 'SHA1-RSA' }],
]);

/** Undefined for what Fulcio does not know either, be it only for its parameters. */
export function recognize({ algorithm, parameters }: AlgorithmIdentifier): SignatureAlgorithm | undefined {
  if (algorithm === oid.rsaPss) return recognizePss(parameters);
  if (algorithm === oid.ed25519 && parameters !== undefined) return undefined; // RFC 8410 section 3
  return ALGORITHMS.get(algorithm);
}

const PSS_HASHES: ReadonlyMap<string, readonly [name: string, size: number]> = new Map([
  [oid.sha256, ['SHA256', 32]],
  [oid.sha384, ['SHA384', 48]],
  [oid.sha512, ['SHA512', 64]],
]);

/** RSASSA-PSS-params with hash and salt length written out (RFC 4055 section 3.1), as the defaults mean SHA-1. */
function recognizePss(parameters: Element | undefined): SignatureAlgorithm | undefined {
  try {
    const fields = new Map(readAll(parameters?.content ?? NONE).map(({ tag, content }) => [tag, content]));
    const hash = readElement(fields.get(contextTag(0)) ?? NONE);
    const salt = readElement(fields.get(contextTag(2)) ?? NONE);
    const [name, size] = PSS_HASHES.get(readAlgorithmIdentifier(hash).algorithm) ?? [];
    if (salt.content.length !== 1 || salt.content[0] !== size) return undefined; // a salt as long as the hash
    return { keyType: 'rsa', refusedAs: `${name}-RSAPSS` };
  } catch (cause) {
    if (cause instanceof DerError) return undefined;
    throw cause;
  }
}

const NONE = new Uint8Array();
