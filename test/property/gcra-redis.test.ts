import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { debtOf, decide, emissionOf, toleranceOf } from '../../src/admission/gcra.ts';
import { spendScript } from '../../src/redis/scripts.ts';
import { type RedisServer, startRedis } from '../fakes/redis.ts';
import { describeWith } from '../fakes/skip.ts';

/** The same script, told what time it is. */
const script = spendScript('local now = tonumber(table.remove(ARGV))');
const START = 1_780_000_000_000_000;

/** A token takes ten seconds or more: Redis expires keys by its own clock, which must not matter here. */
const rate = fc.record({
  burst: fc.integer({ min: 1, max: 8 }),
  count: fc.integer({ min: 1, max: 100 }),
  periodMs: fc.integer({ min: 1_000_000, max: 86_400_000 }),
});
/** Time goes on, stands still, or is set back; now and then a reload changes a burst. */
const step = fc.record({
  after: fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 0, max: 100_000_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: -86_400_000_000, max: 86_400_000_000 }) },
  ),
  burst: fc.option(fc.integer({ min: 1, max: 8 }), { freq: 8 }),
});

describeWith('redis', 'GCRA in Lua and in TypeScript', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  it('decide alike on any schedule, for one bucket and for several at once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(rate, { minLength: 1, maxLength: 3 }),
        fc.array(step, { maxLength: 40 }),
        async (configured, schedule) => {
          await redis.admin.flushall();
          let rates = configured;
          let now = START;
          const tats: (number | undefined)[] = rates.map(() => undefined);
          for (const { after, burst } of schedule) {
            now += after;
            if (burst !== null) rates = rates.map((one) => ({ ...one, burst }));
            const decisions = rates.map((one, i) => decide(tats[i], now, one));
            const allowed = decisions.every((decision) => decision.allowed);
            const debts = rates.map((one, i) => debtOf(tats[i], now, one) + (allowed ? emissionOf(one) : 0));
            for (const [i, debt] of debts.entries()) {
              if (allowed || (tats[i] ?? 0) > now + debt) tats[i] = now + debt;
            }
            const answer = await redis.admin.eval(
              script,
              rates.length,
              ...rates.map((_, i) => `{one}${i}`),
              rates.length,
              ...rates.flatMap((one) => [emissionOf(one), toleranceOf(one)]),
              now,
            );
            expect(answer).toEqual([allowed ? 1 : 0, ...debts]);
            if (allowed && rates.length === 1) expect(tats[0]).toBe(decisions[0]?.tat);
          }
        },
      ),
      { numRuns: process.env['MAYFLY_TESTS_FULL'] === undefined ? 50 : 1000 },
    );
  });
});
