import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RedisLimiterOptions } from '../../../src/redis/redis-limiter.ts';
import { freePort, type RedisServer, startRedis } from '../../fakes/redis.ts';
import { describeWith } from '../../fakes/skip.ts';
import { startProxy, type TcpProxy } from '../../fakes/tcp-proxy.ts';
import { grants, identity, type Observed, observe, owner, spend, use } from './support.ts';

describeWith('redis', 'RedisLimiter while Redis is away', () => {
  let redis: RedisServer;
  let observed: Observed | undefined;
  beforeEach(async () => {
    redis = await startRedis();
  });
  afterEach(async () => {
    observed?.limiter.close();
    await redis.stop();
  });

  async function watch(options: RedisLimiterOptions = {}, url = redis.url): Promise<Observed> {
    observed = observe({ urls: [url] }, { budget: 2000, ...options });
    await observed.limiter.ready(10_000);
    expect(observed.changes).toEqual([]);
    return observed;
  }

  it('dies: this process goes on with its share, and comes back when Redis does', async () => {
    const { limiter, changes, reaches } = await watch({ share: 0.5 });
    expect(await grants(limiter, [identity(10), owner(100)], 6)).toBe(6);
    await redis.kill();
    expect(await grants(limiter, [identity(10), owner(100)], 40)).toBe(5);
    expect(changes).toEqual(['unavailable']);
    await redis.restart();
    await reaches('available');
    expect(await grants(limiter, [identity(10), owner(100)], 40)).toBe(10);
    expect(changes).toEqual(['unavailable', 'available']);
  });

  it('hangs: the first requests wait for the budget, the next for nothing', async () => {
    const { limiter, changes, reaches } = await watch({ budget: 50 });
    redis.pause();
    expect(await grants(limiter, [identity(10)], 40)).toBe(5);
    expect(changes).toEqual(['unavailable']);
    const verdicts = [];
    for (let i = 0; i < 100; i++) verdicts.push(spend(limiter, [identity(10)]));
    // Decided without a timer or a socket: nothing else gets a turn before they are.
    const turn = new Promise((resolve) => setImmediate(() => resolve('turn')));
    expect(await Promise.race([Promise.all(verdicts), turn])).toHaveLength(100);
    redis.resume();
    await reaches('available');
    expect((await spend(limiter, [identity(10, 'another')])).allowed).toBe(true);
    expect(changes.slice(0, 2)).toEqual(['unavailable', 'available']);
  });

  it('is absent at the start, and is used once it is there', async () => {
    await redis.kill();
    observed = observe({ urls: [redis.url] }, { budget: 2000 });
    await observed.limiter.ready(100);
    expect(observed.changes).toEqual(['unavailable']);
    expect(await grants(observed.limiter, [identity(10)], 40)).toBe(5);
    await redis.restart();
    await observed.reaches('available');
    expect(await grants(observed.limiter, [identity(10)], 40)).toBe(10);
  });

  it('cannot write: a full memory, and a master that became a replica', async () => {
    const { limiter, changes, reaches } = await watch();
    await redis.admin.config('SET', 'maxmemory', '1');
    expect((await spend(limiter, [identity(10)])).allowed).toBe(true);
    expect(changes).toEqual(['unavailable']);
    await redis.admin.config('SET', 'maxmemory', '0');
    await reaches('available');
    await redis.admin.replicaof('127.0.0.1', await freePort());
    expect((await spend(limiter, [identity(10)])).allowed).toBe(true);
    expect(changes).toEqual(['unavailable', 'available', 'unavailable']);
    await redis.admin.replicaof('NO', 'ONE');
    await reaches('available');
  });

  it('open: limits nothing, and still knows the tokens it has seen', async () => {
    const { limiter } = await watch({ onBackendError: 'open' });
    await spend(limiter, [], use({ mode: 'once' }));
    await redis.kill();
    expect(await grants(limiter, [identity(1)], 40)).toBe(40);
    expect((await spend(limiter, [identity(1)], use({ mode: 'once' }))).allowed).toBe(false);
    expect((await spend(limiter, [identity(1)], use({ tokenHash: 'other' }))).allowed).toBe(true);
  });

  it('closed: refuses, and says that it cannot tell', async () => {
    const { limiter, reaches } = await watch({ onBackendError: 'closed' });
    await redis.kill();
    expect(await spend(limiter, [identity(10)])).toEqual({ allowed: false, reason: 'unavailable' });
    await redis.restart();
    await reaches('available');
    expect((await spend(limiter, [identity(10)])).allowed).toBe(true);
  });

  it('local: a token that Redis knew stays used for this process', async () => {
    const { limiter } = await watch();
    await spend(limiter, [], use());
    await redis.kill();
    expect((await spend(limiter, [], use({ spkiHash: 'thief' }))).allowed).toBe(false);
    expect((await spend(limiter, [], use())).allowed).toBe(true);
  });

  it('gives back to where it was taken from', async () => {
    const { limiter, reaches } = await watch({ share: 0.5 });
    await redis.kill();
    const local = await spend(limiter, [identity(2)]);
    expect(await grants(limiter, [identity(2)], 5)).toBe(0);
    await redis.restart();
    await reaches('available');
    const shared = await spend(limiter, [identity(2)]);
    if (!local.allowed || !shared.allowed) throw new Error('a full bucket refused');
    await local.refund();
    expect(await grants(limiter, [identity(2)], 5)).toBe(1);
    await redis.kill();
    await shared.refund(); // nowhere to go, and no harm
    expect(await grants(limiter, [identity(2)], 5)).toBe(1);
  });

  describe('behind a network', () => {
    let proxy: TcpProxy;
    beforeEach(async () => {
      proxy = await startProxy(redis.port);
    });
    afterEach(() => proxy.close());
    const url = () => `redis://127.0.0.1:${proxy.port}`;

    it('slower than the budget: a share meanwhile, one change of state', async () => {
      const { limiter, changes, reaches } = await watch({ budget: 100 }, url());
      proxy.delay(300);
      expect(await grants(limiter, [identity(10)], 40)).toBe(5);
      for (let i = 0; i < 10; i++) await spend(limiter, [identity(10)]);
      expect(changes).toEqual(['unavailable']);
      proxy.delay(0);
      await reaches('available');
      expect((await spend(limiter, [identity(10, 'other')])).allowed).toBe(true);
    });

    it('takes back what Redis spent for an answer that came too late', async () => {
      const { limiter, changes, reaches } = await watch({ budget: 250, onBackendError: 'closed' }, url());
      proxy.delay(750);
      const late = spend(limiter, [identity(3)], use({ mode: 'once' }));
      const exists = () => redis.admin.exists('mayfly:{issuer}:identity', 'mayfly:{issuer}:ttoken');
      while ((await exists()) < 2) await new Promise((resolve) => setImmediate(resolve));
      expect(await late).toEqual({ allowed: false, reason: 'unavailable' });
      while ((await exists()) > 0) await new Promise((resolve) => setImmediate(resolve));
      expect(changes).toEqual(['unavailable']);
      proxy.delay(0);
      await reaches('available');
      expect((await spend(limiter, [identity(3)], use({ mode: 'once' }))).allowed).toBe(true);
    });

    it('keeps counting the use of a token that gave a certificate meanwhile', async () => {
      const { limiter } = await watch({ budget: 100 }, url());
      proxy.delay(300);
      expect((await spend(limiter, [identity(3)], use({ mode: 'once' }))).allowed).toBe(true);
      while ((await redis.admin.exists('mayfly:{issuer}:identity')) > 0)
        await new Promise((r) => setImmediate(r));
      expect(await redis.admin.exists('mayfly:{issuer}:ttoken')).toBe(1);
    });

    it('a connection that leads nowhere is given up for a new one', async () => {
      const { limiter, reaches } = await watch({ budget: 100 }, url());
      const before = proxy.accepted;
      proxy.blackhole();
      expect((await spend(limiter, [identity(10)])).allowed).toBe(true);
      expect(limiter.state).toBe('unavailable');
      await reaches('available');
      expect(proxy.accepted).toBeGreaterThan(before);
    });

    it('a connection that is reset while an answer is due counts once, and is not asked again', async () => {
      const { limiter, reaches } = await watch({ onBackendError: 'closed' }, url());
      proxy.delay(200);
      const pending = spend(limiter, [identity(10)]);
      const spent = () => redis.admin.exists('mayfly:{issuer}:identity');
      while ((await spent()) === 0) await new Promise((resolve) => setImmediate(resolve));
      proxy.cut();
      expect(await pending).toEqual({ allowed: false, reason: 'unavailable' });
      proxy.delay(0);
      await reaches('available');
      expect(await grants(limiter, [identity(10)], 20)).toBe(9);
    });
  });
});
