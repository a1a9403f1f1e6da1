// Also trusted: chains and logs of the configuration as the trust documents take them.

import { readChain } from '../certificate/chain.ts';
import type { AlsoTrusted, AlsoTrustedChain } from '../config/trust-settings.ts';
import { type Bytes, equal } from '../encoding/bytes.ts';
import { decodePem, encodePem } from '../encoding/pem.ts';
import { readSubjectPublicKeyInfo } from '../key/public-key.ts';
import { type InstanceLog, type TrustedChain, validityOfChain } from '../trust/material.ts';
import { keyDetailsOf } from '../trust/trusted-root.ts';
import type { PemChain } from './ca-information.ts';

export interface AlsoTrustedKeys {
  readonly authorities: readonly TrustedChain[];
  readonly timestamps: readonly TrustedChain[];
  readonly logs: readonly InstanceLog[];
}

const NOTHING: AlsoTrusted = { cas: [], timestamps: [], logs: [] };

/** Throws an Error with a sentence for what cannot stand in a trust document. */
export function readAlsoTrusted({ cas, timestamps, logs }: AlsoTrusted = NOTHING): AlsoTrustedKeys {
  return {
    authorities: cas.map((one, i) => named(`also-trusted.cas[${i}]`, () => trustedChain(one))),
    timestamps: timestamps.map((one, i) => named(`also-trusted.timestamps[${i}]`, () => trustedChain(one))),
    logs: logs.map(({ url, publicKey, from, until }, i) =>
      named(`also-trusted.logs[${i}]`, () => {
        const block = decodePem(publicKey).find(({ label }) => label === 'PUBLIC KEY');
        const spki = block?.der ?? new Uint8Array();
        if (readSubjectPublicKeyInfo(spki) === undefined)
          throw new Error('its key is of no kind that logs have');
        keyDetailsOf(spki);
        return { url: url.replace(/\/+$/, ''), spki, made: from, end: until };
      }),
    ),
  };
}

/** DER of the roots, each once: logs hold what stands under them. */
export function rootsOf(chains: readonly TrustedChain[]): readonly Bytes[] {
  const roots = chains.flatMap(({ chain }) => chain.slice(-1));
  return roots.filter((root, i) => roots.findIndex((other) => equal(other, root)) === i);
}

/** For the trust bundle. */
export function pemOf(chains: readonly TrustedChain[]): readonly PemChain[] {
  return chains.map(({ chain }) => chain.map((der) => encodePem('CERTIFICATE', der)));
}

function trustedChain({ chain: pem, until }: AlsoTrustedChain): TrustedChain {
  const chain = readChain(pem);
  const trusted = until === undefined ? { chain } : { chain, retired: until };
  validityOfChain(trusted);
  return trusted;
}

function named<T>(place: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : 'it cannot be read';
    throw new Error(`${place}: ${detail}`, { cause });
  }
}
