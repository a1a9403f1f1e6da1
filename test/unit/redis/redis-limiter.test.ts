import { fork } from 'node:child_process';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { instantOf, systemClock } from '../../../src/clock.ts';
import { type RedisServer, startRedis } from '../../fakes/redis.ts';
import { describeWith } from '../../fakes/skip.ts';
import { charge, grants, identity, type Observed, observe, owner, slow, spend, use } from './support.ts';

/** So generous that a busy machine does not make Redis look slow where it is not the matter. */
const PATIENT = { onBackendError: 'closed', budget: 10_000 } as const;

describeWith('redis', 'RedisLimiter', () => {
  let redis: RedisServer;
  let observed: Observed;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  beforeEach(async () => {
    await redis.admin.flushall();
    observed = observe({ urls: [redis.url] }, PATIENT);
    await observed.limiter.ready(10_000);
    await redis.admin.flushall();
  });
  afterEach(() => observed.limiter.close());

  it('grants exactly the burst to requests at once, and charges no other bucket for a denial', async () => {
    const { limiter } = observed;
    expect(await grants(limiter, [identity(10), owner(15)], 40)).toBe(10);
    expect(await grants(limiter, [identity(10, 'second'), owner(15)], 40)).toBe(5);
    expect(observed.changes).toEqual([]);
  });

  it('tells how the buckets stand, and which one makes the client wait longest', async () => {
    const day = 86_400;
    expect(await spend(observed.limiter, [identity(3), owner(10)])).toMatchObject({
      allowed: true,
      states: [
        { limit: 'certificates-per-identity', remaining: 2, nextSeconds: day, resetSeconds: day },
        { limit: 'certificates-per-owner', remaining: 9 },
      ],
    });
    await grants(observed.limiter, [identity(3), owner(10)], 5);
    const verdict = await spend(observed.limiter, [identity(3), owner(10)]);
    expect(verdict).toMatchObject({
      allowed: false,
      reason: 'limited',
      limit: 'certificates-per-identity',
      rate: slow(3),
      states: [
        { remaining: 0, violated: true },
        { remaining: 7, violated: false },
      ],
    });
  });

  it('refills by the clock of the server', async () => {
    const rate = { burst: 2, count: 20, periodMs: 1000 };
    const charges = [charge('certificates-per-identity', 'fast', rate)];
    const started = performance.now();
    let granted = 0;
    while (granted < 8) if ((await spend(observed.limiter, charges)).allowed) granted += 1;
    expect(performance.now() - started).toBeGreaterThan((8 - rate.burst) * 50 - 1);
  });

  it('writes hashes under one tag, each with the time after which it means nothing', async () => {
    const { limiter } = observed;
    await spend(limiter, [identity(10), owner(15)], use({ mode: 'once' }), 'tag');
    const keys = (await redis.admin.keys('*')).sort();
    expect(keys).toEqual(['mayfly:{tag}:identity', 'mayfly:{tag}:owner', 'mayfly:{tag}:ttoken']);
    const [bucket, , record] = await Promise.all(keys.map((key) => redis.admin.pttl(key)));
    expect(bucket).toBeGreaterThan(86_300_000);
    expect(bucket).toBeLessThanOrEqual(86_400_000);
    expect(record).toBeGreaterThan(500_000);
    expect(record).toBeLessThanOrEqual(600_000);
  });

  it('leaves nothing of a bucket that has refilled', async () => {
    const rate = { burst: 1000, count: 1000, periodMs: 1000 };
    const charges = [charge('certificates-per-identity', 'brief', rate)];
    await Promise.all(Array.from({ length: 20 }, () => spend(observed.limiter, charges)));
    while ((await redis.admin.dbsize()) > 0) await new Promise((resolve) => setImmediate(resolve));
    expect((await spend(observed.limiter, charges)).allowed).toBe(true);
  });

  it('makes one round trip for an issuance', async () => {
    const calls = async () => {
      const stats = await redis.admin.info('commandstats');
      return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce(
        (sum, [, n]) => sum + Number(n),
        0,
      );
    };
    const before = await calls();
    for (let i = 0; i < 10; i++) await spend(observed.limiter, [identity(50), owner(50)], use());
    expect((await calls()) - before).toBe(10);
  });

  it('sends what one turn of the event loop asks in one write', async () => {
    const reads = async () =>
      Number(/total_reads_processed:(\d+)/.exec(await redis.admin.info('stats'))?.[1]);
    await spend(observed.limiter, [identity(50)]);
    const before = await reads();
    expect(await grants(observed.limiter, [identity(50), owner(50)], 20)).toBe(20);
    // One for INFO; a kilobyte at a time might leave in two writes, twenty commands each by themselves in twenty.
    expect((await reads()) - before).toBeLessThan(6);
  });

  it('a command that fails spoils no other of its turn', async () => {
    const { limiter } = observed;
    const broken = use({ expiresAt: instantOf(Number.POSITIVE_INFINITY) }); // no time that Redis could take
    const verdicts = await Promise.all([
      spend(limiter, [identity(50)]),
      spend(limiter, [], broken),
      spend(limiter, [identity(50)]),
    ]);
    expect(observed.changes).toEqual(['unavailable']); // of the broken one
    expect(verdicts[2]).toMatchObject({ allowed: true, states: [{ remaining: 48 }] }); // a share of 25 would leave 23
    expect(verdicts[0]).toMatchObject({ allowed: true, states: [{ remaining: 49 }] });
  });

  it('gives back exactly what was spent', async () => {
    const { limiter } = observed;
    const verdict = await spend(limiter, [identity(1), owner(5)], use({ mode: 'once' }));
    expect(await grants(limiter, [identity(1), owner(5)], 5)).toBe(0);
    if (!verdict.allowed) throw new Error('a full bucket refused');
    await verdict.refund();
    expect(await redis.admin.dbsize()).toBe(0);
    expect((await spend(limiter, [identity(1), owner(5)], use({ mode: 'once' }))).allowed).toBe(true);
    expect(await grants(limiter, [owner(5)], 10)).toBe(4);
  });

  it('obeys a burst that shrank, and lets nobody wait for the old one', async () => {
    const { limiter } = observed;
    const rate = (burst: number) => ({ burst, count: 10, periodMs: 1000 });
    const charges = (burst: number) => [charge('certificates-per-identity', 'i', rate(burst))];
    expect(await grants(limiter, charges(1000), 1000)).toBeGreaterThanOrEqual(1000);
    const denied = await spend(limiter, charges(2));
    expect(denied).toMatchObject({ allowed: false, retryAfterMs: 100 });
    // The key goes within 200 ms, not after the 99.8 s that the old burst would take to flow back.
    expect(await redis.admin.pttl('mayfly:{issuer}:i')).toBeLessThanOrEqual(200);
    let verdict = denied;
    while (!verdict.allowed) verdict = await spend(limiter, charges(2));
  });

  it('treats a TAT that a clock left far ahead as an empty bucket, and garbage as a full one', async () => {
    const { limiter } = observed;
    await redis.admin.set('mayfly:{issuer}:identity', '9007199254740991');
    expect(await spend(limiter, [identity(5)])).toMatchObject({ allowed: false, retryAfterMs: 86_400_000 });
    expect(Number(await redis.admin.get('mayfly:{issuer}:identity'))).toBeLessThan(
      (systemClock.now() + 6 * 86_400_000) * 1000,
    );
    await redis.admin.set('mayfly:{issuer}:identity', 'garbage');
    expect(await grants(limiter, [identity(5)], 10)).toBe(5);
  });

  it('sends the script again to a server that has forgotten it', async () => {
    await spend(observed.limiter, [identity(10)]);
    await redis.admin.script('FLUSH');
    expect(await grants(observed.limiter, [identity(10)], 20)).toBe(9);
    expect(observed.changes).toEqual([]);
  });

  describe('replay rules', () => {
    it('same-key: any number of times for one key, never for another', async () => {
      const { limiter } = observed;
      for (let i = 0; i < 3; i++) expect((await spend(limiter, [], use())).allowed).toBe(true);
      const stolen = await spend(limiter, [identity(5)], use({ spkiHash: 'thief' }));
      expect(stolen).toEqual({ allowed: false, reason: 'replayed' });
      expect(await grants(limiter, [identity(5)], 10)).toBe(5);
    });

    it('once: one of many at once', async () => {
      const { limiter } = observed;
      const verdicts = await Promise.all(
        Array.from({ length: 20 }, () => spend(limiter, [identity(50)], use({ mode: 'once' }))),
      );
      expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(1);
      expect(await grants(limiter, [identity(50)], 60)).toBe(49);
    });

    it('counts no use when a limit denies', async () => {
      const { limiter } = observed;
      await spend(limiter, [identity(1)]);
      expect(await spend(limiter, [identity(1)], use({ mode: 'once' }))).toMatchObject({ reason: 'limited' });
      expect((await spend(limiter, [identity(2)], use({ mode: 'once' }))).allowed).toBe(true);
    });

    it('a refund frees a token that gave nothing, and never one that gave a certificate', async () => {
      const { limiter } = observed;
      const failed = await spend(limiter, [], use());
      if (!failed.allowed) throw new Error('a fresh token was refused');
      await failed.refund();
      expect((await spend(limiter, [], use({ spkiHash: 'second' }))).allowed).toBe(true);
      const retried = await spend(limiter, [], use({ spkiHash: 'second' }));
      if (!retried.allowed) throw new Error('the same key was refused');
      await retried.refund();
      expect((await spend(limiter, [], use({ spkiHash: 'thief' }))).allowed).toBe(false);
      expect(await redis.admin.pttl('mayfly:{issuer}:ttoken')).toBeGreaterThan(0);
    });
  });

  it('is one limit for all processes: 64 clients of two, exactly the burst', {
    timeout: 600_000,
  }, async () => {
    const runs = process.env['MAYFLY_TESTS_FULL'] === undefined ? 5 : 100;
    for (let run = 0; run < runs; run++) {
      const order = {
        urls: [redis.url],
        charges: [identity(101, `run${run}`), charge('certificates-per-owner', `all${run}`, slow(10_000))],
        clients: 32,
        each: 8,
      };
      const spenders = [1, 2].map(() => {
        const path = new URL('../../fakes/redis-spender.ts', import.meta.url).pathname;
        const child = fork(path, [JSON.stringify(order)], { execArgv: [] });
        const message = () => new Promise<unknown>((resolve) => child.once('message', resolve));
        return { ready: message(), go: () => child.send('go'), message };
      });
      await Promise.all(spenders.map(({ ready }) => ready));
      const tallies = spenders.map(({ message }) => message());
      for (const { go } of spenders) go();
      const [one, two] = (await Promise.all(tallies)) as { granted: number; limited: number }[];
      expect((one?.granted ?? 0) + (two?.granted ?? 0)).toBe(101);
      expect((one?.limited ?? 0) + (two?.limited ?? 0)).toBe(2 * 32 * 8 - 101);
    }
  });
});
