// Reader: the public face of the log, never a step beyond the newest checkpoint.

import { type Bytes, equal } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { Problem } from '../problem.ts';
import type { LogIdentity } from './description.ts';
import type { Edge } from './edge.ts';
import { beginningOf, readDataTile, type TileLeaf } from './entry.ts';
import { issuerPath } from './issuers.ts';
import { LogDamage } from './journal.ts';
import type { LeafIndex } from './leaf-index.ts';
import type { ObjectStore } from './object-store.ts';
import { Prover } from './proof.ts';
import type { Publication, Publisher } from './publisher.ts';
import { TILE_WIDTH, type TileAddress, tileExists, tilePath } from './tile.ts';

export interface ReaderOptions {
  readonly sha256: Sha256;
  readonly identity: LogIdentity;
  readonly source: EdgeSource;
  readonly publisher: Pick<Publisher, 'current' | 'published'>;
  readonly store: Pick<ObjectStore, 'get'>;
  readonly leafIndex: Pick<LeafIndex, 'size' | 'candidates'>;
}

/** Where the right edge is at hand: the sequencer, or what it has told of itself. */
export interface EdgeSource {
  readonly edge: Pick<Edge, 'data' | 'hashes'>;
}

export class Reader {
  readonly identity: LogIdentity;
  readonly #source: EdgeSource;
  readonly #publisher: Pick<Publisher, 'current' | 'published'>;
  readonly #store: Pick<ObjectStore, 'get'>;
  readonly #leafIndex: Pick<LeafIndex, 'size' | 'candidates'>;
  readonly #prover: Prover;

  constructor({ sha256, identity, source, publisher, store, leafIndex }: ReaderOptions) {
    this.identity = identity;
    this.#source = source;
    this.#publisher = publisher;
    this.#store = store;
    this.#leafIndex = leafIndex;
    this.#prover = new Prover(sha256, async (address) => {
      const tile = await this.#held(address);
      if (tile === undefined) throw new LogDamage(`${tilePath(address)} is missing`);
      return tile;
    });
  }

  /** Whether there is a checkpoint; false only while another process is the log's sequencer. */
  get opened(): boolean {
    return this.#publisher.current !== undefined;
  }

  /** The newest signed tree head and its checkpoint. Throws Problem `log_unavailable` before there is one. */
  get publication(): Publication {
    const { current } = this.#publisher;
    if (current === undefined)
      throw new Problem('log_unavailable', { message: 'the log is not open here', retryAfter: 1 });
    return current;
  }

  /** Entries that the newest checkpoint covers. */
  get size(): number {
    return this.publication.treeHead.size;
  }

  checkpoint(): Bytes {
    return this.publication.checkpoint;
  }

  /** Resolves once a checkpoint covers the entry; rejects when the log closes before. */
  published(index: number): Promise<void> {
    return this.#publisher.published(index);
  }

  /** A tile, full or partial: `width` hashes or entries. Undefined when the published tree does not hold it. */
  async tile(address: TileAddress): Promise<Bytes | undefined> {
    return tileExists(address, this.size) ? this.#held(address) : undefined;
  }

  async #held(address: TileAddress): Promise<Bytes | undefined> {
    const { level, index, width } = address;
    const from = index * TILE_WIDTH;
    const { edge } = this.#source;
    const near = level === 'data' ? edge.data(from, from + width) : edge.hashes(level, from, from + width);
    if (near !== undefined) return near;
    const full = await this.#store.get(tilePath({ level, index, width: TILE_WIDTH }));
    return full && beginningOf(full, address);
  }

  /** DER of a certificate of some entry's chain; undefined when there is none of that SHA-256. */
  issuer(fingerprint: Uint8Array): Promise<Bytes | undefined> {
    return this.#store.get(issuerPath(fingerprint));
  }

  /** Proves an entry to be in the published tree of `size`. */
  inclusion(index: number, size: number): Promise<Bytes[]> {
    return this.#prover.inclusion(index, size);
  }

  /** Proves one tree to be the beginning of another; both were signed, be they published yet or not. */
  consistency(first: number, second: number): Promise<Bytes[]> {
    return this.#prover.consistency(first, second);
  }

  /** Entries from `start`, up to `end` (exclusive), or to the end of the data tile. */
  async entries(start: number, end: number): Promise<TileLeaf[]> {
    const index = Math.floor(start / TILE_WIDTH);
    const first = index * TILE_WIDTH;
    const width = Math.min(TILE_WIDTH, end - first, this.size - first);
    const tile = await this.tile({ level: 'data', index, width });
    if (tile === undefined) throw new LogDamage(`the data tile of entry ${start} is missing`);
    return readDataTile(tile)
      .slice(start - first)
      .map(({ entry }) => entry);
  }

  /**
   * The lowest index with that leaf hash in the published tree of `size`; undefined when there is none. Throws Problem
   * `log_unavailable` while the index is being made again and does not know.
   */
  async find(hash: Bytes, size: number): Promise<number | undefined> {
    for (const index of await this.#leafIndex.candidates(hash))
      if (index < size && equal(await this.#prover.leaf(index, size), hash)) return index;
    if (this.#leafIndex.size < size)
      throw new Problem('log_unavailable', {
        message: 'the index of leaf hashes is being made',
        retryAfter: 10,
      });
    return undefined;
  }
}
