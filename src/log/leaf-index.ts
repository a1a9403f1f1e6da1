// Leaf index: finds an entry by its leaf hash, for get-proof-by-hash; derived from the tree and never part of it.

import type { Bytes } from '../encoding/bytes.ts';

export interface LeafIndex {
  /** Leaf hashes from 0 up to this are in the index. */
  readonly size: number;
  /** Adds the hashes of the entries from `first` on, where `first` is `size`. Need not be durable. */
  add(first: number, hashes: readonly Bytes[]): Promise<void>;
  /** Indexes whose leaf hash may be this one, lowest first: the caller compares the whole hash. */
  candidates(hash: Bytes): Promise<readonly number[]>;
  /** Forgets everything. */
  clear(): Promise<void>;
  close(): Promise<void>;
}
