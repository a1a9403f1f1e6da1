// Entries to append in tests, made up but distinct.

import { createHash } from 'node:crypto';
import type { Bytes } from '../../../src/encoding/bytes.ts';
import type { PrecertEntry } from '../../../src/log/log.ts';
import { sha256 } from '../../../src/node/system/native-digest.ts';

/** Distinct for each `n`; the log does not look inside. */
export function entryOf(n: number, size = 900): PrecertEntry {
  const tbs = createHash('sha512').update(`tbs ${n}`).digest();
  return {
    issuerKeyHash: sha256(Buffer.from('issuer key')),
    tbs: Buffer.concat([tbs, Buffer.alloc(size, n)]),
    precertificate: Buffer.concat([Buffer.from(`precertificate ${n} `), tbs, Buffer.alloc(size, n + 1)]),
    chain: CHAIN,
  };
}

export const CHAIN: readonly Bytes[] = [Buffer.from('the intermediate'), Buffer.from('the root')];
