// Log client: a log read from outside, as a monitor reads it; believes nothing that it has not recomputed.

import { type Bytes, equal, fromBase64 } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { type PublicKey, parsePublicKey } from '../key/public-key.ts';
import type { SignatureVerifier } from '../key/verifier.ts';
import { type Checkpoint, parseCheckpoint, type SignedTreeHead, verifyCheckpoint } from './checkpoint.ts';
import { beginningOf, readDataTile, type TileLeaf } from './entry.ts';
import type { Sct } from './log.ts';
import { type Frontier, leafHash, rootOf, subtreesOf, type TreeHead } from './merkle.ts';
import { parseNote } from './note.ts';
import { Prover, rootOfInclusion, verifyConsistency } from './proof.ts';
import { sctInput, verifySct } from './sct.ts';
import { hashesAt, subtreeHash, TILE_HEIGHT, TILE_WIDTH, type TileAddress, tilePath } from './tile.ts';

/** What a client must know of a log beforehand. */
export interface KnownLog {
  readonly origin: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Bytes;
}

/** An object below the log's monitoring prefix, such as `checkpoint`; undefined for 404. Rejects when nothing answers. */
export type GetObject = (path: string) => Promise<Bytes | undefined>;

/** Something that a log of good faith would not show. */
export class LogMistrust extends Error {
  override readonly name = 'LogMistrust';
}

export interface LogClientOptions {
  readonly log: KnownLog;
  readonly get: GetObject;
  readonly sha256: Sha256;
  readonly verifier: SignatureVerifier;
}

/** A checkpoint whose signature by the log was verified. */
export interface VerifiedCheckpoint extends SignedTreeHead, Checkpoint {
  /** The signed note. */
  readonly note: Bytes;
}

export class LogClient {
  readonly log: KnownLog;
  readonly #options: LogClientOptions;
  readonly #key: PublicKey;
  readonly #prover: Prover;

  constructor(options: LogClientOptions) {
    this.log = options.log;
    this.#options = options;
    this.#key = parsePublicKey(options.log.publicKey);
    this.#prover = new Prover(options.sha256, (address) => this.tile(address));
  }

  /** The newest checkpoint, its signature verified. Throws a LogMistrust. */
  async treeHead(): Promise<VerifiedCheckpoint> {
    const note = await this.#options.get('checkpoint');
    if (note === undefined) throw new LogMistrust('the log shows no checkpoint');
    return this.verify(note);
  }

  /** A checkpoint by its bytes. Throws a LogMistrust when it is malformed, of another log, or not signed by this one. */
  async verify(note: Bytes): Promise<VerifiedCheckpoint> {
    const { log, sha256, verifier } = this.#options;
    const text = parseNote(note)?.text;
    const checkpoint = text === undefined ? undefined : parseCheckpoint(text);
    if (checkpoint === undefined) throw new LogMistrust('the log shows no well-formed checkpoint');
    if (checkpoint.origin !== log.origin) throw new LogMistrust('the checkpoint is of another log');
    const head = await verifyCheckpoint(verifier, sha256, this.#key, note);
    if (head === undefined) throw new LogMistrust('the checkpoint carries no good signature of the log');
    return { ...head, note };
  }

  /** A tile of that width, from the fuller one where the log has that by now. Throws a LogMistrust where there is none. */
  async tile(address: TileAddress): Promise<Bytes> {
    const { get } = this.#options;
    const path = tilePath(address);
    const exact = await get(path);
    if (exact !== undefined) return exact;
    const full =
      address.width === TILE_WIDTH ? undefined : await get(tilePath({ ...address, width: TILE_WIDTH }));
    if (full === undefined) throw new LogMistrust(`the log signed a tree whose ${path} it does not show`);
    return decoded(path, () => beginningOf(full, address));
  }

  /** The entries of a data tile, which nothing vouches for yet. Throws a LogMistrust when they are malformed. */
  async entries(index: number, width: number): Promise<readonly TileLeaf[]> {
    const address = { level: 'data', index, width } as const;
    const tile = await this.tile(address);
    const path = tilePath(address);
    const entries = decoded(path, () => readDataTile(tile));
    if (entries.length !== width)
      throw new LogMistrust(`${path} holds ${entries.length} entries where ${width} belong`);
    return entries.map(({ entry }) => entry);
  }

  /** Whether the log signed the SCT for the precertificate (RFC 6962 section 3.2). */
  verifySct(sct: Sct, issuerKeyHash: Bytes, tbs: Bytes): Promise<boolean> {
    const { verifier, sha256 } = this.#options;
    return verifySct(verifier, sha256, this.#key, { issuerKeyHash, tbs }, sct);
  }

  /** Recomputes the inclusion of the entry behind an SCT in `head`; the number of hashes it took. Throws a LogMistrust. */
  async verifyInclusion(
    head: TreeHead,
    index: number,
    sct: Sct,
    issuerKeyHash: Bytes,
    tbs: Bytes,
  ): Promise<number> {
    const leaf = leafHash(this.#options.sha256, sctInput({ issuerKeyHash, tbs }, sct));
    return (await this.proveInclusion(head, index, leaf)).length;
  }

  /** The proof that a leaf hash stands at that index of `head`. Throws a LogMistrust when it does not. */
  async proveInclusion(head: TreeHead, index: number, leaf: Bytes): Promise<readonly Bytes[]> {
    const proof = await this.#proof(() => this.#prover.inclusion(index, head.size));
    const root = rootOfInclusion(this.#options.sha256, leaf, index, head.size, proof);
    if (root !== undefined && equal(root, head.root)) return proof;
    throw new LogMistrust(`the entry does not stand at index ${index} of the tree that the log signed`);
  }

  /** Throws a LogMistrust unless the tree of `older` is proven to be the beginning of that of `newer`. */
  async requireConsistency(older: TreeHead, newer: TreeHead): Promise<void> {
    const proof = await this.#proof(() => this.#prover.consistency(older.size, newer.size));
    const { sha256 } = this.#options;
    if (!verifyConsistency(sha256, older.size, older.root, newer.size, newer.root, proof))
      throw new LogMistrust(
        `the tree of ${newer.size} entries that the log signed does not continue that of ${older.size}`,
      );
  }

  /**
   * What growing the tree of the first `size` entries takes, where it is the beginning of `head`. Throws a LogMistrust when
   * the tiles are of another tree.
   */
  async frontierOf(size: number, head: TreeHead): Promise<Frontier> {
    const nodes: Bytes[] = [];
    for (const { height, index } of subtreesOf(size)) {
      const level = Math.floor(height / TILE_HEIGHT);
      const span = 2 ** (height % TILE_HEIGHT);
      const first = index * span;
      const tile = Math.floor(first / TILE_WIDTH);
      const width = Math.min(TILE_WIDTH, hashesAt(level, head.size) - tile * TILE_WIDTH);
      const bytes = await this.tile({ level, index: tile, width });
      const at = first % TILE_WIDTH;
      nodes.push(decoded('a tile', () => subtreeHash(this.#options.sha256, bytes, at, at + span)));
    }
    const frontier = { size, nodes };
    await this.requireConsistency({ size, root: rootOf(this.#options.sha256, frontier) }, head);
    return frontier;
  }

  /** A tile that is too short is the log's fault, not ours. */
  async #proof(make: () => Promise<Bytes[]>): Promise<readonly Bytes[]> {
    try {
      return await make();
    } catch (error) {
      if (error instanceof RangeError) throw new LogMistrust(`a tile is malformed: ${error.message}`);
      throw error;
    }
  }
}

function decoded<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) throw new LogMistrust(`${path} is malformed: ${error.message}`);
    throw error;
  }
}

/** Reads GET /.well-known/mayfly/log.json; undefined when it is not that. */
export function readLogDocument(text: string): (KnownLog & { readonly monitoringUrl: string }) | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { origin, key, monitoring_url: url } = value as Readonly<Record<string, unknown>>;
  const publicKey = typeof key === 'string' ? fromBase64(key) : undefined;
  if (typeof origin !== 'string' || typeof url !== 'string' || publicKey === undefined) return undefined;
  return { origin, publicKey, monitoringUrl: url };
}
