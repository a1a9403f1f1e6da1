// JWK set: a set of published keys, each imported once for each algorithm it is used with (RFC 7517).

import { type CryptoKey, importJWK, type JWK } from 'jose';
import {
  isSignatureAlgorithm,
  keyTypeOf,
  type SignatureAlgorithm,
  signatureAlgorithms,
} from './algorithm.ts';

const maxKeys = 50; // a token without `kid` is tried with each of them
const maxModulus = 1366; // base64url characters of 8192 bits
const maxExponent = 6; // base64url characters of 32 bits; a long exponent makes each verification slow
const minModulusBits = 2048; // what jose demands (RFC 7518 3.3)

export class JwkSet {
  readonly #keys: readonly PublishedKey[];
  /** What the keys themselves are for: says which algorithms to accept where no discovery document does. */
  readonly algorithms: readonly SignatureAlgorithm[];

  private constructor(keys: readonly PublishedKey[]) {
    this.#keys = keys;
    this.algorithms = signatureAlgorithms.filter((alg) => keys.some((key) => key.isMeantFor(alg)));
  }

  /**
   * Undefined where `document` is no JWK set. Keys of unsupported types, and malformed ones, are left out: they must
   * not take the good ones down.
   */
  static parse(document: unknown): JwkSet | undefined {
    if (typeof document !== 'object' || document === null || !Object.hasOwn(document, 'keys'))
      return undefined;
    const { keys } = document as { keys: unknown };
    if (!Array.isArray(keys)) return undefined;
    const usable = keys.map(readKey).filter((key) => key !== undefined);
    return new JwkSet(usable.slice(0, maxKeys));
  }

  get size(): number {
    return this.#keys.length;
  }

  /** The keys that fit `alg` and, where it is given, have this `kid`. */
  async find(alg: SignatureAlgorithm, kid: string | undefined): Promise<readonly CryptoKey[]> {
    const found: CryptoKey[] = [];
    for (const published of this.#keys) {
      if ((kid !== undefined && published.kid !== kid) || !published.fits(alg)) continue;
      const known = published.imported(alg);
      const key = known instanceof Promise ? await known : known;
      if (key !== undefined) found.push(key);
    }
    return found;
  }
}

class PublishedKey {
  readonly kid: string | undefined;
  readonly #alg: SignatureAlgorithm | undefined;
  readonly #jwk: JWK;
  readonly #imported = new Map<SignatureAlgorithm, CryptoKey | undefined | Promise<CryptoKey | undefined>>();

  constructor(jwk: JWK, alg: SignatureAlgorithm | undefined, kid: string | undefined) {
    this.#jwk = jwk;
    this.#alg = alg;
    this.kid = kid;
  }

  fits(alg: SignatureAlgorithm): boolean {
    const { kty, crv } = keyTypeOf(alg);
    if (this.#jwk.kty !== kty || (crv !== undefined && this.#jwk.crv !== crv)) return false;
    return this.#alg === undefined || this.#alg === alg || kty === 'OKP'; // EdDSA and Ed25519 name the same thing
  }

  /** An RSA key that does not say otherwise is for RS256. */
  isMeantFor(alg: SignatureAlgorithm): boolean {
    return this.fits(alg) && (this.#alg !== undefined || this.#jwk.kty !== 'RSA' || alg === 'RS256');
  }

  /** Undefined where the runtime refuses the key. */
  imported(alg: SignatureAlgorithm): CryptoKey | undefined | Promise<CryptoKey | undefined> {
    if (this.#imported.has(alg)) return this.#imported.get(alg);
    const pending = importKey(this.#jwk, alg).then((key) => {
      this.#imported.set(alg, key);
      return key;
    });
    this.#imported.set(alg, pending);
    return pending;
  }
}

async function importKey(jwk: JWK, alg: SignatureAlgorithm): Promise<CryptoKey | undefined> {
  try {
    const key = await importJWK(jwk, alg);
    if (key instanceof Uint8Array) return undefined; // a symmetric key; readKey lets none through
    const { modulusLength } = key.algorithm as { readonly modulusLength?: number };
    return modulusLength === undefined || modulusLength >= minModulusBits ? key : undefined;
  } catch {
    return undefined;
  }
}

/** Only the public members are taken along, so nothing else in the document can change how the key is imported. */
function readKey(entry: unknown): PublishedKey | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined;
  const own = (name: string) =>
    Object.hasOwn(entry, name) ? (entry as Record<string, unknown>)[name] : undefined;
  if (own('use') === 'enc' || own('d') !== undefined) return undefined; // a published private key proves nothing
  const alg = own('alg');
  if (alg !== undefined && !isSignatureAlgorithm(alg)) return undefined;
  const jwk = publicMembers(own);
  const kid = own('kid');
  return jwk && new PublishedKey(jwk, alg, typeof kid === 'string' ? kid : undefined);
}

function publicMembers(own: (name: string) => unknown): JWK | undefined {
  const [kty, crv, n, e, x, y] = ['kty', 'crv', 'n', 'e', 'x', 'y'].map(own);
  if (kty === 'RSA' && isShort(n, maxModulus) && isShort(e, maxExponent)) return { kty, n, e };
  if (kty === 'EC' && isShort(crv) && isShort(x) && isShort(y)) return { kty, crv, x, y };
  if (kty === 'OKP' && isShort(crv) && isShort(x)) return { kty, crv, x };
  return undefined;
}

function isShort(value: unknown, max = 128): value is string {
  return typeof value === 'string' && value.length <= max;
}
