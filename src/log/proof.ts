// Proof: that an entry is in a tree, and that one tree grew out of another (RFC 6962 sections 2.1.1 and 2.1.2).

import { type Bytes, equal } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { nodeHash, subtreesOf } from './merkle.ts';
import { hashesAt, subtreeHash, TILE_HEIGHT, TILE_WIDTH, type TileAddress } from './tile.ts';

/** Leaves `from`..`to` (exclusive), whose MTH is one hash of a proof. */
type Range = readonly [from: number, to: number];

/** The largest power of two below n, which is above 1. */
function splitOf(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** PATH(index, D[size]), from the leaf up. */
function inclusionRanges(index: number, size: number): Range[] {
  const out: Range[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    if (index < middle) {
      out.unshift([middle, to]);
      to = middle;
    } else {
      out.unshift([from, middle]);
      from = middle;
    }
  }
  return out;
}

/** PROOF(first, D[second]). */
function consistencyRanges(first: number, second: number): Range[] {
  const out: Range[] = [];
  let [from, to] = [0, second];
  while (to !== first) {
    const middle = from + splitOf(to - from);
    if (first <= middle) {
      out.unshift([middle, to]);
      to = middle;
    } else {
      out.unshift([from, middle]);
      from = middle;
    }
  }
  // The verifier knows the old root itself, when the old tree is a whole subtree from the left.
  if (from > 0) out.unshift([from, to]);
  return out;
}

/** Where hashes come from: one log's tiles, each of the width asked for. */
export type TileSource = (address: TileAddress) => Promise<Bytes>;

/** Makes proofs from hash tiles; reads a few tiles for each. */
export class Prover {
  readonly #sha256: Sha256;
  readonly #tiles: TileSource;

  constructor(sha256: Sha256, tiles: TileSource) {
    this.#sha256 = sha256;
    this.#tiles = tiles;
  }

  /** 0 <= index < size <= entries in the log. */
  inclusion(index: number, size: number): Promise<Bytes[]> {
    if (!(index >= 0 && index < size)) throw new RangeError(`no entry ${index} in a tree of ${size}`);
    return this.#hashes(inclusionRanges(index, size), size);
  }

  /** 0 <= first <= second <= entries in the log. */
  consistency(first: number, second: number): Promise<Bytes[]> {
    if (!(first >= 0 && first <= second))
      throw new RangeError(`a tree of ${second} cannot extend one of ${first}`);
    return first === 0 ? Promise.resolve([]) : this.#hashes(consistencyRanges(first, second), second);
  }

  /** MTH of the first `size` entries, of which there is at least one. */
  async root(size: number): Promise<Bytes> {
    const [root] = await this.#hashes([[0, size]], size);
    if (root === undefined) throw new RangeError('a range without a hash');
    return root;
  }

  /** Leaf hash of an entry in a tree of `size`. */
  async leaf(index: number, size: number): Promise<Bytes> {
    const [hash] = await this.#hashes([[index, index + 1]], size);
    if (hash === undefined) throw new RangeError('a range without a hash');
    return hash;
  }

  async #hashes(ranges: readonly Range[], size: number): Promise<Bytes[]> {
    // Neighbouring nodes share tiles: each is read once a proof.
    const read = new Map<string, Promise<Bytes>>();
    const tile = (level: number, index: number): Promise<Bytes> => {
      const key = `${level}/${index}`;
      const width = Math.min(TILE_WIDTH, hashesAt(level, size) - index * TILE_WIDTH);
      const found = read.get(key) ?? this.#tiles({ level, index, width });
      read.set(key, found);
      return found;
    };
    const out: Bytes[] = [];
    for (const range of ranges) out.push(await this.#range(range, tile));
    return out;
  }

  /** MTH of a range that starts at a multiple of the largest subtree in it. */
  async #range([from, to]: Range, tile: (level: number, index: number) => Promise<Bytes>): Promise<Bytes> {
    let hash: Bytes | undefined;
    for (const { height, index } of subtreesOf(to - from).toReversed()) {
      const level = Math.floor(height / TILE_HEIGHT);
      const span = 2 ** (height % TILE_HEIGHT);
      // Of the hashes of that level, the subtree covers `span` from here.
      const start = (from / 2 ** height + index) * span;
      const at = start % TILE_WIDTH;
      const bytes = await tile(level, Math.floor(start / TILE_WIDTH));
      const node = subtreeHash(this.#sha256, bytes, at, at + span);
      hash = hash === undefined ? node : nodeHash(this.#sha256, node, hash);
    }
    if (hash === undefined) throw new RangeError('an empty range has no hash here');
    return hash;
  }
}

/** The root that the proof leads to from a leaf hash; undefined when the proof has the wrong length. */
export function rootOfInclusion(
  sha256: Sha256,
  leaf: Bytes,
  index: number,
  size: number,
  proof: readonly Bytes[],
): Bytes | undefined {
  if (!(index >= 0 && index < size)) return undefined;
  const ranges = inclusionRanges(index, size);
  if (ranges.length !== proof.length) return undefined;
  let hash = leaf;
  for (const [i, [from]] of ranges.entries()) {
    const other = proof[i];
    if (other === undefined) return undefined;
    hash = from > index ? nodeHash(sha256, hash, other) : nodeHash(sha256, other, hash);
  }
  return hash;
}

/** Whether the proof shows that the tree `newRoot` over `second` leaves begins with the tree `oldRoot` over `first`. */
export function verifyConsistency(
  sha256: Sha256,
  first: number,
  oldRoot: Bytes,
  second: number,
  newRoot: Bytes,
  proof: readonly Bytes[],
): boolean {
  if (first > second) return false;
  if (first === 0) return proof.length === 0;
  if (first === second) return proof.length === 0 && equal(oldRoot, newRoot);
  const ranges = consistencyRanges(first, second);
  const [start] = ranges;
  if (start === undefined || ranges.length !== proof.length) return false;
  const whole = start[1] > first; // the old tree is a subtree, and its root is the start
  let older = whole ? oldRoot : proof[0];
  let newer = older;
  for (let i = whole ? 0 : 1; i < ranges.length; i++) {
    const [from] = ranges[i] ?? [0];
    const other = proof[i];
    if (other === undefined || older === undefined || newer === undefined) return false;
    if (from >= first) newer = nodeHash(sha256, newer, other);
    else {
      older = nodeHash(sha256, other, older);
      newer = nodeHash(sha256, other, newer);
    }
  }
  return older !== undefined && newer !== undefined && equal(older, oldRoot) && equal(newer, newRoot);
}
