// Follower: what the bucket shows of a log that another process leads, so that one which stands by can serve its readers.

import { equal } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { treeHeadOf } from '../log/checkpoint.ts';
import type { LogIdentity } from '../log/description.ts';
import { Indexer } from '../log/indexer.ts';
import { LogDamage } from '../log/journal.ts';
import { edgeOf } from '../log/last-tiles.ts';
import type { LeafIndex } from '../log/leaf-index.ts';
import { HASH_SIZE, rootOf } from '../log/merkle.ts';
import { parseNote } from '../log/note.ts';
import type { ObjectStore } from '../log/object-store.ts';
import { frontierOf } from '../log/partial-tiles.ts';
import type { Publication } from '../log/publisher.ts';
import type { EdgeSource } from '../log/reader.ts';
import { hashesAt, MAX_LEVEL, TILE_WIDTH, tilePath } from '../log/tile.ts';

/** Leaf hashes indexed at a look: the index of a large log is made little by little, so that it holds up no hand-over. */
const INDEXED = 64 * TILE_WIDTH;

export interface FollowerOptions {
  readonly sha256: Sha256;
  readonly identity: LogIdentity;
  /** The public objects. */
  readonly store: Pick<ObjectStore, 'get'>;
  readonly leafIndex: LeafIndex;
}

/** A checkpoint with the right edge of its tree. */
export interface Followed extends EdgeSource {
  readonly publication: Publication;
}

export class Follower {
  readonly #options: FollowerOptions;
  #current: Followed | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** What was seen last; undefined when nothing was. */
  get current(): Followed | undefined {
    return this.#current;
  }

  forget(): void {
    this.#current = undefined;
  }

  /** Reads the newest checkpoint. Throws a LogDamage, and keeps what it has, when the bucket does not bear it out. */
  async look(): Promise<void> {
    const { sha256, identity, store } = this.#options;
    const checkpoint = await store.get('checkpoint');
    if (checkpoint === undefined) return;
    const last = this.#current;
    if (last === undefined || !equal(last.publication.checkpoint, checkpoint)) {
      const note = parseNote(checkpoint);
      const treeHead = note && treeHeadOf(sha256, note, identity.logId);
      if (treeHead === undefined) throw new LogDamage('the checkpoint is malformed, or not of this log');
      const { size, root, timestamp } = treeHead;
      if (last !== undefined && timestamp < last.publication.treeHead.timestamp) return;
      const edge = await edgeOf(store, size);
      if (!equal(this.#rootOf(edge, size), root))
        throw new LogDamage(`the last tiles of ${size} entries do not have the root of the checkpoint`);
      this.#current = { publication: { treeHead, checkpoint }, edge };
    }
    await this.#index();
  }

  #rootOf(edge: EdgeSource['edge'], size: number): Uint8Array {
    const levels = Array.from({ length: MAX_LEVEL + 1 }, (_, level) => {
      const count = hashesAt(level, size);
      const joined = edge.hashes(level, count - (count % TILE_WIDTH), count) ?? new Uint8Array();
      return Array.from({ length: joined.length / HASH_SIZE }, (_hash, i) =>
        joined.slice(i * HASH_SIZE, (i + 1) * HASH_SIZE),
      );
    });
    return rootOf(this.#options.sha256, frontierOf(this.#options.sha256, size, levels));
  }

  async #index(): Promise<void> {
    const { store, leafIndex } = this.#options;
    const current = this.#current;
    const size = current?.publication.treeHead.size ?? 0;
    const indexer = new Indexer(leafIndex, async (from, to) => {
      const index = Math.floor(from / TILE_WIDTH);
      const first = index * TILE_WIDTH;
      const tile =
        current?.edge.hashes(0, first, to) ??
        (await store.get(tilePath({ level: 0, index, width: TILE_WIDTH })));
      if (tile === undefined) throw new LogDamage(`the tile of entry ${from} is missing`);
      return tile.slice((from - first) * HASH_SIZE, (to - first) * HASH_SIZE);
    });
    await indexer.fill(Math.min(size, leafIndex.size + INDEXED));
  }
}
