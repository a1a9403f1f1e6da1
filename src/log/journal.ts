// Journal: the durable head of the log, an ordered list of batches; what stands here is in the tree.

import type { Bytes } from '../encoding/bytes.ts';

export interface JournalRecord {
  /** Index of the first entry, and how many. */
  readonly first: number;
  readonly count: number;
  readonly bytes: Bytes;
}

export interface Journal {
  /**
   * Yields, in order, every record that holds an entry at or after `from`, and possibly some before it.
   * Cuts off a torn last record (a write that never returned); throws a LogDamage for any other fault.
   * Makes all that it yielded durable again before it ends, since after a failed sync the system may have shown
   * pages that no disk holds. To be read to its end before the first append, and again after a failed one.
   */
  recover(from: number): AsyncIterable<Bytes>;
  /**
   * Resolves once a crash can no longer lose the record. One at a time, each starting where the last ended.
   * Rejects when the outcome is unknown: the record may or may not be found by the next `recover`.
   */
  append(record: JournalRecord): Promise<void>;
  /** Lets records go whose entries all lie before `index`; they are in full tiles. */
  discard(index: number): Promise<void>;
  close(): Promise<void>;
}

/** What is stored contradicts itself or what was published: a person has to look. */
export class LogDamage extends Error {
  override readonly name = 'LogDamage';
}
