// Private key: a PKCS#8 key (RFC 5958) held by WebCrypto, where it signs and cannot be taken out again.

import { exportJWK } from 'jose';
import type { Bytes } from '../encoding/bytes.ts';
import { DerError, oidOf, readAll, readOnly, TAG } from '../encoding/der.ts';
import { decodePem } from '../encoding/pem.ts';
import { readAlgorithmIdentifier } from '../key/algorithm-identifier.ts';
import type { Signer } from '../key/signer.ts';
import * as oid from '../oid.ts';
import { webCryptoSigner } from './webcrypto-signer.ts';

/** Why a private key cannot be used, as a sentence for the operator; never anything of the key. */
export class PrivateKeyError extends Error {
  override readonly name = 'PrivateKeyError';
}

const CURVES: ReadonlyMap<string, string> = new Map([
  [oid.curveP256, 'P-256'],
  [oid.curveP384, 'P-384'],
  [oid.curveP521, 'P-521'],
]);

type Algorithm =
  | { readonly name: 'ECDSA'; readonly namedCurve: string }
  | { readonly name: 'RSASSA-PKCS1-v1_5'; readonly hash: 'SHA-256' }
  | { readonly name: 'Ed25519' };

/**
 * Signs with the one PRIVATE KEY in `pem`: ECDSA on P-256, P-384 or P-521, RSA, or Ed25519. Throws PrivateKeyError.
 * Encrypted keys have to be decrypted first: WebCrypto knows no scrypt.
 */
export async function importPrivateKey(pem: string): Promise<Signer> {
  const blocks = decodePem(pem).filter(({ label }) => label.endsWith('PRIVATE KEY'));
  const [block, second] = blocks;
  if (block?.label !== 'PRIVATE KEY' || second !== undefined)
    throw new PrivateKeyError('takes exactly one unencrypted PKCS#8 key in PEM, labelled PRIVATE KEY');
  const algorithm = algorithmOf(block.der);
  try {
    const key = await crypto.subtle.importKey('pkcs8', block.der, algorithm, false, ['sign']);
    return webCryptoSigner(key, await publicKeyOf(block.der, algorithm));
  } catch (cause) {
    throw new PrivateKeyError('is not a key that this runtime can sign with', { cause });
  }
}

/** PrivateKeyInfo ::= SEQUENCE { version, privateKeyAlgorithm, privateKey, ... } (RFC 5958 section 2). */
function algorithmOf(pkcs8: Bytes): Algorithm {
  const found = identifierOf(pkcs8);
  switch (found?.algorithm) {
    case oid.rsaEncryption:
      return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
    case oid.ed25519:
      return { name: 'Ed25519' };
    case oid.ecPublicKey: {
      const { parameters } = found;
      const namedCurve = parameters?.tag === TAG.oid ? CURVES.get(oidOf(parameters.content)) : undefined;
      if (namedCurve !== undefined) return { name: 'ECDSA', namedCurve };
    }
  }
  throw new PrivateKeyError('is not ECDSA on P-256, P-384 or P-521, RSA, or Ed25519');
}

function identifierOf(pkcs8: Bytes): ReturnType<typeof readAlgorithmIdentifier> | undefined {
  try {
    const [, identifier] = readAll(readOnly(pkcs8, TAG.sequence).content);
    return identifier && readAlgorithmIdentifier(identifier);
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}

/** A second, short-lived import: PKCS#8 need not hold the public half, and only an extractable key tells it. */
async function publicKeyOf(pkcs8: Bytes, algorithm: Algorithm): Promise<Bytes> {
  const whole = await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign']);
  const { kty, crv, x, y, n, e } = await exportJWK(whole);
  const half = { kty: kty ?? '', ...defined({ crv, x, y, n, e }) };
  const key = await crypto.subtle.importKey('jwk', half, algorithm, true, ['verify']);
  const spki = await crypto.subtle.exportKey('spki', key);
  if (!(spki instanceof ArrayBuffer)) throw new TypeError('no SubjectPublicKeyInfo came out');
  return new Uint8Array(spki);
}

/** The members that have a value. */
function defined(members: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(members).flatMap(([k, v]) => (v === undefined ? [] : [[k, v]])));
}
