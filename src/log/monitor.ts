// Monitor: follows a log from outside: that its tree only grows, that its entries are those of the tree, and what they are.

import { equal } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { merkleTreeLeaf, type TileLeaf } from './entry.ts';
import { type LogClient, LogMistrust, type VerifiedCheckpoint } from './log-client.ts';
import { EMPTY, type Frontier, grow, leafHash, rootOf } from './merkle.ts';
import { TILE_WIDTH } from './tile.ts';

export type AlarmKind =
  /** Two trees that both were signed, neither the beginning of the other. */
  | 'fork'
  /** A tree smaller than, or as old as, one that was shown before. */
  | 'rollback'
  /** No new tree head for too long. */
  | 'stale'
  /** Entries that are not those of the tree. */
  | 'entries'
  /** Anything else that a log of good faith would not show. */
  | 'mistrust';

/** The log does what a log may not do, or does nothing. */
export class Alarm extends Error {
  override readonly name = 'Alarm';
  readonly kind: AlarmKind;
  /** Signed notes that prove it, older first, where it is the log's signature that does. */
  readonly evidence: readonly VerifiedCheckpoint[];

  constructor(kind: AlarmKind, message: string, evidence: readonly VerifiedCheckpoint[] = []) {
    super(message);
    this.kind = kind;
    this.evidence = evidence;
  }
}

/** How far a monitor has come; to be kept between runs. */
export interface Progress {
  /** The newest checkpoint that was found to continue the ones before; undefined at first. */
  readonly checkpoint: VerifiedCheckpoint | undefined;
  /** The tree of the entries that have been examined, which may be fewer than the checkpoint's. */
  readonly examined: Frontier;
}

export const BEGINNING: Progress = { checkpoint: undefined, examined: EMPTY };

export interface MonitorOptions {
  readonly client: LogClient;
  readonly sha256: Sha256;
  /** Milliseconds after which a tree head is too old; a Mayfly signs a new one every minute. */
  readonly staleAfter: number;
  /** Told of each stretch of entries once they are known to be those of the tree. It is repeated when it rejects. */
  readonly onEntries: (entries: readonly TileLeaf[]) => void | Promise<void>;
  /** Told after each stretch; what it is given is where a later run can go on. */
  readonly onProgress?: (progress: Progress) => void | Promise<void>;
}

/** Data tiles in a stretch: each stretch costs one proof. */
const STRETCH = 16;

export class Monitor {
  readonly #options: MonitorOptions;
  #progress: Progress;

  constructor(options: MonitorOptions, progress = BEGINNING) {
    this.#options = options;
    this.#progress = progress;
  }

  get progress(): Progress {
    return this.#progress;
  }

  /**
   * Looks at the log once, and at every entry that is new. `now` is in milliseconds since the epoch. Rejects with an
   * Alarm, or with whatever error kept it from looking. A stale head is told last, when all else has been looked at.
   */
  async look(now: number): Promise<VerifiedCheckpoint> {
    try {
      const checkpoint = await this.#options.client.treeHead();
      await this.#requireGrowth(checkpoint);
      this.#progress = { ...this.#progress, checkpoint };
      await this.#examine(checkpoint);
      this.#requireFresh(checkpoint, now);
      return checkpoint;
    } catch (error) {
      if (error instanceof LogMistrust) throw new Alarm('mistrust', error.message);
      throw error;
    }
  }

  async #requireGrowth(next: VerifiedCheckpoint): Promise<void> {
    const last = this.#progress.checkpoint;
    if (last === undefined) return;
    const evidence = [last, next];
    if (next.size === last.size && !equal(next.root, last.root))
      throw new Alarm('fork', `the log signed two trees of ${next.size} entries`, evidence);
    if (next.size < last.size || next.timestamp < last.timestamp)
      throw new Alarm(
        'rollback',
        `the log shows a tree of ${next.size} entries after one of ${last.size} had been shown`,
        evidence,
      );
    try {
      await this.#options.client.requireConsistency(last, next);
    } catch (error) {
      if (!(error instanceof LogMistrust)) throw error;
      // Where the tiles are those of the newer tree, the older one was another; where they are not, nothing is proven.
      await this.#options.client.frontierOf(last.size, next);
      throw new Alarm('fork', error.message, evidence);
    }
  }

  async #examine(checkpoint: VerifiedCheckpoint): Promise<void> {
    const { client, onEntries, onProgress } = this.#options;
    while (this.#progress.examined.size < checkpoint.size) {
      const { examined, entries } = await this.#stretch(checkpoint);
      const tree = { size: examined.size, root: rootOf(this.#options.sha256, examined) };
      try {
        await client.requireConsistency(tree, checkpoint);
      } catch (error) {
        if (!(error instanceof LogMistrust)) throw error;
        throw new Alarm('entries', `the entries up to ${examined.size} are not those that the log signed`, [
          checkpoint,
        ]);
      }
      await onEntries(entries);
      this.#progress = { checkpoint, examined };
      await onProgress?.(this.#progress);
    }
    await onProgress?.(this.#progress);
  }

  /** The next entries, and the tree with them; nothing vouches for them yet. */
  async #stretch({
    size,
  }: VerifiedCheckpoint): Promise<{ examined: Frontier; entries: readonly TileLeaf[] }> {
    const { client, sha256 } = this.#options;
    const start = this.#progress.examined.size;
    const first = Math.floor(start / TILE_WIDTH);
    const end = Math.min(size, (first + STRETCH) * TILE_WIDTH);
    const tiles = Array.from({ length: Math.ceil(end / TILE_WIDTH) - first }, (_, i) =>
      client.entries(first + i, Math.min(TILE_WIDTH, size - (first + i) * TILE_WIDTH)),
    );
    const entries = (await Promise.all(tiles)).flat().slice(start - first * TILE_WIDTH);
    for (const [i, { index }] of entries.entries())
      if (index !== start + i) throw new Alarm('entries', `entry ${start + i} says that it is ${index}`);
    const leaves = entries.map((entry) => leafHash(sha256, merkleTreeLeaf(entry)));
    return { examined: grow(sha256, this.#progress.examined, leaves), entries };
  }

  #requireFresh(checkpoint: VerifiedCheckpoint, now: number): void {
    const { staleAfter } = this.#options;
    if (now - checkpoint.timestamp <= staleAfter) return;
    const minutes = Math.floor((now - checkpoint.timestamp) / 60_000);
    throw new Alarm('stale', `the log has signed no tree head for ${minutes} minutes`, [checkpoint]);
  }
}
