import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, emissionOf, faultOf, type Rate, toleranceOf } from '../../src/admission/gcra.ts';

const rates = fc.record({
  burst: fc.integer({ min: 1, max: 1000 }),
  count: fc.integer({ min: 1, max: 100_000 }),
  periodMs: fc.integer({ min: 1, max: 86_400_000 }),
});
const steps = fc.array(
  fc.record({ after: fc.integer({ min: 0, max: 10_000_000 }), cost: fc.integer({ min: 1, max: 3 }) }),
  { maxLength: 200 },
);
const START = 1_780_000_000_000_000;

/** The same rule told the other way round: a level that rises to the brim and falls with each grant. */
class TokenBucket {
  level: bigint;
  at: bigint;
  readonly brim: bigint;
  readonly token: bigint;

  constructor(rate: Rate, at: number) {
    this.token = (BigInt(rate.periodMs) * 1000n + BigInt(rate.count) - 1n) / BigInt(rate.count);
    this.brim = BigInt(rate.burst) * this.token;
    this.level = this.brim;
    this.at = BigInt(at);
  }

  take(now: number, cost: number): boolean {
    this.level += BigInt(now) - this.at;
    this.at = BigInt(now);
    if (this.level > this.brim) this.level = this.brim;
    if (this.level < BigInt(cost) * this.token) return false;
    this.level -= BigInt(cost) * this.token;
    return true;
  }
}

describe('GCRA', () => {
  it('grants exactly what a token bucket grants, and tells the same remainder', () => {
    fc.assert(
      fc.property(rates, steps, (rate, schedule) => {
        const bucket = new TokenBucket(rate, START);
        let now = START;
        let tat: number | undefined;
        for (const { after, cost } of schedule) {
          now += after;
          const decision = decide(tat, now, rate, cost);
          tat = decision.tat;
          expect(decision.allowed).toBe(bucket.take(now, cost));
          expect(decision.remaining).toBe(Number(bucket.level / bucket.token));
        }
      }),
    );
  });

  it('allows what it denied after exactly the time it named, and not a millisecond sooner', () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 0, max: 1_000_000 }), (rate, after) => {
        let tat: number | undefined;
        for (let i = 0; i < rate.burst; i++) tat = decide(tat, START, rate).tat;
        const now = START + after;
        const denied = decide(tat, now, rate);
        fc.pre(!denied.allowed);
        expect(denied.tat).toBe(tat);
        expect(decide(denied.tat, now + denied.retryAfterMs * 1000, rate).allowed).toBe(true);
        expect(decide(denied.tat, now + (denied.retryAfterMs - 1) * 1000, rate).allowed).toBe(false);
      }),
    );
  });

  it('never gives more than burst plus refill in any window', () => {
    fc.assert(
      fc.property(rates, steps, (rate, schedule) => {
        let now = START;
        let tat: number | undefined;
        const grants: number[] = [];
        for (const { after } of schedule) {
          now += after;
          const decision = decide(tat, now, rate);
          tat = decision.tat;
          if (decision.allowed) grants.push(now);
        }
        for (const [i, from] of grants.entries()) {
          for (const [j, to] of grants.slice(i).entries()) {
            expect(j + 1).toBeLessThanOrEqual(rate.burst + Math.floor((to - from) / emissionOf(rate)));
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it('keeps nobody waiting longer than an empty bucket does, whatever a reload or a clock left behind', () => {
    fc.assert(
      fc.property(rates, fc.maxSafeInteger(), (rate, tat) => {
        const decision = decide(Math.abs(tat), START, rate);
        expect(decision.retryAfterMs).toBeLessThanOrEqual(Math.ceil(emissionOf(rate) / 1000));
        expect(decision.resetAfterMs).toBeLessThanOrEqual(Math.ceil(toleranceOf(rate) / 1000));
        expect(decision.remaining).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it('stays in whole microseconds that a double holds, for every rate it does not refuse', () => {
    const any = fc.record({
      burst: fc.integer({ min: -1, max: 2_000_000_000 }),
      count: fc.integer({ min: -1, max: 2_000_000_000 }),
      periodMs: fc.oneof(fc.integer({ min: -1, max: 100_000_000_000 }), fc.maxSafeInteger()),
    });
    fc.assert(
      fc.property(any, (rate) => {
        if (faultOf(rate) !== undefined) return;
        const { tat } = decide(START + toleranceOf(rate) - emissionOf(rate), START, rate);
        expect(Number.isSafeInteger(tat)).toBe(true);
      }),
    );
  });
});
