// SQL shard store: a limiter shard's buckets and replay records in the SQLite of its Durable Object.

import type { ReplayRecord, ShardStore } from './limit-shard.ts';
import type { Sql } from './sql.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS bucket (key TEXT PRIMARY KEY, tat INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS replay
    (token TEXT PRIMARY KEY, spki TEXT NOT NULL, expires INTEGER NOT NULL, uses INTEGER NOT NULL) WITHOUT ROWID`;

export class SqlShardStore implements ShardStore {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
    sql.exec(SCHEMA);
  }

  tat(key: string): number | undefined {
    return this.#sql.exec<{ tat: number }>('SELECT tat FROM bucket WHERE key = ?', key).toArray()[0]?.tat;
  }

  setTat(key: string, tat: number): void {
    this.#sql.exec('INSERT OR REPLACE INTO bucket VALUES (?, ?)', key, tat);
  }

  replay(tokenHash: string): ReplayRecord | undefined {
    const query = 'SELECT spki AS spkiHash, expires AS expiresAt, uses FROM replay WHERE token = ?';
    return this.#sql
      .exec<{ spkiHash: string; expiresAt: number; uses: number }>(query, tokenHash)
      .toArray()[0];
  }

  setReplay(tokenHash: string, record: ReplayRecord | undefined): void {
    if (record === undefined) this.#sql.exec('DELETE FROM replay WHERE token = ?', tokenHash);
    else {
      const { spkiHash, expiresAt, uses } = record;
      this.#sql.exec(
        'INSERT OR REPLACE INTO replay VALUES (?, ?, ?, ?)',
        tokenHash,
        spkiHash,
        expiresAt,
        uses,
      );
    }
  }

  /** Forgets what no longer counts at `now`, in milliseconds; returns how much is left. */
  prune(now: number): number {
    // A bucket that has refilled is the same as none.
    this.#sql.exec('DELETE FROM bucket WHERE tat <= ?', now * 1000);
    this.#sql.exec('DELETE FROM replay WHERE expires <= ?', now);
    const query = 'SELECT (SELECT COUNT(*) FROM bucket) + (SELECT COUNT(*) FROM replay) AS n';
    return this.#sql.exec<{ n: number }>(query).toArray()[0]?.n ?? 0;
  }
}
