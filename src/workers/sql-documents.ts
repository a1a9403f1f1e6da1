// SQL documents: documents of issuers in the SQLite of a Durable Object.

import type { Clock } from '../clock.ts';
import type { Sql } from './sql.ts';
import type { DocumentStore, StoredDocument } from './stored-fetcher.ts';

/** A day, after which no document serves any more. */
const KEEP = 86_400_000;

export class SqlDocuments implements DocumentStore {
  readonly #sql: Sql;
  readonly #clock: Clock;

  constructor(sql: Sql, clock: Clock) {
    this.#sql = sql;
    this.#clock = clock;
    sql.exec(
      'CREATE TABLE IF NOT EXISTS document (url TEXT PRIMARY KEY, body BLOB, at INTEGER) WITHOUT ROWID',
    );
  }

  get(url: string): StoredDocument | undefined {
    const [row] = this.#sql
      .exec<{ body: ArrayBuffer; at: number }>('SELECT body, at FROM document WHERE url = ?', url)
      .toArray();
    return row && { body: new Uint8Array(row.body), at: row.at };
  }

  put(url: string, { body, at }: StoredDocument): void {
    this.#sql.exec('INSERT OR REPLACE INTO document VALUES (?, ?, ?)', url, body, at);
    this.#sql.exec('DELETE FROM document WHERE at < ?', this.#clock.now() - KEEP);
  }
}
