// Fsck: recomputes a log from what is stored of it, and says what is wrong and where; writes nothing.

import { type Bytes, concat, equal, hex } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { readBatch, type StoredBatch } from './batch.ts';
import { beginningOf, merkleTreeLeaf, readDataTile, type TileLeaf } from './entry.ts';
import { issuerPath } from './issuers.ts';
import { lastTiles } from './last-tiles.ts';
import { EMPTY, type Frontier, grow, HASH_SIZE, leafHash, rootOf, type TreeHead } from './merkle.ts';
import { hashesAt, TILE_HEIGHT, TILE_WIDTH, type TileAddress, tileExists, tilePath } from './tile.ts';

/** What there is of a log. */
export interface StoredLog {
  /** An object by its path; undefined when there is none. */
  get(path: string): Promise<Bytes | undefined>;
  /** Heads that were signed or promised, and where that is written; the tree has to pass through each. */
  readonly heads: readonly (TreeHead & { readonly where: string })[];
  /** The journal's records in order: it holds what full tiles do not. Undefined for a log seen from outside. */
  readonly journal: AsyncIterable<Bytes> | undefined;
  /** The partial tiles that are stored beside the journal; undefined for a log that stores none. */
  readonly lastTiles?: Iterable<TileAddress> | undefined;
}

export interface Finding {
  /** Path of the object, with the entry in it if it is one's; `journal`; or where a head is written. */
  readonly where: string;
  readonly what: string;
}

export interface FsckReport {
  /** What the entries that were found add up to. */
  readonly size: number;
  readonly root: Bytes;
  readonly findings: readonly Finding[];
}

export interface FsckOptions {
  readonly sha256: Sha256;
  /** What is wrong with an entry beside its hash, if anything; a log's own tree does not depend on it. */
  readonly faultOf?: ((entry: TileLeaf) => Promise<string | undefined>) | undefined;
  /** Told how many entries are done, now and then. */
  readonly onProgress?: (entries: number) => void;
}

/** Reads everything; a finding does not end it, unless nothing can be said about what follows. */
export async function fsck(log: StoredLog, options: FsckOptions): Promise<FsckReport> {
  return new Examination(log, options).run();
}

class Examination {
  readonly #log: StoredLog;
  readonly #sha256: Sha256;
  readonly #onProgress: (entries: number) => void;
  readonly #faultOf: FsckOptions['faultOf'];
  readonly #findings: Finding[] = [];
  readonly #issuers = new Set<string>();
  /** Hashes that have completed at each level since that level's last full tile. */
  readonly #levels: Bytes[][] = [];
  /** Entries in full tiles; what the journal adds to them is in `#levels` and here. */
  #tiled = 0;
  readonly #edge: Uint8Array[] = [];
  #frontier: Frontier = EMPTY;
  readonly #headsSeen = new Set<string>();

  constructor(log: StoredLog, { sha256, faultOf, onProgress = () => undefined }: FsckOptions) {
    this.#log = log;
    this.#sha256 = sha256;
    this.#onProgress = onProgress;
    this.#faultOf = faultOf;
  }

  async run(): Promise<FsckReport> {
    const { heads, journal } = this.#log;
    this.#passHeads();
    const most = Math.max(0, ...heads.map(({ size }) => size));
    const size = journal === undefined ? most : most - (most % TILE_WIDTH);
    for (let first = 0; first < size; first += TILE_WIDTH) {
      const width = Math.min(TILE_WIDTH, size - first);
      if (!(await this.#dataTile(first / TILE_WIDTH, width))) return this.#report();
      await this.#hashTiles();
      this.#onProgress(this.#frontier.size);
    }
    if (journal === undefined) await this.#partialTiles();
    else {
      this.#tiled = size;
      await this.#journal(journal);
      await this.#lastTiles();
    }
    for (const { where, size: promised } of heads)
      if (!this.#headsSeen.has(where))
        this.#find(where, `it covers ${promised} entries; only ${this.#frontier.size} were found`);
    return this.#report();
  }

  #report(): FsckReport {
    const root = rootOf(this.#sha256, this.#frontier);
    return { size: this.#frontier.size, root, findings: this.#findings };
  }

  #find(where: string, what: string): void {
    this.#findings.push({ where, what });
  }

  /** False when the leaf hashes under it are unknown: then no hash that follows can be judged. */
  async #dataTile(index: number, width: number): Promise<boolean> {
    const [dataTile, hashTile] = [
      { level: 'data', index, width },
      { level: 0, index, width },
    ] as const;
    const [dataPath, hashPath] = [tilePath(dataTile), tilePath(hashTile)];
    const [data, hashes] = await Promise.all([this.#tile(dataTile), this.#tile(hashTile)]);
    const entries = this.#readEntries(dataPath, data);
    if (hashes === undefined) this.#find(hashPath, 'is missing');
    else if (hashes.length !== width * HASH_SIZE) this.#find(hashPath, `has ${hashes.length} bytes`);
    const leaves: Bytes[] = [];
    for (let i = 0; i < width; i++) {
      const entry = entries[i];
      const stored = hashes?.slice(i * HASH_SIZE, (i + 1) * HASH_SIZE);
      const computed = entry && leafHash(this.#sha256, merkleTreeLeaf(entry));
      if (computed !== undefined && stored !== undefined && !equal(computed, stored))
        this.#find(
          `${dataPath}, entry ${index * TILE_WIDTH + i}`,
          `its leaf hash is not the one in ${hashPath}`,
        );
      if (entry !== undefined) await this.#entry(dataPath, index * TILE_WIDTH + i, entry);
      // Of two that differ, the one above decides: the tiles above show which was altered.
      const leaf = stored?.length === HASH_SIZE ? stored : computed;
      if (leaf === undefined) {
        this.#find(
          `${dataPath}, entry ${index * TILE_WIDTH + i}`,
          'neither it nor its hash can be read; giving up',
        );
        return false;
      }
      leaves.push(leaf);
    }
    if (entries.length > width) this.#find(dataPath, `has ${entries.length} entries where ${width} belong`);
    this.#grow(leaves);
    return true;
  }

  #readEntries(path: string, data: Bytes | undefined): readonly TileLeaf[] {
    if (data === undefined) {
      this.#find(path, 'is missing');
      return [];
    }
    try {
      return readDataTile(data).map(({ entry }) => entry);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#find(path, `cannot be read: ${error.message}`);
      return [];
    }
  }

  async #entry(path: string, index: number, entry: TileLeaf): Promise<void> {
    if (entry.index !== index) this.#find(`${path}, entry ${index}`, `its leaf_index is ${entry.index}`);
    const fault = await this.#faultOf?.(entry);
    if (fault !== undefined) this.#find(`${path}, entry ${index}`, fault);
    for (const fingerprint of entry.chain) {
      const issuer = issuerPath(fingerprint);
      if (this.#issuers.has(issuer)) continue;
      this.#issuers.add(issuer);
      const certificate = await this.#log.get(issuer);
      if (certificate === undefined) this.#find(issuer, `is missing; entry ${index} refers to it`);
      else if (!equal(this.#sha256(certificate), fingerprint))
        this.#find(issuer, `has the SHA-256 ${hex(this.#sha256(certificate))}`);
    }
  }

  #grow(leaves: readonly Bytes[]): void {
    for (const leaf of leaves) {
      this.#frontier = grow(this.#sha256, this.#frontier, [leaf], (height, _, hash) => {
        if (height % TILE_HEIGHT !== 0) return;
        const level = height / TILE_HEIGHT;
        this.#levels[level] ??= [];
        this.#levels[level].push(hash);
      });
      this.#passHeads();
    }
  }

  #passHeads(): void {
    for (const { where, size, root } of this.#log.heads) {
      if (size !== this.#frontier.size) continue;
      this.#headsSeen.add(where);
      if (!equal(rootOf(this.#sha256, this.#frontier), root))
        this.#find(where, `its root is not that of the ${size} entries found`);
    }
  }

  /** A tile of that width, or the beginning of the fuller one that took its place. */
  async #tile(address: TileAddress): Promise<Bytes | undefined> {
    const exact = await this.#log.get(tilePath(address));
    if (exact !== undefined || address.width === TILE_WIDTH) return exact;
    const full = await this.#log.get(tilePath({ ...address, width: TILE_WIDTH }));
    return full && (beginningOrNone(full, address) ?? full);
  }

  /** The tiles above level 0 that are full by now. */
  async #hashTiles(): Promise<void> {
    this.#levels[0] = [];
    for (const [level, hashes] of this.#levels.entries()) {
      if (level === 0 || hashes.length < TILE_WIDTH) continue;
      const index = hashesAt(level, this.#frontier.size) / TILE_WIDTH - 1;
      await this.#hashTile(level, index, hashes);
      this.#levels[level] = [];
    }
  }

  async #partialTiles(): Promise<void> {
    for (const [level, hashes] of this.#levels.entries()) {
      if (level === 0 || hashes.length === 0) continue;
      await this.#hashTile(level, Math.floor(hashesAt(level, this.#frontier.size) / TILE_WIDTH), hashes);
    }
  }

  async #hashTile(level: number, index: number, hashes: readonly Bytes[]): Promise<void> {
    const address = { level, index, width: hashes.length };
    const path = tilePath(address);
    const tile = await this.#tile(address);
    if (tile === undefined) return this.#find(path, 'is missing');
    for (const [i, hash] of hashes.entries())
      if (!equal(tile.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE), hash))
        this.#find(
          path,
          `hash ${i} is not that of the tile below, ${tilePath({ level: level - 1, index: index * TILE_WIDTH + i, width: TILE_WIDTH })}`,
        );
    if (tile.length !== hashes.length * HASH_SIZE) this.#find(path, `has ${tile.length} bytes`);
  }

  async #journal(records: AsyncIterable<Bytes>): Promise<void> {
    try {
      for await (const bytes of records) {
        const batch = readBatch(this.#sha256, bytes);
        if (batch === undefined)
          this.#find('journal', `the record after index ${this.#frontier.size} is damaged`);
        else if (!(await this.#record(batch))) return;
      }
    } catch (error) {
      // Damage between records is the journal's own to tell.
      this.#find('journal', error instanceof Error ? error.message : String(error));
    }
  }

  async #record({ first, after, entries }: StoredBatch): Promise<boolean> {
    const { size } = this.#frontier;
    if (first > size) {
      this.#find('journal', `lacks the entries from ${size} to ${first - 1}`);
      return false;
    }
    const fresh = entries.slice(size - first);
    for (const [i, { entry }] of fresh.entries()) await this.#entry('journal', size + i, entry);
    this.#grow(fresh.map(({ hashInput }) => this.#sha256(hashInput)));
    if (this.#log.lastTiles !== undefined) this.#edge.push(...fresh.map(({ tileLeaf }) => tileLeaf));
    if (after.size >= size && !equal(rootOf(this.#sha256, this.#frontier), after.root))
      this.#find('journal', `the record at index ${first} gives another root over ${after.size} entries`);
    this.#onProgress(this.#frontier.size);
    return true;
  }

  /** Those that are stored hold what the log does, and those that the heads imply are there. */
  async #lastTiles(): Promise<void> {
    const { lastTiles: stored, heads } = this.#log;
    if (stored === undefined) return;
    for (const address of stored) {
      const path = tilePath(address);
      const found = await this.#log.get(path);
      // It may have been removed since it was listed, as its full tile stands.
      if (found === undefined) continue;
      const expected = tileExists(address, this.#frontier.size) ? await this.#expected(address) : undefined;
      if (expected === undefined)
        this.#find(path, `a tree of ${this.#frontier.size} entries does not hold it`);
      else if (!equal(found, expected)) this.#find(path, 'is not the beginning of its tile');
    }
    for (const address of heads.flatMap(({ size }) => lastTiles(size)))
      if ((await this.#tile(address)) === undefined) this.#find(tilePath(address), 'is missing');
  }

  async #expected(address: TileAddress): Promise<Bytes | undefined> {
    const { level, index, width } = address;
    const tiled = hashesAt(level === 'data' ? 0 : level, this.#tiled);
    const from = index * TILE_WIDTH;
    if (from + TILE_WIDTH <= tiled) {
      const full = await this.#log.get(tilePath({ ...address, width: TILE_WIDTH }));
      return full === undefined ? undefined : (beginningOrNone(full, address) ?? new Uint8Array());
    }
    const run: readonly Uint8Array[] = level === 'data' ? this.#edge : (this.#levels[level] ?? []);
    const at = from - (tiled - (tiled % TILE_WIDTH));
    return concat(...run.slice(at, at + width));
  }
}

function beginningOrNone(tile: Bytes, address: TileAddress): Bytes | undefined {
  try {
    return beginningOf(tile, address);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
