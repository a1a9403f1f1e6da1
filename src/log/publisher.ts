// Publisher: brings what is durable before the public: full tiles first, then the checkpoint that covers them.

import type { Clock } from '../clock.ts';
import { type Bytes, equal } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { type CheckpointKeys, type SignedTreeHead, signCheckpoint } from './checkpoint.ts';
import type { Edge } from './edge.ts';
import { LogDamage } from './journal.ts';
import type { LastTiles } from './last-tiles.ts';
import type { ObjectStore } from './object-store.ts';
import { writePartialTiles } from './partial-tiles.ts';
import { type Published, writePublished } from './published.ts';
import type { Head } from './recovery.ts';
import type { Schedule } from './schedule.ts';
import { hashesAt, MAX_LEVEL, TILE_WIDTH, type TileAddress, tilePath } from './tile.ts';

/** What the publisher publishes from: the sequencer, or its like. */
export interface Source {
  readonly head: Head;
  readonly edge: Edge;
  release(size: number): Promise<void>;
}

export interface PublisherOptions {
  readonly sha256: Sha256;
  readonly clock: Clock;
  readonly schedule: Schedule;
  readonly keys: CheckpointKeys;
  /** The public objects. */
  readonly store: ObjectStore;
  /** Where the `published` record lies; best on another disk than the tree. */
  readonly guard: ObjectStore;
  readonly onError: (error: unknown) => void;
  /** Where partial tiles are remembered for the next opening, if anywhere. */
  readonly remembered?: ObjectStore | undefined;
  /** Where partial tiles are shown to the public, if not only by this process; closed with the publisher. */
  readonly lastTiles?: LastTiles | undefined;
  /**
   * Told of each checkpoint that was signed. Where it takes one, `show` brings that or a later one before the public;
   * otherwise it is shown at once.
   */
  readonly take?: ((publication: Publication) => boolean) | undefined;
  /** Told of each publication that came to its end: the milliseconds that it took, without the wait for witnesses. */
  readonly onPublished?: ((milliseconds: number) => void) | undefined;
  /** Makes the entries below `size` findable, before the checkpoint that covers them is seen. */
  readonly index: (size: number) => Promise<void>;
  /** Milliseconds from a commit to its publication, in which further commits join; 250 unless set. */
  readonly delay?: number | undefined;
  /** Milliseconds after which an idle log signs a fresh tree head; 60,000 unless set. */
  readonly refresh?: number | undefined;
}

/** What the public sees. */
export interface Publication {
  readonly treeHead: SignedTreeHead;
  /** The signed note. */
  readonly checkpoint: Bytes;
}

interface Waiter {
  readonly index: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Tiles written at once. */
const PARALLEL = 8;
/** Milliseconds that an entry may wait for a tree head before no more are taken: half of the maximum merge delay. */
const OVERDUE = 30_000;
/** Milliseconds until a publication that failed is tried again. */
const RETRY = 1000;

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #source: Source;
  #last: Published | undefined;
  #current: Publication | undefined;
  #publishing: Promise<void> | undefined;
  #cancel: (() => void) | undefined;
  /** Whether the publication that is scheduled is for a commit, not only for a fresh tree head. */
  #due = false;
  /** When the first entry was committed that no tree head covers yet. */
  #waitingSince: number | undefined;
  #waiters: Waiter[] = [];
  #showing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: PublisherOptions, source: Source, last: Published | undefined) {
    this.#options = options;
    this.#source = source;
    this.#last = last;
  }

  /** Undefined before the first publication of this process. */
  get current(): Publication | undefined {
    return this.#current;
  }

  /** Whether the log is about to break its word on publication: its disk is full, or its store is away. */
  get overdue(): boolean {
    return this.#waitingSince !== undefined && this.#now() - this.#waitingSince > OVERDUE;
  }

  /** For how long something lasts: a clock that is set meanwhile must not count. */
  #now(): number {
    const { clock } = this.#options;
    return clock.steady?.() ?? clock.now();
  }

  /** Something was committed: it will be published soon. */
  notify(): void {
    this.#waitingSince ??= this.#now();
    if (this.#due || this.#closed) return;
    this.#due = true;
    this.#plan(this.#options.delay ?? 250);
  }

  /** Resolves once a checkpoint covers the entry; does not hasten it. Rejects when the log closes before. */
  published(index: number): Promise<void> {
    if (index < (this.#current?.treeHead.size ?? 0)) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiters.push({ index, resolve, reject }));
  }

  /** Signs, and unless witnesses take it shows, all that is durable now. Rejects when it cannot; it will be tried again. */
  async publish(): Promise<void> {
    // A publication under way may have begun before the newest commit.
    await this.#publishing?.catch(() => undefined);
    this.#publishing ??= this.#publish().finally(() => {
      this.#publishing = undefined;
    });
    return this.#publishing;
  }

  /** Brings a signed checkpoint before the public, unless a later one is there. Resolves once it can be read. */
  show(publication: Publication): Promise<void> {
    this.#showing = this.#showing.catch(() => undefined).then(() => this.#show(publication));
    return this.#showing;
  }

  async #show(publication: Publication): Promise<void> {
    const { size, timestamp } = publication.treeHead;
    if (timestamp < (this.#current?.treeHead.timestamp ?? 0)) return;
    await this.#options.store.replace('checkpoint', publication.checkpoint);
    this.#current = publication;
    this.#waiters = this.#waiters.filter(({ index, resolve }) => {
      if (index >= size) return true;
      resolve();
      return false;
    });
  }

  /** Publishes what is left and stops. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    try {
      if (this.#source.head.size !== this.#current?.treeHead.size) await this.publish();
      else await this.#publishing;
    } catch (error) {
      this.#options.onError(error);
    }
    await this.#showing.catch(() => undefined);
    await this.#options.lastTiles?.close();
    for (const { reject } of this.#waiters.splice(0)) reject(new Error('the log was closed'));
  }

  #plan(milliseconds: number): void {
    this.#cancel?.();
    this.#cancel = this.#options.schedule(() => {
      this.#due = false;
      this.publish().catch((error: unknown) => {
        this.#options.onError(error);
        if (this.#closed) return;
        this.#due = true;
        this.#plan(RETRY);
      });
    }, milliseconds);
  }

  async #publish(): Promise<void> {
    const { sha256, clock, keys, guard, remembered, lastTiles } = this.#options;
    const { head, edge } = this.#source;
    const started = performance.now();
    const last = this.#last;
    if (
      last !== undefined &&
      (head.size < last.size || (head.size === last.size && !equal(head.root, last.root)))
    )
      throw new LogDamage(
        `a tree of ${head.size} entries cannot follow the one of ${last.size} that was published`,
      );
    await this.#writeTiles(edge, last?.size ?? 0, head.size);
    await lastTiles?.show(edge, head.size);
    const tiled = head.size - (head.size % TILE_WIDTH);
    if (remembered !== undefined && tiled > (last?.size ?? 0))
      await writePartialTiles(remembered, tiled, edge);
    // Derived data must not hold up a checkpoint.
    await this.#options.index(head.size).catch(this.#options.onError);

    const timestamp = Math.max(clock.now(), head.timestamp, (last?.timestamp ?? 0) + 1);
    // The guard first: no tree head is ever signed that it does not know.
    this.#last = { size: head.size, root: head.root, timestamp };
    await writePublished(guard, this.#last);
    const { treeHead, note } = await signCheckpoint(sha256, keys, head, timestamp);
    const publication = { treeHead, checkpoint: note };
    const taken = !this.#closed && this.#options.take?.(publication) === true;
    // Whoever opened the log waits for the first.
    if (!taken || this.#current === undefined) await this.show(publication);
    this.#options.onPublished?.(performance.now() - started);
    this.#waitingSince = this.#source.head.size > head.size ? this.#now() : undefined;
    if (!this.#due && !this.#closed) this.#plan(this.#options.refresh ?? 60_000);
    await this.#source.release(head.size).catch(this.#options.onError);
  }

  /** The tiles that became full between two sizes. Each is durable when this resolves. */
  async #writeTiles(edge: Edge, before: number, size: number): Promise<void> {
    const tiles: TileAddress[] = [];
    for (let level = 0; level <= MAX_LEVEL; level++) {
      const full = Math.floor(hashesAt(level, size) / TILE_WIDTH);
      for (let index = Math.floor(hashesAt(level, before) / TILE_WIDTH); index < full; index++) {
        if (level === 0) tiles.push({ level: 'data', index, width: TILE_WIDTH });
        tiles.push({ level, index, width: TILE_WIDTH });
      }
    }
    for (let i = 0; i < tiles.length; i += PARALLEL)
      await Promise.all(tiles.slice(i, i + PARALLEL).map((tile) => this.#writeTile(edge, tile)));
  }

  async #writeTile(edge: Edge, tile: TileAddress): Promise<void> {
    const [from, to] = [tile.index * TILE_WIDTH, (tile.index + 1) * TILE_WIDTH];
    const bytes = tile.level === 'data' ? edge.data(from, to) : edge.hashes(tile.level, from, to);
    if (bytes === undefined)
      throw new LogDamage(`${tilePath(tile)} is due, but its content is gone from memory`);
    await this.#options.store.create(tilePath(tile), bytes);
  }
}
