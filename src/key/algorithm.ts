// Algorithm: the client signing algorithms by their Sigstore names, and which of them an instance permits.

import { Problem } from '../problem.ts';
import type { CurveName } from './curve.ts';
import type { PublicKey } from './public-key.ts';

export type HashName = 'SHA-256' | 'SHA-384' | 'SHA-512';

type KeyShape =
  | { readonly type: 'ecdsa'; readonly curve: CurveName }
  | { readonly type: 'rsa'; readonly bits: 2048 | 3072 | 4096 }
  | { readonly type: 'ed25519' };

interface Algorithm {
  readonly key: KeyShape;
  /** Undefined where the message is signed as it is. */
  readonly hash: HashName | undefined;
}

const p256 = { type: 'ecdsa', curve: 'P-256' } as const;
const p384 = { type: 'ecdsa', curve: 'P-384' } as const;
const p521 = { type: 'ecdsa', curve: 'P-521' } as const;
const rsa2048 = { type: 'rsa', bits: 2048 } as const;
const rsa3072 = { type: 'rsa', bits: 3072 } as const;
const rsa4096 = { type: 'rsa', bits: 4096 } as const;
const ed25519 = { type: 'ed25519' } as const;

/** The names of sigstore/protobuf-specs' PublicKeyDetails as Sigstore services take them on the command line. */
const ALGORITHMS = {
  'ecdsa-sha2-256-nistp256': { key: p256, hash: 'SHA-256' },
  'ecdsa-sha2-384-nistp384': { key: p384, hash: 'SHA-384' },
  'ecdsa-sha2-512-nistp521': { key: p521, hash: 'SHA-512' },
  'ecdsa-sha2-256-nistp384': { key: p384, hash: 'SHA-256' },
  'ecdsa-sha2-256-nistp521': { key: p521, hash: 'SHA-256' },
  'rsa-sign-pkcs1-2048-sha256': { key: rsa2048, hash: 'SHA-256' },
  'rsa-sign-pkcs1-3072-sha256': { key: rsa3072, hash: 'SHA-256' },
  'rsa-sign-pkcs1-4096-sha256': { key: rsa4096, hash: 'SHA-256' },
  // A list that names these permits the PKCS#1 v1.5 signatures of the same size: only key and hash are compared.
  'rsa-sign-pss-2048-sha256': { key: rsa2048, hash: 'SHA-256' },
  'rsa-sign-pss-3072-sha256': { key: rsa3072, hash: 'SHA-256' },
  'rsa-sign-pss-4096-sha256': { key: rsa4096, hash: 'SHA-256' },
  ed25519: { key: ed25519, hash: undefined },
  'ed25519-ph': { key: ed25519, hash: 'SHA-512' },
} as const satisfies Record<string, Algorithm>;

export type AlgorithmName = keyof typeof ALGORITHMS;

export const ALGORITHM_NAMES = Object.keys(ALGORITHMS) as readonly AlgorithmName[]; // its keys are just these

export const DEFAULT_ALGORITHMS: readonly AlgorithmName[] = [
  'ecdsa-sha2-256-nistp256',
  'ecdsa-sha2-384-nistp384',
  'ecdsa-sha2-512-nistp521',
  'rsa-sign-pkcs1-2048-sha256',
  'rsa-sign-pkcs1-3072-sha256',
  'rsa-sign-pkcs1-4096-sha256',
  'ed25519',
];

export function isAlgorithmName(name: string): name is AlgorithmName {
  return Object.hasOwn(ALGORITHMS, name);
}

/** A setting names algorithms that do not exist. */
export class UnknownAlgorithm extends Error {
  override readonly name = 'UnknownAlgorithm';
  readonly code = 'algorithm_unknown';
  readonly unknown: readonly string[];
  readonly legal = ALGORITHM_NAMES;

  constructor(unknown: readonly string[]) {
    super(
      `no client signing algorithm is called ${unknown.map((name) => `"${name}"`).join(', ')}; ` +
        `the names are ${ALGORITHM_NAMES.join(', ')}`,
    );
    this.unknown = unknown;
  }
}

export class AlgorithmAllowList {
  readonly names: readonly AlgorithmName[];
  readonly #permitted: ReadonlySet<string>;

  private constructor(names: readonly AlgorithmName[]) {
    this.names = names;
    this.#permitted = new Set(names.map((name) => fingerprint(ALGORITHMS[name].key, ALGORITHMS[name].hash)));
  }

  /** Throws an UnknownAlgorithm with every name that is none. */
  static parse(names: readonly string[]): AlgorithmAllowList {
    const unknown = names.filter((name) => !isAlgorithmName(name));
    if (unknown.length > 0) throw new UnknownAlgorithm(unknown);
    return new AlgorithmAllowList(names.filter(isAlgorithmName));
  }

  /** `hash` is the one of the signature that proved possession. Throws Problem `algorithm_not_permitted`. */
  requirePermitted(key: PublicKey, hash: HashName | undefined): void {
    if (this.#permitted.has(fingerprint(key, hash))) return;
    throw new Problem('algorithm_not_permitted', {
      message: `signing algorithm not permitted: ${GO_TYPE[key.type]}, ${hash ?? 'unknown hash value 0'}`,
      hint: `This instance permits ${this.names.join(', ') || 'no algorithm'}.`,
    });
  }
}

/** As Fulcio, written in Go, prints the key. */
const GO_TYPE = { ecdsa: '*ecdsa.PublicKey', rsa: '*rsa.PublicKey', ed25519: 'ed25519.PublicKey' } as const;

/** A signature's algorithm by what the list compares: key type, size or curve, hash. */
function fingerprint(key: KeyShape | PublicKey, hash: HashName | undefined): string {
  const size = key.type === 'ecdsa' ? key.curve : key.type === 'rsa' ? key.bits : '';
  return `${key.type} ${size} ${hash ?? ''}`;
}
