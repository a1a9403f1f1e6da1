// Reader: the public face of the log, never a step beyond the newest checkpoint.

import type { Bytes } from '../encoding/bytes.ts';
import { TlsReader } from '../encoding/tls.ts';
import { readTileLeaf } from './entry.ts';
import { issuerPath } from './issuers.ts';
import { HASH_SIZE } from './merkle.ts';
import type { ObjectStore } from './object-store.ts';
import type { Publication, Publisher, Source } from './publisher.ts';
import { TILE_WIDTH, type TileAddress, tileExists, tilePath } from './tile.ts';

export class Reader {
  readonly #source: Pick<Source, 'edge'>;
  readonly #publisher: Publisher;
  readonly #store: ObjectStore;

  constructor(source: Pick<Source, 'edge'>, publisher: Publisher, store: ObjectStore) {
    this.#source = source;
    this.#publisher = publisher;
    this.#store = store;
  }

  /** The newest signed tree head and its checkpoint. */
  get publication(): Publication {
    const { current } = this.#publisher;
    if (current === undefined) throw new Error('the log has not opened yet');
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
    if (!tileExists(address, this.size)) return undefined;
    const { level, index, width } = address;
    const from = index * TILE_WIDTH;
    const { edge } = this.#source;
    const near = level === 'data' ? edge.data(from, from + width) : edge.hashes(level, from, from + width);
    if (near !== undefined) return near;
    const full = await this.#store.get(tilePath({ level, index, width: TILE_WIDTH }));
    // A partial tile is the beginning of the full one.
    return full?.slice(0, level === 'data' ? endOfEntry(full, width) : width * HASH_SIZE);
  }

  /** DER of a certificate of some entry's chain; undefined when there is none of that SHA-256. */
  issuer(fingerprint: Uint8Array): Promise<Bytes | undefined> {
    return this.#store.get(issuerPath(fingerprint));
  }
}

function endOfEntry(tile: Uint8Array, count: number): number {
  if (count === TILE_WIDTH) return tile.length;
  const reader = new TlsReader(tile);
  for (let i = 0; i < count; i++) readTileLeaf(reader, tile);
  return reader.offset;
}
