// New CA: the root and the intermediate of a fresh instance, each with a key of its own.

import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { type Creation, createIntermediate, createRoot } from '../certificate/ca-certificate.ts';
import type { Bytes } from '../encoding/bytes.ts';
import type { InstanceKind } from './data-folder.ts';
import { nativeSigner } from './native-signer.ts';

/** organizationName of both CA certificates, and each one's commonName. */
export interface InstanceNames {
  readonly organization: string;
  readonly root: string;
  readonly intermediate: string;
}

export type CaCurve = 'P-256' | 'P-384';

export interface NewCaOptions extends Creation {
  readonly kind: InstanceKind;
  /** P-256 unless given: it signs twenty times faster. */
  readonly curve?: CaCurve;
  readonly names?: InstanceNames;
}

export interface NewCa {
  readonly root: Bytes;
  readonly rootKey: KeyObject;
  readonly intermediate: Bytes;
  readonly intermediateKey: KeyObject;
}

const NAMES: Readonly<Record<InstanceKind, InstanceNames>> = {
  serve: { organization: 'Mayfly', root: 'Mayfly root', intermediate: 'Mayfly intermediate' },
  dev: {
    organization: 'Mayfly development (untrusted)',
    root: 'Mayfly development root',
    intermediate: 'Mayfly development intermediate',
  },
};

export async function makeCa(options: NewCaOptions): Promise<NewCa> {
  const { organization, root, intermediate } = options.names ?? NAMES[options.kind];
  const [rootKey, intermediateKey] = [makeEcdsaKey(options.curve), makeEcdsaKey(options.curve)];
  const signer = nativeSigner(rootKey);
  const certificate = await createRoot({ organization, commonName: root }, signer, options);
  const below = await createIntermediate(
    { organization, commonName: intermediate },
    nativeSigner(intermediateKey).publicKey,
    { certificate, signer },
    options,
  );
  return { root: certificate, rootKey, intermediate: below, intermediateKey };
}

export function makeEcdsaKey(namedCurve: CaCurve = 'P-256'): KeyObject {
  return generateKeyPairSync('ec', { namedCurve }).privateKey;
}

export function makeEd25519Key(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey;
}
