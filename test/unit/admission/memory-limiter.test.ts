import { describe, expect, it } from 'vitest';
import type { Rate } from '../../../src/admission/gcra.ts';
import type { LimitName } from '../../../src/admission/limit.ts';
import type { Charge } from '../../../src/admission/limiter.ts';
import { MemoryLimiter } from '../../../src/admission/memory-limiter.ts';
import { type ReplayCheck, ReplayRecords } from '../../../src/admission/replay.ts';
import { type Instant, instantOf } from '../../../src/clock.ts';

const NOW = instantOf(Date.parse('2026-06-01T10:00:00Z'));
const later = (ms: number): Instant => instantOf(NOW + ms);
const rate = (burst: number): Rate => ({ burst, count: 3600, periodMs: 3_600_000 }); // one token a second
const charge = (limit: LimitName, key: string, burst: number): Charge => ({ limit, key, rate: rate(burst) });
const identity = (burst: number, key = 'i'): Charge => charge('certificates-per-identity', key, burst);
const owner = (burst: number): Charge => charge('certificates-per-owner', 'o', burst);

function grants(limiter: MemoryLimiter, charges: readonly Charge[], times: number, now = NOW): number {
  let granted = 0;
  for (let i = 0; i < times; i++) if (limiter.spend('s', charges, undefined, now).allowed) granted += 1;
  return granted;
}

describe('MemoryLimiter', () => {
  it('grants the burst, and after a time exactly what the rule says', () => {
    const limiter = new MemoryLimiter();
    expect(grants(limiter, [identity(10)], 50)).toBe(10);
    expect(grants(limiter, [identity(10)], 50, later(3999))).toBe(3);
    expect(grants(limiter, [identity(10)], 50, later(4000))).toBe(1);
    expect(grants(limiter, [identity(10)], 50, later(3_600_000))).toBe(10);
  });

  it('tells how each bucket stands', () => {
    const verdict = new MemoryLimiter().spend('s', [identity(3), owner(10)], undefined, NOW);
    expect(verdict).toMatchObject({
      allowed: true,
      states: [
        {
          limit: 'certificates-per-identity',
          remaining: 2,
          nextSeconds: 1,
          resetSeconds: 1,
          violated: false,
        },
        { limit: 'certificates-per-owner', remaining: 9, nextSeconds: 1, resetSeconds: 1, violated: false },
      ],
    });
  });

  it('spends nothing from any bucket when one denies', () => {
    const limiter = new MemoryLimiter();
    expect(grants(limiter, [identity(2), owner(10)], 20)).toBe(2);
    expect(grants(limiter, [identity(10, 'other'), owner(10)], 20)).toBe(8);
  });

  it('lets the strictest decision speak', () => {
    const limiter = new MemoryLimiter();
    const slow = {
      limit: 'certificates-per-owner',
      key: 'o',
      rate: { burst: 1, count: 1, periodMs: 60_000 },
    } as const;
    expect(limiter.spend('s', [identity(1), slow], undefined, NOW).allowed).toBe(true);
    expect(limiter.spend('s', [identity(1), slow], undefined, NOW)).toMatchObject({
      allowed: false,
      limit: 'certificates-per-owner',
      retryAfterMs: 60_000,
      states: [{ violated: true }, { violated: true }],
    });
    expect(limiter.spend('s', [slow, identity(1)], undefined, later(500))).toMatchObject({
      limit: 'certificates-per-owner',
      retryAfterMs: 59_500,
    });
  });

  it('gives back exactly what was spent', async () => {
    const limiter = new MemoryLimiter();
    const verdict = limiter.spend('s', [identity(1), owner(5)], undefined, NOW);
    expect(limiter.spend('s', [identity(1), owner(5)], undefined, NOW).allowed).toBe(false);
    if (!verdict.allowed) throw new Error('a full bucket refused');
    await verdict.refund();
    expect(grants(limiter, [identity(1), owner(5)], 5)).toBe(1);
    expect(grants(limiter, [owner(5)], 10)).toBe(4);
  });

  it('obeys a burst that shrank, and one that grew, at once', () => {
    const limiter = new MemoryLimiter();
    expect(grants(limiter, [identity(1000)], 1000)).toBe(1000);
    expect(limiter.spend('s', [identity(5)], undefined, NOW)).toMatchObject({
      allowed: false,
      retryAfterMs: 1000,
    });
    expect(grants(limiter, [identity(5)], 50, later(2000))).toBe(2);
    expect(grants(limiter, [identity(10)], 50, later(2000))).toBe(5);
  });

  it('grants only its share, at its share of the pace', () => {
    const limiter = new MemoryLimiter({ share: 0.25 });
    expect(grants(limiter, [identity(10)], 50)).toBe(2);
    expect(grants(limiter, [identity(10)], 50, later(3999))).toBe(0);
    expect(grants(limiter, [identity(10)], 50, later(4000))).toBe(1);
    expect(grants(limiter, [identity(1, 'lone')], 50)).toBe(1);
  });

  it('forgets buckets that have refilled, without being asked', () => {
    const limiter = new MemoryLimiter();
    for (let i = 0; i < 1000; i++) limiter.spend('s', [identity(5, `old${i}`)], undefined, NOW);
    expect(limiter.size).toBe(1000);
    for (let i = 0; i < 2000; i++) limiter.spend('s', [identity(1e6, 'busy')], undefined, later(1000));
    expect(limiter.size).toBe(1);
  });

  it('holds no more than its capacity, and lets the least used buckets go', () => {
    const limiter = new MemoryLimiter({ capacity: 500 });
    for (let i = 0; i < 50; i++) grants(limiter, [identity(20, `busy${i}`)], 20);
    for (let i = 0; i < 20_000; i++) limiter.spend('s', [identity(20, `flood${i}`)], undefined, NOW);
    expect(limiter.size).toBe(500);
    let kept = 0;
    for (let i = 0; i < 50; i++) if (grants(limiter, [identity(20, `busy${i}`)], 1) === 0) kept += 1;
    expect(kept).toBe(50);
  });
});

describe('replay rules', () => {
  const use = (over: Partial<ReplayCheck> = {}): ReplayCheck => ({
    mode: 'same-key',
    tokenHash: 'token',
    spkiHash: 'key',
    expiresAt: later(600_000),
    ...over,
  });

  it('same-key: any number of times for one key, never for another', () => {
    const limiter = new MemoryLimiter();
    expect(limiter.spend('s', [], use(), NOW).allowed).toBe(true);
    expect(limiter.spend('s', [], use(), NOW).allowed).toBe(true);
    const stolen = limiter.spend('s', [identity(5)], use({ spkiHash: 'thief' }), NOW);
    expect(stolen).toEqual({ allowed: false, reason: 'replayed' });
    expect(grants(limiter, [identity(5)], 10)).toBe(5);
  });

  it('once: not even for the same key', () => {
    const limiter = new MemoryLimiter();
    expect(limiter.spend('s', [], use({ mode: 'once' }), NOW).allowed).toBe(true);
    expect(limiter.spend('s', [], use({ mode: 'once' }), NOW)).toEqual({
      allowed: false,
      reason: 'replayed',
    });
    expect(limiter.spend('s', [], use({ mode: 'once', tokenHash: 'next' }), NOW).allowed).toBe(true);
  });

  it('counts no use when a limit denies', () => {
    const limiter = new MemoryLimiter();
    grants(limiter, [identity(1)], 1);
    expect(limiter.spend('s', [identity(1)], use({ mode: 'once' }), NOW)).toMatchObject({
      reason: 'limited',
    });
    expect(limiter.spend('s', [identity(1)], use({ mode: 'once' }), later(1000)).allowed).toBe(true);
  });

  it('remembers until the token has expired', () => {
    const limiter = new MemoryLimiter();
    limiter.spend('s', [], use({ mode: 'once' }), NOW);
    expect(limiter.spend('s', [], use({ mode: 'once' }), later(599_999)).allowed).toBe(false);
    expect(limiter.spend('s', [], use({ mode: 'once' }), later(600_000)).allowed).toBe(true);
  });

  it('a refund frees a token that gave nothing, and never one that gave a certificate', async () => {
    const limiter = new MemoryLimiter();
    const failed = limiter.spend('s', [], use(), NOW);
    if (!failed.allowed) throw new Error('a fresh token was refused');
    await failed.refund();
    expect(limiter.spend('s', [], use({ spkiHash: 'second' }), NOW).allowed).toBe(true);
    const retried = limiter.spend('s', [], use({ spkiHash: 'second' }), NOW);
    if (!retried.allowed) throw new Error('the same key was refused');
    await retried.refund();
    expect(limiter.spend('s', [], use({ spkiHash: 'thief' }), NOW).allowed).toBe(false);
  });

  it('refuses new tokens rather than forget used ones, and takes room back as tokens expire', () => {
    const limiter = new MemoryLimiter({ replays: new ReplayRecords(3) });
    for (const tokenHash of ['a', 'b', 'c']) limiter.spend('s', [], use({ tokenHash }), NOW);
    expect(limiter.spend('s', [], use({ tokenHash: 'd' }), NOW)).toEqual({
      allowed: false,
      reason: 'unavailable',
    });
    expect(limiter.spend('s', [], use({ tokenHash: 'a' }), NOW).allowed).toBe(true);
    expect(
      limiter.spend('s', [], use({ tokenHash: 'd', expiresAt: later(1e6) }), later(600_000)).allowed,
    ).toBe(true);
    expect(limiter.replays.size).toBe(1);
  });

  it('sweeps records of expired tokens', () => {
    const limiter = new MemoryLimiter();
    for (let i = 0; i < 500; i++) limiter.spend('s', [], use({ tokenHash: `old${i}` }), NOW);
    for (let i = 0; i < 500; i++) {
      limiter.spend('s', [], use({ tokenHash: 'live', expiresAt: later(1e6) }), later(600_000));
    }
    expect(limiter.replays.size).toBe(1);
  });
});
