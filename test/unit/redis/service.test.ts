// Whole instances, each a process of its own, on one real Redis: a limit is one for all of them.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { entryOf } from '../../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { type RunningServer, serve } from '../../fakes/process.ts';
import { type RedisServer, startRedis } from '../../fakes/redis.ts';
import { request } from '../../fakes/signing-client.ts';
import { describeWith } from '../../fakes/skip.ts';
import { startProxy, type TcpProxy } from '../../fakes/tcp-proxy.ts';

const RUNS = process.env['MAYFLY_TESTS_FULL'] === undefined ? 5 : 100;
const CLIENTS = 64;
const BURST = 40;

describeWith('redis', 'two instances on one Redis', () => {
  let redis: RedisServer;
  let people: FakeIssuer;
  let folder: string;
  let instances: readonly RunningServer[];

  beforeAll(async () => {
    redis = await startRedis();
    people = await startIssuer({ claims: { email_verified: true } });
    folder = mkdtempSync(join(tmpdir(), 'mayfly-redis-service-'));
    const config = join(folder, 'mayfly.yaml');
    const settings = {
      log: 'none',
      'rate-limits': {
        backend: 'redis',
        'redis-url': redis.url,
        'on-backend-error': 'closed',
        defaults: { 'certificates-per-identity': { burst: BURST, count: 1, period: '24h' } },
        overrides: [
          {
            limit: 'certificates-per-identity',
            ids: Array.from({ length: 20 }, (_, n) => ({
              id: `${people.url}#flow-${n}@example.com`,
              comment: 'one a second',
            })),
            ...{ burst: BURST, count: 3600, period: '1h' },
          },
        ],
      },
      issuers: [entryOf({ issuer: people, type: 'email', replay: 'same-key' })],
    };
    writeFileSync(config, stringify(settings));
    instances = await Promise.all([0, 1].map(() => serve(['--config', config, '--ephemeral'])));
    // Both have read the issuer's keys and spoken to Redis before it counts.
    for (const { url } of instances)
      await request(url, { token: await people.sign({ email: 'first@example.com' }) });
  });
  afterAll(async () => {
    await Promise.all(instances.map((instance) => instance.stop()));
    await people.close();
    await redis.stop();
    rmSync(folder, { recursive: true });
  });

  const statusesOf = (email: string): Promise<readonly number[]> =>
    Promise.all(
      Array.from({ length: CLIENTS }, async (_, client) => {
        const { url } = instances[client % 2] ?? { url: '' };
        // Each with a token of its own: a token that is shared is what replay rules are about.
        return (await request(url, { token: await people.sign({ email, jti: `${email} ${client}` }) }))
          .status;
      }),
    );
  const count = (statuses: readonly number[], wanted: number): number =>
    statuses.filter((status) => status === wanted).length;
  /** What `run` makes of a name of its own, when no instance had to wait for Redis for longer than its 50 ms. */
  async function undisturbed<T>(run: (attempt: number) => Promise<T | undefined>): Promise<T> {
    for (let attempt = 0; attempt < 20; attempt++) {
      const outcome = await run(attempt);
      if (outcome !== undefined) return outcome;
      await setTimeout(200); // a machine that is busy with other things
    }
    throw new Error('Redis never answered in time');
  }

  it.each(Array.from({ length: RUNS }, (_, run) => run))(
    `${CLIENTS} clients at once, burst ${BURST}: exactly that many certificates (run %i)`,
    { timeout: 60_000 },
    async (run) => {
      const statuses = await undisturbed(async (attempt) => {
        const seen = await statusesOf(`run-${run}-${attempt}@example.com`);
        expect(count(seen, 200)).toBeLessThanOrEqual(BURST);
        return count(seen, 503) === 0 ? seen : undefined;
      });
      expect(count(statuses, 200)).toBe(BURST);
      expect(count(statuses, 429)).toBe(CLIENTS - BURST);
    },
  );

  it('after a time exactly what has flowed back, by the clock of Redis', { timeout: 60_000 }, async () => {
    /** Seconds. */
    const now = async (): Promise<number> => {
      const [seconds, microseconds] = await redis.admin.time();
      return Number(seconds) + Number(microseconds) / 1e6;
    };
    const { before, begun, earliest, granted, latest } = await undisturbed(async (attempt) => {
      const before = await now();
      const first = await statusesOf(`flow-${attempt}@example.com`);
      const begun = await now();
      while ((await now()) < begun + 3) await setTimeout(50);
      const earliest = await now();
      const second = await statusesOf(`flow-${attempt}@example.com`);
      const granted = count(first, 200) + count(second, 200);
      if (count([...first, ...second], 503) > 0) return undefined;
      return { before, begun, earliest, granted, latest: await now() };
    });
    // One a second since the first of them was granted, between `before` and `begun`, until the last was asked for.
    expect(granted).toBeGreaterThanOrEqual(BURST + Math.floor(earliest - begun));
    expect(granted).toBeLessThanOrEqual(BURST + Math.floor(latest - before));
  });

  it('a token that one of them took for a key, the other takes for no other', async () => {
    const [one, two] = instances;
    const token = await people.sign({ email: 'replay@example.com' });
    expect((await request(one?.url ?? '', { token })).status).toBe(200);
    expect((await request(two?.url ?? '', { token })).status).toBe(200);
    const stolen = await request(two?.url ?? '', { token, key: 'P-384' });
    expect(stolen.json).toMatchObject({ code: 3, details: [{ reason: 'TOKEN_REPLAYED' }, {}] });
  });

  it('nothing of a token stands in Redis in clear', async () => {
    const keys = await redis.admin.keys('*');
    expect(keys.length).toBeGreaterThan(RUNS);
    const values = await Promise.all(keys.map(async (key) => redis.admin.get(key)));
    const text = [...keys, ...values].join('\n');
    for (const claim of ['example', people.url, 'subject', 'run-0']) expect(text).not.toContain(claim);
  });

  it('one line tells that Redis is away, one that it is back, however many ask meanwhile', async () => {
    const [one] = instances;
    if (one === undefined) throw new Error('no instance');
    const metrics = async () => (await fetch(one.metricsUrl)).text();
    const losses = async () =>
      Number(/backend_changes_total\{state="unavailable"\} (\d+)/.exec(await metrics())?.[1] ?? 0);
    while (!(await metrics()).includes('mayfly_ratelimit_backend_up 1')) await setTimeout(20);
    const [lines, lost] = [one.output.stderr.length, await losses()];
    await redis.kill();
    const ask = async () => request(one.url, { token: await people.sign({ email: 'away@example.com' }) });
    const away = await Promise.all(Array.from({ length: 10 }, ask));
    for (const { status, json } of away) {
      expect(status).toBe(503);
      expect(json).toMatchObject({ details: [{ reason: 'LIMITER_UNAVAILABLE' }] });
    }
    expect(await metrics()).toContain('mayfly_ratelimit_backend_up 0');
    await redis.restart();
    const said = () =>
      Array.from(one.output.stderr.slice(lines).matchAll(/rate limits: Redis \w+ \w+/g), ([line]) => line);
    while (!said().includes('rate limits: Redis answers again')) await setTimeout(20);
    expect(said()).toEqual(['rate limits: Redis does not', 'rate limits: Redis answers again']);
    expect(await metrics()).toContain('mayfly_ratelimit_backend_up 1');
    expect((await losses()) - lost).toBe(1);
    await undisturbed(async () => ((await ask()).status === 200 ? true : undefined));
  });
});

/** An instance with one issuer of people, closed again whatever comes out. */
async function withInstance(
  { limits, entry = {}, flags = [] }: { limits: object; entry?: object; flags?: readonly string[] },
  use: (
    instance: RunningServer,
    people: FakeIssuer,
    configure: (issuers: readonly object[]) => void,
  ) => Promise<void>,
): Promise<void> {
  const people = await startIssuer({ claims: { email: 'a@example.com', email_verified: true } });
  const folder = mkdtempSync(join(tmpdir(), 'mayfly-redis-one-'));
  const config = join(folder, 'mayfly.yaml');
  const configure = (issuers: readonly object[]): void => {
    const settings = { log: 'none', 'rate-limits': { backend: 'redis', ...limits }, issuers };
    writeFileSync(config, stringify(settings));
  };
  configure([entryOf({ issuer: people, type: 'email', ...entry })]);
  const instance = await serve(['--config', config, '--ephemeral', ...flags]);
  try {
    await use(instance, people, configure);
  } finally {
    await instance.stop();
    await people.close();
    rmSync(folder, { recursive: true });
  }
}

it.each([
  ['local', [200, 200, 429, 429]], // its half of the burst
  ['open', [200, 200, 200, 200]],
  ['closed', [503, 503, 503, 503]],
] as const)('an instance whose Redis is absent starts all the same; %s: %j', async (meanwhile, expected) => {
  const limits = {
    'redis-url': 'redis://127.0.0.1:1',
    'on-backend-error': meanwhile,
    defaults: { 'certificates-per-identity': { burst: 4, count: 1, period: '24h' } },
  };
  await withInstance({ limits }, async (instance, people) => {
    const token = await people.sign();
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) statuses.push((await request(instance.url, { token })).status);
    expect(statuses).toEqual(expected);
  });
});

describeWith('redis', 'an instance whose limits are off', () => {
  let redis: RedisServer;
  let proxy: TcpProxy;
  beforeAll(async () => {
    redis = await startRedis();
    proxy = await startProxy(redis.port);
  });
  afterAll(async () => {
    await proxy.close();
    await redis.stop();
  });
  const limits = () => ({ 'redis-url': `redis://127.0.0.1:${proxy.port}`, 'on-backend-error': 'closed' });
  const off = ['--limits', 'off'];

  it('does not connect to Redis', async () => {
    await withInstance({ limits: limits(), flags: off }, async (instance, people) => {
      expect((await request(instance.url, { token: await people.sign() })).status).toBe(200);
      expect(await (await fetch(instance.metricsUrl)).text()).not.toContain('mayfly_ratelimit_backend_up');
    });
    expect(proxy.accepted).toBe(0);
  });

  it('does where a replay rule needs it, and counts nothing else there', async () => {
    const entry = { replay: 'same-key' };
    await withInstance({ limits: limits(), entry, flags: off }, async (instance, people) => {
      const token = await people.sign();
      expect((await request(instance.url, { token })).status).toBe(200);
      expect((await request(instance.url, { token, key: 'P-384' })).status).toBe(400);
      expect(await redis.admin.keys('*')).toEqual([expect.stringMatching(/^mayfly:\{[\w-]+\}:t[\w-]{43}$/)]);
    });
  });

  it('connects when the configuration is read again and needs it', async () => {
    await redis.admin.flushall();
    await withInstance({ limits: limits(), flags: off }, async (instance, people, configure) => {
      const before = proxy.accepted;
      const entry = entryOf({ issuer: people, type: 'email', replay: 'once' });
      configure([entry]);
      await instance.saying(/configuration read again/);
      const answers = async () => (await request(instance.url, { token: await people.sign() })).status;
      while ((await answers()) !== 200); // 503 until Redis has answered
      expect(proxy.accepted).toBe(before + 1);
    });
  });
});
