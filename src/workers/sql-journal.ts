// SQL journal: the log's journal in the SQLite of its Durable Object, a row for each batch.

import type { Bytes } from '../encoding/bytes.ts';
import type { Journal, JournalRecord } from '../log/journal.ts';
import type { SqlDatabase } from './sql.ts';

export class SqlJournal implements Journal {
  readonly #storage: SqlDatabase;
  readonly #onAppend: () => void;

  /** `onAppend` runs in the transaction of each batch: what it writes is durable with it. */
  constructor(storage: SqlDatabase, onAppend: () => void) {
    this.#storage = storage;
    this.#onAppend = onAppend;
    storage.sql.exec(
      'CREATE TABLE IF NOT EXISTS batch (first INTEGER PRIMARY KEY, past INTEGER NOT NULL, bytes BLOB NOT NULL)',
    );
  }

  async *recover(from: number): AsyncIterable<Bytes> {
    const { sql } = this.#storage;
    // Row by row: a cursor must not stay open across an await.
    const query = 'SELECT first, bytes FROM batch WHERE past > ? AND first > ? ORDER BY first LIMIT 1';
    for (let after = -1; ; ) {
      const [row] = sql.exec<{ first: number; bytes: ArrayBuffer }>(query, from, after).toArray();
      if (row === undefined) break;
      after = row.first;
      yield new Uint8Array(row.bytes);
    }
    await this.#storage.sync();
  }

  /** A second object that believes itself the only one meets a row in its place, or the end of its own storage. */
  async append({ first, count, bytes }: JournalRecord): Promise<void> {
    this.#storage.transactionSync(() => {
      this.#storage.sql.exec('INSERT INTO batch VALUES (?, ?, ?)', first, first + count, bytes);
      this.#onAppend();
    });
    await this.#storage.sync();
  }

  async discard(index: number): Promise<void> {
    this.#storage.sql.exec('DELETE FROM batch WHERE past <= ?', index);
  }

  async close(): Promise<void> {}
}
