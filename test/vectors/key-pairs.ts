// Keys of every kind, accepted or not, by node:crypto; made once for each test file that asks.

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

import type { HashName } from '../../src/key/algorithm.ts';

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const ec = (namedCurve: string) => (): KeyPair => generateKeyPairSync('ec', { namedCurve });
const rsa = (modulusLength: number) => (): KeyPair => generateKeyPairSync('rsa', { modulusLength });

const MAKERS = {
  'P-256': ec('P-256'),
  'P-384': ec('P-384'),
  'P-521': ec('P-521'),
  'RSA-2048': rsa(2048),
  'RSA-3072': rsa(3072),
  'RSA-4096': rsa(4096),
  'RSA-1024': rsa(1024),
  Ed25519: (): KeyPair => generateKeyPairSync('ed25519'),
  'P-224': ec('secp224r1'),
  secp256k1: ec('secp256k1'),
  brainpoolP256r1: ec('brainpoolP256r1'),
  X25519: (): KeyPair => generateKeyPairSync('x25519'),
  X448: (): KeyPair => generateKeyPairSync('x448'),
  Ed448: (): KeyPair => generateKeyPairSync('ed448'),
  DSA: (): KeyPair => generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 }),
  'RSA-PSS': (): KeyPair => generateKeyPairSync('rsa-pss', { modulusLength: 2048 }),
} as const;

export type Kind = keyof typeof MAKERS;

const made = new Map<Kind, KeyPair>();

export function keyPair(kind: Kind): KeyPair {
  const pair = made.get(kind) ?? MAKERS[kind]();
  made.set(kind, pair);
  return pair;
}

export const spkiOf = (kind: Kind): Uint8Array<ArrayBuffer> =>
  new Uint8Array(keyPair(kind).publicKey.export({ format: 'der', type: 'spki' }));

export const pemOf = (kind: Kind): string =>
  keyPair(kind).publicKey.export({ format: 'pem', type: 'spki' }).toString();

/** The kinds that get a certificate, with the hash that a proof of possession takes. */
export const ACCEPTED = [
  ['P-256', 'SHA-256'],
  ['P-384', 'SHA-384'],
  ['P-521', 'SHA-512'],
  ['RSA-2048', 'SHA-256'],
  ['RSA-3072', 'SHA-256'],
  ['RSA-4096', 'SHA-256'],
  ['Ed25519', undefined],
] as const satisfies readonly (readonly [Kind, HashName | undefined])[];

/** ECDSA as DER. */
export function signWith(kind: Kind, hash: HashName | undefined, message: string | Uint8Array): Uint8Array {
  return new Uint8Array(sign(hash ?? null, Buffer.from(message), keyPair(kind).privateKey));
}
