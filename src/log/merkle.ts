// Merkle tree: the hashes of RFC 6962 section 2.1, grown from the right edge alone.

import type { Bytes } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';

export const HASH_SIZE = 32;

/** How many leaves, and the root over them. */
export interface TreeHead {
  readonly size: number;
  readonly root: Bytes;
}

/** What appending needs: the roots of the perfect subtrees that make up the first `size` leaves, largest first. */
export interface Frontier {
  readonly size: number;
  readonly nodes: readonly Bytes[];
}

export const EMPTY: Frontier = { size: 0, nodes: [] };

/** Called for each node as it completes: `height` 0 is a leaf hash, `index` counts nodes of that height. */
export type Emit = (height: number, index: number, hash: Bytes) => void;

// Hashing is synchronous, so one buffer serves every interior node.
const pair = new Uint8Array(1 + 2 * HASH_SIZE);
pair[0] = 1;

export function nodeHash(sha256: Sha256, left: Uint8Array, right: Uint8Array): Bytes {
  pair.set(left, 1);
  pair.set(right, 1 + HASH_SIZE);
  return sha256(pair);
}

/** MTH of one leaf: SHA-256(0x00 || leaf). */
export function leafHash(sha256: Sha256, leaf: Uint8Array): Bytes {
  const input = new Uint8Array(1 + leaf.length);
  input.set(leaf, 1);
  return sha256(input);
}

/** The frontier after `leaves` (leaf hashes) joined on the right; about one node hash a leaf. */
export function grow(sha256: Sha256, from: Frontier, leaves: readonly Bytes[], emit?: Emit): Frontier {
  const nodes = [...from.nodes];
  let size = from.size;
  for (const leaf of leaves) {
    let hash = leaf;
    let index = size;
    let height = 0;
    emit?.(height, index, hash);
    while (index % 2 === 1) {
      const left = nodes.pop();
      if (left === undefined) throw new RangeError(`a frontier of ${from.size} leaves lacks a node`);
      hash = nodeHash(sha256, left, hash);
      index = Math.floor(index / 2);
      height += 1;
      emit?.(height, index, hash);
    }
    nodes.push(hash);
    size += 1;
  }
  return { size, nodes };
}

/** MTH of all leaves under the frontier; SHA-256("") for none. */
export function rootOf(sha256: Sha256, { nodes }: Frontier): Bytes {
  let root: Bytes | undefined;
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i];
    if (node === undefined) continue;
    root = root === undefined ? node : nodeHash(sha256, node, root);
  }
  return root ?? sha256(new Uint8Array(0));
}

export interface Subtree {
  /** The subtree spans 2^height leaves from index * 2^height. */
  readonly height: number;
  readonly index: number;
}

/** The perfect subtrees that the first `size` leaves fall into, largest first. */
export function subtreesOf(size: number): Subtree[] {
  const out: Subtree[] = [];
  let rest = size;
  let start = 0;
  for (let height = 52; height >= 0; height--) {
    const span = 2 ** height;
    if (rest < span) continue;
    out.push({ height, index: start / span });
    start += span;
    rest -= span;
  }
  return out;
}
