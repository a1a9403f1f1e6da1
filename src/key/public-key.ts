// PublicKey: a client's key as SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7), read strictly and kept exactly as sent.

import { type Bytes, concat } from '../encoding/bytes.ts';
import {
  bitString,
  DerError,
  type Element,
  element,
  magnitudeOf,
  objectIdentifier,
  octetsOf,
  oidOf,
  readAll,
  readOnly,
  sequence,
  TAG,
} from '../encoding/der.ts';
import { decodePem } from '../encoding/pem.ts';
import * as oid from '../oid.ts';
import { Problem } from '../problem.ts';
import { readAlgorithmIdentifier } from './algorithm-identifier.ts';
import { type CurveName, isOnCurve } from './curve.ts';

export interface EcdsaKey {
  readonly type: 'ecdsa';
  readonly curve: CurveName;
  /** 0x04, x, y; on the curve. */
  readonly point: Uint8Array;
  readonly spki: Bytes;
}

export interface RsaKey {
  readonly type: 'rsa';
  /** Big-endian magnitudes without leading zeros; of any size until `requireStrong` has seen them. */
  readonly modulus: Uint8Array;
  readonly exponent: Uint8Array;
  readonly bits: number;
  readonly spki: Bytes;
}

export interface Ed25519Key {
  readonly type: 'ed25519';
  /** 32 bytes. */
  readonly point: Uint8Array;
  readonly spki: Bytes;
}

/** `spki` is DER; a PKCS#1 key has been wrapped into one. */
export type PublicKey = EcdsaKey | RsaKey | Ed25519Key;

/** For people: `ECDSA P-256`, `RSA 2048`, `Ed25519`. */
export function algorithmOf(key: PublicKey): string {
  if (key.type === 'ecdsa') return `ECDSA ${key.curve}`;
  return key.type === 'rsa' ? `RSA ${key.bits}` : 'Ed25519';
}

const FIELD = 'publicKeyRequest.publicKey.content';
const ACCEPTED = 'Send an ECDSA (P-256, P-384, P-521), RSA or Ed25519 key as PEM labelled PUBLIC KEY.';

/**
 * The key in the first PEM block of `content` (labels PUBLIC KEY and RSA PUBLIC KEY), or, where bytes hold no such block,
 * in DER. Throws Problem `public_key_invalid`, or `key_rejected` for a kind that is known and never accepted.
 */
export function parsePublicKey(content: string | Uint8Array): PublicKey {
  try {
    const key = read(content);
    if (key !== undefined) return key;
  } catch (cause) {
    if (!(cause instanceof DerError)) throw cause;
    throw new Problem('public_key_invalid', { field: FIELD, hint: ACCEPTED, cause });
  }
  throw new Problem('public_key_invalid', { field: FIELD, hint: ACCEPTED });
}

const lenientUtf8 = new TextDecoder();

function read(content: string | Uint8Array): PublicKey | undefined {
  const [block] = decodePem(typeof content === 'string' ? content : lenientUtf8.decode(content));
  if (block?.label === 'PUBLIC KEY') return readSubjectPublicKeyInfo(block.der);
  if (block?.label === 'RSA PUBLIC KEY') return readRsaPublicKey(block.der, wrapRsaPublicKey(block.der));
  return typeof content === 'string' ? undefined : readSubjectPublicKeyInfo(new Uint8Array(content));
}

/**
 * Undefined when the key is of an unknown algorithm. Throws a DerError when it is malformed or its curve is unknown,
 * Problem `key_rejected` when it is of a kind that is known and never accepted.
 */
export function readSubjectPublicKeyInfo(spki: Bytes): PublicKey | undefined {
  if (beginsAsP256(spki)) return p256Key(spki.subarray(P256_HEAD.length), spki);
  const [identifier, subjectPublicKey, extra] = readAll(readOnly(spki, TAG.sequence).content);
  if (identifier === undefined || subjectPublicKey === undefined || extra !== undefined)
    throw new DerError('SubjectPublicKeyInfo does not have two fields', 0);
  const { algorithm, parameters } = readAlgorithmIdentifier(identifier);
  const key = octetsOf(subjectPublicKey);
  switch (algorithm) {
    case oid.ecPublicKey:
      return readEcPublicKey(parameters, key, spki);
    case oid.rsaEncryption:
      // RFC 3279 section 2.3.1: the parameters are NULL, not absent.
      if (parameters?.tag !== TAG.null || parameters.content.length !== 0)
        throw new DerError('RSA key without NULL parameters', identifier.start);
      return readRsaPublicKey(key, spki);
    case oid.ed25519:
      requireRawKey(parameters, key);
      return { type: 'ed25519', point: key, spki };
    case oid.x25519:
      requireRawKey(parameters, key);
      throw new Problem('key_rejected', { hint: ACCEPTED });
    case oid.dsa:
      throw new Problem('key_rejected', { hint: ACCEPTED });
    default:
      return undefined;
  }
}

/** Nearly every key is on P-256: all of its SubjectPublicKeyInfo before the point is one constant. */
const P256_HEAD = concat(
  Uint8Array.of(TAG.sequence, 0x59),
  sequence(objectIdentifier(oid.ecPublicKey), objectIdentifier(oid.curveP256)),
  Uint8Array.of(TAG.bitString, 0x42, 0x00),
);

function beginsAsP256(spki: Uint8Array): boolean {
  if (spki.length !== P256_HEAD.length + 65) return false;
  for (let i = 0; i < P256_HEAD.length; i++) if (spki[i] !== P256_HEAD[i]) return false;
  return true;
}

function p256Key(point: Uint8Array, spki: Bytes): EcdsaKey {
  if (!isOnCurve('P-256', point)) throw new DerError('no uncompressed point of the curve', P256_HEAD.length);
  return { type: 'ecdsa', curve: 'P-256', point, spki };
}

const CURVES: ReadonlyMap<string, CurveName> = new Map([
  [oid.curveP256, 'P-256'],
  [oid.curveP384, 'P-384'],
  [oid.curveP521, 'P-521'],
]);

/** RFC 5480 section 2.1.1: the parameters name a curve; explicit parameters are malformed here. */
function readEcPublicKey(parameters: Element | undefined, point: Uint8Array, spki: Bytes): EcdsaKey {
  if (parameters?.tag !== TAG.oid) throw new DerError('elliptic curve is not named', 0);
  const named = oidOf(parameters.content);
  if (named === oid.curveP224) throw new Problem('key_rejected', { hint: ACCEPTED });
  const curve = CURVES.get(named);
  if (curve === undefined) throw new DerError('unknown elliptic curve', parameters.start);
  if (!isOnCurve(curve, point)) throw new DerError('no uncompressed point of the curve', 0);
  return { type: 'ecdsa', curve, point, spki };
}

/** RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER } (RFC 8017 appendix A.1.1). */
function readRsaPublicKey(pkcs1: Uint8Array, spki: Bytes): RsaKey {
  const [first, second, extra] = readAll(readOnly(pkcs1, TAG.sequence).content);
  if (first === undefined || second === undefined || extra !== undefined)
    throw new DerError('RSAPublicKey does not have two fields', 0);
  const modulus = magnitudeOf(first);
  const exponent = magnitudeOf(second);
  const [top] = modulus;
  if (top === undefined || exponent.length === 0) throw new DerError('modulus or exponent is 0', 0);
  return { type: 'rsa', modulus, exponent, bits: 8 * modulus.length - Math.clz32(top) + 24, spki };
}

const RSA_ALGORITHM = sequence(objectIdentifier(oid.rsaEncryption), element(TAG.null));

const wrapRsaPublicKey = (pkcs1: Uint8Array): Bytes => sequence(RSA_ALGORITHM, bitString(pkcs1));

/** RFC 8410 sections 3 and 4: no parameters, 32 bytes. */
function requireRawKey(parameters: Element | undefined, key: Uint8Array): void {
  if (parameters !== undefined) throw new DerError('parameters where none belong', parameters.start);
  if (key.length !== 32) throw new DerError('key is not 32 bytes', 0);
}
