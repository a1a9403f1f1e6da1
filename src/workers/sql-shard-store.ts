// SQL shard store: a limiter shard's buckets and replay records, in memory and in the SQLite of its Durable Object.

import { Buckets } from '../admission/buckets.ts';
import { type Rate, toleranceOf } from '../admission/gcra.ts';
import type { ReplayRecord, ShardStore } from './limit-shard.ts';
import type { Sql } from './sql.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS bucket (key TEXT PRIMARY KEY, tat INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS replay
    (token TEXT PRIMARY KEY, spki TEXT NOT NULL, expires INTEGER NOT NULL, uses INTEGER NOT NULL) WITHOUT ROWID`;

/** Buckets in memory; about 130 bytes each. */
const CAPACITY = 50_000;

/**
 * Part of a burst that an evicted object may forget. Nearly every bucket is nearly full nearly always, and a row written
 * for each issuance would cost more than the issuance and make it wait for the disk; whoever has spent more than this is
 * written down.
 */
const FORGIVEN = 1 / 8;

export class SqlShardStore implements ShardStore {
  readonly #sql: Sql;
  readonly #buckets = new Buckets(CAPACITY);

  constructor(sql: Sql) {
    this.#sql = sql;
    sql.exec(SCHEMA);
  }

  tat(key: string): number | undefined {
    const known = this.#buckets.get(key);
    if (known !== undefined) return known;
    return this.#sql.exec<{ tat: number }>('SELECT tat FROM bucket WHERE key = ?', key).toArray()[0]?.tat;
  }

  setTat(key: string, tat: number, rate: Rate, now: number): void {
    this.#buckets.set(key, tat, now);
    if (tat - now > toleranceOf(rate) * FORGIVEN)
      this.#sql.exec('INSERT OR REPLACE INTO bucket VALUES (?, ?)', key, tat);
  }

  credit(key: string, microseconds: number): void {
    const known = this.#buckets.get(key);
    this.#buckets.credit(key, microseconds);
    // A row of another time is that of an earlier, lower debt.
    const [where, bindings] = known === undefined ? ['', []] : [' AND tat = ?', [known]];
    this.#sql.exec(`UPDATE bucket SET tat = tat - ? WHERE key = ?${where}`, microseconds, key, ...bindings);
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

  /** Forgets what no longer counts at `now`, in milliseconds; returns how many rows are left. */
  prune(now: number): number {
    // A bucket that has refilled is the same as none.
    this.#sql.exec('DELETE FROM bucket WHERE tat <= ?', now * 1000);
    this.#sql.exec('DELETE FROM replay WHERE expires <= ?', now);
    const query = 'SELECT (SELECT COUNT(*) FROM bucket) + (SELECT COUNT(*) FROM replay) AS n';
    return this.#sql.exec<{ n: number }>(query).toArray()[0]?.n ?? 0;
  }
}
