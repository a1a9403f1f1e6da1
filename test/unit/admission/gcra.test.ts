import { describe, expect, it } from 'vitest';
import { decide, emissionOf, faultOf, toleranceOf } from '../../../src/admission/gcra.ts';

const NOW = 1_780_000_000_000_000;
const RATE = { burst: 3, count: 1000, periodMs: 3_600_000 }; // one token in 3.6 s

describe('decide', () => {
  it('gives the burst, then one token for each emission interval', () => {
    let tat: number | undefined;
    const left: number[] = [];
    for (let i = 0; i < 3; i++) {
      const decision = decide(tat, NOW, RATE);
      expect(decision.allowed).toBe(true);
      left.push(decision.remaining);
      tat = decision.tat;
    }
    expect(left).toEqual([2, 1, 0]);
    expect(decide(tat, NOW, RATE)).toEqual({
      allowed: false,
      tat: NOW + 10_800_000,
      remaining: 0,
      retryAfterMs: 3600,
      resetAfterMs: 10_800,
    });
    expect(decide(tat, NOW + 3_599_999, RATE).allowed).toBe(false);
    expect(decide(tat, NOW + 3_600_000, RATE)).toMatchObject({ allowed: true, remaining: 0 });
  });

  it('treats a bucket that has refilled as a new one', () => {
    expect(decide(NOW - 1, NOW, RATE)).toEqual(decide(undefined, NOW, RATE));
    expect(decide(NOW, NOW, RATE)).toEqual(decide(undefined, NOW, RATE));
  });

  it('cuts a TAT from a larger burst to an empty bucket', () => {
    const before = { ...RATE, burst: 1000 };
    let tat: number | undefined;
    for (let i = 0; i < 1000; i++) tat = decide(tat, NOW, before).tat;
    expect(decide(tat, NOW, RATE)).toMatchObject({
      allowed: false,
      retryAfterMs: 3600,
      tat: NOW + 10_800_000,
    });
  });

  it('survives a clock that was set back a year', () => {
    const { tat } = decide(undefined, NOW + 31_536_000_000_000, RATE);
    expect(decide(tat, NOW, RATE)).toMatchObject({ allowed: false, retryAfterMs: 3600 });
  });

  it('takes several tokens at once, or none', () => {
    expect(decide(undefined, NOW, RATE, 3)).toMatchObject({ allowed: true, remaining: 0 });
    expect(decide(decide(undefined, NOW, RATE).tat, NOW, RATE, 3)).toMatchObject({
      allowed: false,
      remaining: 2,
    });
    expect(decide(undefined, NOW, RATE, 4)).toMatchObject({
      allowed: false,
      retryAfterMs: Number.POSITIVE_INFINITY,
    });
  });

  it('rounds the emission interval up, so that a period never gives more than its count', () => {
    const rate = { burst: 1, count: 7000, periodMs: 3_600_000 };
    expect(emissionOf(rate)).toBe(514_286);
    expect(toleranceOf({ ...rate, burst: 2 })).toBe(1_028_572);
  });
});

describe('faultOf', () => {
  it.each([
    [{ burst: 0, count: 1, periodMs: 1 }, /burst/],
    [{ burst: 1.5, count: 1, periodMs: 1 }, /burst/],
    [{ burst: 1, count: 0, periodMs: 1 }, /count/],
    [{ burst: 1, count: Number.NaN, periodMs: 1 }, /count/],
    [{ burst: 1, count: 1, periodMs: 0 }, /period/],
    [{ burst: 1e9, count: 1, periodMs: 3_600_000 }, /140 years/],
  ])('names what is wrong with %j', (rate, fault) => expect(faultOf(rate)).toMatch(fault));

  it('has nothing against a usable rate', () => expect(faultOf(RATE)).toBeUndefined());
});
