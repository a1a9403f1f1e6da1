// New CA: the root and the intermediate of a fresh instance, each with a key of its own.

import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import {
  type CaName,
  type Creation,
  createIntermediate,
  createRoot,
  createTimestampCertificate,
  type Parent,
} from '../../certificate/ca-certificate.ts';
import type { Bytes } from '../../encoding/bytes.ts';
import { nativeSigner } from '../system/native-signer.ts';
import type { InstanceKind } from './data-folder.ts';

/** organizationName of all certificates, and each one's commonName. */
export interface InstanceNames {
  readonly organization: string;
  readonly root: string;
  readonly intermediate: string;
  readonly timestamp: string;
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
  serve: {
    organization: 'Mayfly',
    root: 'Mayfly root',
    intermediate: 'Mayfly intermediate',
    timestamp: 'Mayfly timestamp authority',
  },
  dev: {
    organization: 'Mayfly development (untrusted)',
    root: 'Mayfly development root',
    intermediate: 'Mayfly development intermediate',
    timestamp: 'Mayfly development timestamp authority',
  },
};

/** Names of what the instance makes, with `number` behind them from the second generation on. */
export function namesOf(kind: InstanceKind, number: number): InstanceNames {
  const names = NAMES[kind];
  if (number === 1) return names;
  const numbered = (name: string): string => `${name} ${number}`;
  return {
    organization: names.organization,
    root: numbered(names.root),
    intermediate: numbered(names.intermediate),
    timestamp: numbered(names.timestamp),
  };
}

export async function makeCa(options: NewCaOptions): Promise<NewCa> {
  const { organization, root: commonName } = options.names ?? NAMES[options.kind];
  const rootKey = makeEcdsaKey(options.curve);
  const signer = nativeSigner(rootKey);
  const root = await createRoot({ organization, commonName }, signer, options);
  return { root, rootKey, ...(await makeIntermediate(options, { certificate: root, signer })) };
}

/** With a new key. */
export async function makeIntermediate(
  options: NewCaOptions,
  parent: Parent,
): Promise<Pick<NewCa, 'intermediate' | 'intermediateKey'>> {
  const { organization, intermediate: commonName } = options.names ?? NAMES[options.kind];
  const intermediateKey = makeEcdsaKey(options.curve);
  const { publicKey } = nativeSigner(intermediateKey);
  const intermediate = await createIntermediate({ organization, commonName }, publicKey, parent, options);
  return { intermediate, intermediateKey };
}

export interface NewTimestampAuthority {
  /** Its certificate first, the root last. */
  readonly chain: readonly Bytes[];
  readonly key: KeyObject;
}

/**
 * A timestamp authority under `root`; without one, as beside an operator's own CA, under a root of its own whose key is
 * thrown away.
 */
export async function makeTimestampAuthority(
  options: NewCaOptions,
  root?: Parent,
): Promise<NewTimestampAuthority> {
  const { organization, timestamp } = options.names ?? NAMES[options.kind];
  const parent = root ?? (await makeRoot({ organization, commonName: `${timestamp} root` }, options));
  const key = makeEcdsaKey();
  const name = { organization, commonName: timestamp };
  const certificate = await createTimestampCertificate(name, nativeSigner(key).publicKey, parent, options);
  return { chain: [certificate, parent.certificate], key };
}

async function makeRoot(name: CaName, options: NewCaOptions): Promise<Parent> {
  const signer = nativeSigner(makeEcdsaKey(options.curve));
  return { certificate: await createRoot(name, signer, options), signer };
}

export function makeEcdsaKey(namedCurve: CaCurve = 'P-256'): KeyObject {
  return generateKeyPairSync('ec', { namedCurve }).privateKey;
}

export function makeEd25519Key(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey;
}
