// The limiter over shards: the same verdicts as the one in memory, exact under concurrency, and what it does without a shard.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Rate } from '../../../src/admission/gcra.ts';
import type { Charge, Limiter, Verdict } from '../../../src/admission/limiter.ts';
import { MemoryLimiter } from '../../../src/admission/memory-limiter.ts';
import type { ReplayCheck } from '../../../src/admission/replay.ts';
import { instantOf } from '../../../src/clock.ts';
import { give, take } from '../../../src/workers/limit-shard.ts';
import { type Shard, ShardedLimiter } from '../../../src/workers/sharded-limiter.ts';
import { SqlShardStore } from '../../../src/workers/sql-shard-store.ts';
import { Platform } from '../../fakes/durable-object.ts';

const NOW = Date.parse('2026-06-01T10:00:00Z');
const HOUR = 3_600_000;

class Shards {
  readonly stores = new Map<string, SqlShardStore>();
  down: (name: string) => boolean = () => false;
  readonly errors: unknown[] = [];

  find = (name: string): Shard => {
    const store = this.stores.get(name) ?? new SqlShardStore(new Platform().start().sql);
    this.stores.set(name, store);
    const call = async <T>(act: () => T): Promise<T> => {
      await Promise.resolve();
      if (this.down(name)) throw new Error('the object does not answer');
      return act();
    };
    return {
      take: (charges, replay, now) => call(() => take(store, charges, replay, now)),
      give: (charges, replay) => call(() => give(store, charges, replay)),
    };
  };

  limiter(onFailure: 'local' | 'open' | 'closed' = 'closed'): ShardedLimiter {
    return new ShardedLimiter({
      shard: this.find,
      onFailure,
      local: new MemoryLimiter(),
      onError: (error) => this.errors.push(error),
    });
  }
}

const rate = (burst: number): Rate => ({ burst, count: 3600, periodMs: HOUR });
const charges = (burst: number, identity = 'iD'): readonly Charge[] => [
  { limit: 'certificates-per-identity', key: identity, rate: rate(burst) },
  { limit: 'certificates-per-owner', key: 'oWNER', rate: rate(2 * burst) },
  { limit: 'certificates-per-issuer', key: 'sIGN', rate: rate(4 * burst) },
];
const replay = (mode: ReplayCheck['mode'], tokenHash = 'tOKEN', spkiHash = 'k1'): ReplayCheck => ({
  mode,
  tokenHash,
  spkiHash,
  expiresAt: instantOf(NOW + HOUR),
});
const plain = ({ refund: _, ...verdict }: Verdict & { refund?: unknown }): object => verdict;
const spend = (limiter: Limiter, burst = 2, identity = 'iD', check?: ReplayCheck, at = NOW) =>
  limiter.spend('', charges(burst, identity), check, instantOf(at));

describe('as the limiter in memory', () => {
  const step = fc.record({
    identity: fc.constantFrom('a1', 'a2', 'b1'),
    wait: fc.constantFrom(0, 1, 999, 1000, 5000, HOUR),
    check: fc.option(
      fc.record({
        mode: fc.constantFrom('once' as const, 'same-key' as const),
        tokenHash: fc.constantFrom('a9', 't2'),
        spkiHash: fc.constantFrom('k1', 'k2'),
      }),
      { nil: undefined },
    ),
    refund: fc.boolean(),
  });

  it('decides, tells and takes back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const [sharded, memory] = [new Shards().limiter(), new MemoryLimiter()];
        let now = NOW;
        for (const { identity, wait, check, refund } of steps) {
          now += wait;
          const one = check && { ...check, expiresAt: instantOf(now + 60_000) };
          const [ours, theirs] = [
            await spend(sharded, 2, identity, one, now),
            await spend(memory, 2, identity, one, now),
          ];
          expect(plain(ours)).toEqual(plain(theirs));
          if (refund && ours.allowed && theirs.allowed) {
            await ours.refund();
            await theirs.refund();
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('many at once', () => {
  it('get exactly the burst', async () => {
    const shards = new Shards();
    const limiter = shards.limiter();
    const verdicts = await Promise.all(Array.from({ length: 40 }, () => spend(limiter, 10)));
    expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(10);
    // What the others took from owner and issuer came back.
    const rest = await Promise.all(Array.from({ length: 40 }, () => spend(limiter, 10, 'jD')));
    expect(rest.filter(({ allowed }) => allowed)).toHaveLength(10);
    expect((await spend(limiter, 10, 'kD')).allowed).toBe(false);
  });

  it('use a token once', async () => {
    const limiter = new Shards().limiter();
    const verdicts = await Promise.all(
      Array.from({ length: 20 }, () => spend(limiter, 100, 'iD', replay('once'))),
    );
    expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(1);
    expect(verdicts.filter((one) => !one.allowed && one.reason === 'replayed')).toHaveLength(19);
  });
});

it('asks two shards about an issuance with limits, and a third about a token with a rule', async () => {
  const shards = new Shards();
  const limiter = shards.limiter();
  await spend(limiter);
  expect([...shards.stores.keys()]).toEqual(['o', 's']);
  await spend(limiter, 2, 'iD', replay('once'));
  expect([...shards.stores.keys()]).toEqual(['o', 's', 't']);
  const [alone] = charges(2);
  if (alone !== undefined) await limiter.spend('', [alone], undefined, instantOf(NOW));
  expect([...shards.stores.keys()]).toEqual(['o', 's', 't', 'i']);
});

describe('a shard that does not answer', () => {
  const without = (name: string, onFailure: 'local' | 'open' | 'closed') => {
    const shards = new Shards();
    const limiter = shards.limiter(onFailure);
    shards.down = (one) => one === name;
    return { shards, limiter };
  };

  it('closed: refuses, and gives back what the others took', async () => {
    const { shards, limiter } = without('o', 'closed');
    for (let i = 0; i < 5; i++)
      expect(await spend(limiter)).toEqual({ allowed: false, reason: 'unavailable' });
    expect(shards.errors).toHaveLength(5);
    shards.down = () => false;
    const verdicts = [await spend(limiter), await spend(limiter), await spend(limiter)];
    expect(verdicts.map(({ allowed }) => allowed)).toEqual([true, true, false]);
  });

  it('open: lets everything pass', async () => {
    const { limiter } = without('o', 'open');
    for (let i = 0; i < 10; i++) expect((await spend(limiter)).allowed).toBe(true);
  });

  it('local: limits in this isolate', async () => {
    const { limiter } = without('s', 'local');
    const verdicts = [await spend(limiter), await spend(limiter), await spend(limiter)];
    expect(verdicts.map(({ allowed }) => allowed)).toEqual([true, true, false]);
  });

  it.each(['open', 'local'] as const)('%s: a token with a replay rule is refused', async (onFailure) => {
    const { limiter } = without('t', onFailure);
    const verdict = await spend(limiter, 2, 'iD', replay('once'));
    expect(verdict).toEqual({ allowed: false, reason: 'unavailable' });
  });

  it('a bucket that is empty refuses all the same', async () => {
    const { shards, limiter } = without('o', 'open');
    shards.down = () => false;
    await spend(limiter, 1);
    shards.down = (one) => one === 's';
    expect(await spend(limiter, 1)).toMatchObject({ allowed: false, reason: 'limited' });
  });
});

describe('a shard', () => {
  const [charge] = charges(4);
  if (charge === undefined) throw new Error('no charge');

  it('forgets what no longer counts', () => {
    const store = new SqlShardStore(new Platform().start().sql);
    take(store, [charge], replay('once'), NOW);
    expect(store.prune(NOW)).toBe(2);
    expect(store.prune(NOW + 1000)).toBe(1);
    expect(store.prune(NOW + HOUR)).toBe(0);
  });

  it('outlives its object', () => {
    const platform = new Platform();
    for (const expected of [true, true, true, true, false]) {
      const store = new SqlShardStore(platform.start().sql);
      expect(take(store, [charge], undefined, NOW).taken).toBe(expected);
      platform.rest();
    }
  });

  it('writes nothing for an eighth of a burst, which an eviction gives back', () => {
    const platform = new Platform();
    const [large] = charges(80);
    if (large === undefined) throw new Error('no charge');
    let writes = 0;
    platform.plan = (step) => {
      if (step === 'write') writes += 1;
      return undefined;
    };
    const spendAll = (store: SqlShardStore): number => {
      let taken = 0;
      while (take(store, [large], undefined, NOW).taken) taken += 1;
      return taken;
    };
    const first = new SqlShardStore(platform.start().sql);
    writes = 0;
    for (let i = 0; i < 10; i++) take(first, [large], undefined, NOW);
    expect(writes).toBe(0);
    expect(spendAll(new SqlShardStore(platform.start().sql))).toBe(80);
    platform.rest();
    expect(spendAll(new SqlShardStore(platform.start().sql))).toBe(0);
  });

  it('takes a refund back in memory and on disk', () => {
    const platform = new Platform();
    const store = new SqlShardStore(platform.start().sql);
    for (let i = 0; i < 4; i++) take(store, [charge], undefined, NOW);
    give(store, [charge], undefined);
    platform.rest();
    const next = new SqlShardStore(platform.start().sql);
    give(next, [charge], undefined); // of an issuance that began before the eviction
    expect([1, 2, 3].map(() => take(next, [charge], undefined, NOW).taken)).toEqual([true, true, false]);
  });
});
