// Limit object: a shard of the limiter in a Durable Object; what it has written survives eviction and is pruned by alarm.

import { DurableObject } from 'cloudflare:workers';
import type { ReplayCheck } from '../admission/replay.ts';
import type { Environment } from './environment.ts';
import type { LimitService, ShardCharge, ShardVerdict } from './limit-service.ts';
import { give, take } from './limit-shard.ts';
import { SqlShardStore } from './sql-shard-store.ts';

/** Milliseconds from a first write to the next pruning. */
const PRUNE = 3_600_000;

export class LimitObject extends DurableObject<Environment> implements LimitService {
  readonly #store: SqlShardStore;
  #isAlarmSet = false;

  constructor(state: DurableObjectState, environment: Environment) {
    super(state, environment);
    this.#store = new SqlShardStore(state.storage.sql);
  }

  async take(
    charges: readonly ShardCharge[],
    replay: ReplayCheck | undefined,
    now: number,
  ): Promise<ShardVerdict> {
    await this.#provideAlarm();
    // From here on synchronous: the writes, if any, are one transaction, and the answer leaves once they are durable.
    return take(this.#store, charges, replay, now);
  }

  async give(charges: readonly ShardCharge[], replay: ReplayCheck | undefined): Promise<void> {
    give(this.#store, charges, replay);
  }

  override async alarm(): Promise<void> {
    const now = Date.now();
    const left = this.#store.prune(now);
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
