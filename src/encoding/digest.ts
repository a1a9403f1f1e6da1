// Digest: hashing as the core sees it; synchronous, as Merkle trees hash tens of small inputs for each entry.

import type { Bytes } from './bytes.ts';

/** SHA-256 of `data`, 32 bytes. Runtimes give their own. */
export type Sha256 = (data: Uint8Array) => Bytes;
