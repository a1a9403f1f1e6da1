// SQL leaf index: finds entries by the first eight bytes of their leaf hash, in the SQLite of the log's Durable Object.

import type { Bytes } from '../encoding/bytes.ts';
import type { LeafIndex } from '../log/leaf-index.ts';
import type { SqlDatabase } from './sql.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS leaf (prefix BLOB, place INTEGER, PRIMARY KEY (prefix, place)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS leaf_size (id INTEGER PRIMARY KEY, size INTEGER NOT NULL)`;

const PREFIX = 8;

export class SqlLeafIndex implements LeafIndex {
  readonly #storage: Pick<SqlDatabase, 'sql' | 'transactionSync'>;
  #size: number;

  constructor(storage: Pick<SqlDatabase, 'sql' | 'transactionSync'>) {
    this.#storage = storage;
    storage.sql.exec(SCHEMA);
    this.#size = storage.sql.exec<{ size: number }>('SELECT size FROM leaf_size').toArray()[0]?.size ?? 0;
  }

  get size(): number {
    return this.#size;
  }

  async add(first: number, hashes: readonly Bytes[]): Promise<void> {
    const { sql } = this.#storage;
    this.#storage.transactionSync(() => {
      for (const [i, hash] of hashes.entries())
        sql.exec('INSERT OR IGNORE INTO leaf VALUES (?, ?)', hash.slice(0, PREFIX), first + i);
      this.#write(first + hashes.length);
    });
  }

  async candidates(hash: Bytes): Promise<readonly number[]> {
    const query = 'SELECT place FROM leaf WHERE prefix = ? ORDER BY place';
    const rows = this.#storage.sql.exec<{ place: number }>(query, hash.slice(0, PREFIX)).toArray();
    return rows.map(({ place }) => place);
  }

  async clear(): Promise<void> {
    this.#storage.transactionSync(() => {
      this.#storage.sql.exec('DELETE FROM leaf');
      this.#write(0);
    });
  }

  async close(): Promise<void> {}

  #write(size: number): void {
    this.#storage.sql.exec('INSERT OR REPLACE INTO leaf_size VALUES (0, ?)', size);
    this.#size = size;
  }
}
