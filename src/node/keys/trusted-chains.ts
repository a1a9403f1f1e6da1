// Trusted chains: every CA and timestamp authority of an instance that clients are to trust, with the end of that trust.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readChain } from '../../certificate/chain.ts';
import type { Instant } from '../../clock.ts';
import type { Bytes } from '../../encoding/bytes.ts';
import { type TrustedChain, validityOfChain } from '../../trust/material.ts';
import { type Generations, trustedUntil } from './generations.ts';
import { read } from './instance-key.ts';

export interface TrustedChains {
  readonly authorities: readonly TrustedChain[];
  readonly timestamps: readonly TrustedChain[];
}

/** In the folder of a CA whose key is in a token or a service: which it is, as JSON. */
export const KEY_PLACE = 'key.json';

/** The first CA keeps root and intermediate apart, as it was made here. */
export function chainFilesOf(folder: string, part: string): readonly string[] {
  const names = part === 'ca' ? ['intermediate.pem', 'root.pem'] : ['chain.pem'];
  return names.map((name) => join(folder, part, name));
}

/** What is open already: folder and chain of what signs. */
export interface InForce {
  readonly path: string;
  readonly parts: { readonly ca: string; readonly timestamp: string };
  readonly authority: { readonly chain: readonly Bytes[] };
  readonly timestamp: { readonly chain: readonly Bytes[] } | undefined;
}

/** Those before, in force and next, oldest first. Throws InstanceError. */
export async function trustedChains(
  generations: Generations,
  now: Instant,
  inForce: InForce,
): Promise<TrustedChains> {
  const { path, parts, authority, timestamp } = inForce;
  const chainAt = async (files: readonly string[]): Promise<readonly Bytes[]> =>
    (await Promise.all(files.map(async (file) => readChain(await read(file))))).flat();
  const trusted = async (
    kind: 'ca' | 'timestamp',
    chainOf: (part: string) => Promise<readonly Bytes[] | undefined>,
  ): Promise<readonly TrustedChain[]> => {
    const out: TrustedChain[] = [];
    for (const [i, { part }] of generations[kind].entries()) {
      const chain = await chainOf(part);
      const retired = trustedUntil(generations[kind], i, now);
      if (chain === undefined) continue;
      const one = retired === undefined ? { chain } : { chain, retired };
      if (retired === undefined || retired >= validityOfChain(one).start) out.push(one);
    }
    return out;
  };
  return {
    authorities: await trusted('ca', async (part) =>
      part === parts.ca ? authority.chain : chainAt(chainFilesOf(path, part)),
    ),
    timestamps: await trusted('timestamp', async (part) => {
      if (part === parts.timestamp) return timestamp?.chain;
      const file = join(path, part, 'chain.pem');
      // The first may never have been made.
      return part === 'timestamp' && !existsSync(file) ? undefined : chainAt([file]);
    }),
  };
}
