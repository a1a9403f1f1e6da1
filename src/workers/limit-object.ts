// Limit object: a shard of the limiter in a Durable Object; its buckets survive eviction and are pruned by alarm.

import { DurableObject } from 'cloudflare:workers';
import type { ReplayCheck } from '../admission/replay.ts';
import type { Environment } from './environment.ts';
import type { LimitService, ShardCharge, ShardVerdict } from './limit-service.ts';
import { give, type ReplayRecord, type ShardStore, take } from './limit-shard.ts';

/** Milliseconds from a first write to the next pruning. */
const PRUNE = 3_600_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS bucket (key TEXT PRIMARY KEY, tat INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS replay
    (token TEXT PRIMARY KEY, spki TEXT NOT NULL, expires INTEGER NOT NULL, uses INTEGER NOT NULL) WITHOUT ROWID`;

export class LimitObject extends DurableObject<Environment> implements LimitService {
  readonly #sql: SqlStorage;
  readonly #store: ShardStore;
  #isAlarmSet = false;

  constructor(state: DurableObjectState, environment: Environment) {
    super(state, environment);
    this.#sql = state.storage.sql;
    this.#sql.exec(SCHEMA);
    this.#store = new SqlShardStore(this.#sql);
  }

  async take(
    charges: readonly ShardCharge[],
    replay: ReplayCheck | undefined,
    now: number,
  ): Promise<ShardVerdict> {
    await this.#provideAlarm();
    // From here on synchronous: the writes are one transaction, and the answer leaves once they are durable.
    return take(this.#store, charges, replay, now);
  }

  async give(charges: readonly ShardCharge[], replay: ReplayCheck | undefined): Promise<void> {
    give(this.#store, charges, replay);
  }

  override async alarm(): Promise<void> {
    const now = Date.now();
    // A bucket that has refilled is the same as none.
    this.#sql.exec('DELETE FROM bucket WHERE tat <= ?', now * 1000);
    this.#sql.exec('DELETE FROM replay WHERE expires <= ?', now);
    const left = this.#sql
      .exec<{ n: number }>('SELECT (SELECT COUNT(*) FROM bucket) + (SELECT COUNT(*) FROM replay) AS n')
      .one().n;
    this.#isAlarmSet = left > 0;
    if (left > 0) await this.ctx.storage.setAlarm(now + PRUNE);
  }

  async #provideAlarm(): Promise<void> {
    if (this.#isAlarmSet) return;
    this.#isAlarmSet = true;
    const { storage } = this.ctx;
    if ((await storage.getAlarm()) === null) await storage.setAlarm(Date.now() + PRUNE);
  }
}

class SqlShardStore implements ShardStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
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
}
