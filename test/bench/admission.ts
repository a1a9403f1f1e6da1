// Admission bench: what limits cost an issuance, in memory and in a real Redis, against none in the same run; and what a
// flood of bad tokens for one issuer does to the clients of another. Part of npm run bench; alone: node test/bench/admission.ts

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { Limiter } from '../../src/admission/limiter.ts';
import { MemoryLimiter } from '../../src/admission/memory-limiter.ts';
import { systemClock } from '../../src/clock.ts';
import { connectRedis } from '../../src/redis/connection.ts';
import { RedisLimiter } from '../../src/redis/redis-limiter.ts';
import { type RedisServer, startRedis } from '../fakes/redis.ts';
import { type Outcome, quantile, send } from './load.ts';
import { type BenchIssuer, createIssuer, makeBodies } from './requests.ts';
import { type BenchService, startService } from './service.ts';

/** For each number of connections. */
const TURNS = 16;
const EACH = 300;
const WARM_UP = 4000;
/** Half busy, and busy: what a message to Redis costs depends on what is sent and read together with it. */
const CONNECTIONS = [16, 64];

export interface AdmissionCost {
  readonly store: 'memory' | 'redis';
  readonly rows: readonly CostRow[];
  /** The decision by itself, one at a time in a loop: what does not depend on what else the machine does. */
  readonly alone: number;
  /** Scripts that Redis ran for an issuance. */
  readonly roundTrips: number;
}

interface CostRow {
  readonly connections: number;
  /** Microseconds of CPU for an issuance beyond one with limits off: the median over turns, and the quartiles. */
  readonly cpu: number;
  readonly quartiles: readonly [number, number];
}

export interface FloodEffect {
  /** Milliseconds, p50 and p99, of another issuer's good tokens: alone, beside good tokens, beside bad ones. */
  readonly quiet: readonly [number, number];
  readonly busy: readonly [number, number];
  readonly flooded: readonly [number, number];
  readonly bad: number;
  readonly seconds: number;
  /** That the bad tokens made their issuer answer. */
  readonly fetches: number;
}

interface ServedIssuer {
  readonly issuer: BenchIssuer;
  readonly fetches: () => number;
  close(): void;
}

async function serveIssuer(): Promise<ServedIssuer> {
  const issuer = createIssuer();
  let fetches = 0;
  const server = createServer((request, response) => {
    fetches += 1;
    issuer.answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  issuer.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { issuer, fetches: () => fetches, close: () => server.close() };
}

/** Limits that are never reached, so that each request pays for them. */
function configuration(issuers: readonly BenchIssuer[], limits: object = {}): object {
  const rate = { burst: 1_000_000, count: 1_000_000, period: '1h' };
  return {
    issuers: issuers.map(({ url }) => ({ 'issuer-url': url, audiences: ['sigstore'], type: 'github' })),
    'rate-limits': {
      defaults: {
        'certificates-per-identity': rate,
        'certificates-per-owner': rate,
        'certificates-per-issuer': rate,
        'failures-per-address': rate,
      },
      ...limits,
    },
  };
}

/** One instance takes the same load in short turns, with its limits on and off by turns. */
export async function measureAdmission(): Promise<readonly AdmissionCost[]> {
  const costs = [{ ...(await costIn('memory', {})), alone: await costAlone(new MemoryLimiter()) }];
  if (spawnSync('redis-server', ['--version']).error !== undefined) return costs;
  const redis = await startRedis();
  try {
    const limits = { backend: 'redis', 'redis-url': redis.url };
    const cost = await costIn('redis', limits, () => scriptsOf(redis));
    const limiter = new RedisLimiter(connectRedis({ urls: [redis.url] }), { budget: 10_000 });
    await limiter.ready(10_000);
    const alone = await costAlone(limiter);
    limiter.close();
    return [...costs, { ...cost, alone }];
  } finally {
    await redis.stop();
  }
}

async function costIn(
  store: AdmissionCost['store'],
  limits: object,
  scripts: () => Promise<number> = async () => 0,
): Promise<Omit<AdmissionCost, 'alone'>> {
  const { issuer, close } = await serveIssuer();
  const on = configuration([issuer], limits);
  const off = { ...on, 'rate-limits': 'off' };
  const service = await startService(on);
  try {
    requireAll(200, await send(service.url, makeBodies(issuer, 1), 1));
    for (const settings of [off, on]) {
      await service.configure(settings);
      requireAll(200, await send(service.url, makeBodies(issuer, WARM_UP), 16));
    }
    const before = await scripts();
    const rows: CostRow[] = [];
    for (const connections of CONNECTIONS) {
      const differences: number[] = [];
      for (let turn = 0; turn < TURNS; turn++) {
        const dear = await costOf(service, issuer, connections);
        await service.configure(off);
        differences.push(dear - (await costOf(service, issuer, connections)));
        await service.configure(on);
      }
      differences.sort((a, b) => a - b);
      const at = (q: number): number => Math.round(quantile(differences, q));
      rows.push({ connections, cpu: at(0.5), quartiles: [at(0.25), at(0.75)] });
    }
    const roundTrips = ((await scripts()) - before) / (CONNECTIONS.length * TURNS * EACH);
    return { store, rows, roundTrips };
  } finally {
    await service.stop();
    close();
  }
}

/** Microseconds of CPU for a decision about three buckets. */
async function costAlone(limiter: Limiter): Promise<number> {
  const rate = { burst: 1_000_000, count: 1_000_000, periodMs: 3_600_000 };
  const charges = (
    ['certificates-per-identity', 'certificates-per-owner', 'certificates-per-issuer'] as const
  ).map((limit) => ({ limit, key: limit.padEnd(22, '.'), rate }));
  const rounds = 10_000;
  let started = process.cpuUsage();
  for (let i = -2000; i < rounds; i++) {
    if (i === 0) started = process.cpuUsage();
    await limiter.spend('the-hash-of-the-issuer', charges, undefined, systemClock.now());
  }
  const { user, system } = process.cpuUsage(started);
  return Math.round((user + system) / rounds);
}

async function costOf(service: BenchService, issuer: BenchIssuer, connections: number): Promise<number> {
  const bodies = makeBodies(issuer, EACH);
  const before = await service.cpu();
  requireAll(200, await send(service.url, bodies, connections));
  return ((await service.cpu()) - before) / EACH;
}

/** Scripts that it has run: one for each issuance, and one for each probe of an instance that had lost it. */
async function scriptsOf({ admin }: RedisServer): Promise<number> {
  const stats = await admin.info('commandstats');
  const calls = [...stats.matchAll(/^cmdstat_(?:eval|evalsha):calls=(\d+)/gm)];
  return calls.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Milliseconds after which an unknown key id may cause another fetch (src/token/issuer-keys.ts). */
const COOLDOWN = 31_000;
const BAD = 10_000;
const GOOD = 5_000;
const CROWD = 16;
const PROBE = 2;

/**
 * Good tokens of one issuer over two connections, one after the other: while nothing else comes, while sixteen
 * connections bring good tokens of a second issuer, and while they bring bad ones. Half of those name a key that is not
 * there, each another; half are signed by nobody with the name of one that is.
 */
export async function measureFlood(): Promise<FloodEffect> {
  const [other, victim] = [await serveIssuer(), await serveIssuer()];
  const service = await startService(configuration([other.issuer, victim.issuer]));
  const { url } = service;
  try {
    for (const { issuer } of [other, victim]) requireAll(200, await send(url, makeBodies(issuer, 1), 1));
    const fetchedAt = Date.now();
    requireAll(200, await send(url, makeBodies(other.issuer, WARM_UP), CROWD));
    const beside = async (load: readonly Buffer[], status: number) => {
      let going = true;
      const probes = makeBodies(other.issuer, 3000);
      const started = performance.now();
      const crowd = send(url, load, CROWD).finally(() => {
        going = false;
      });
      const probed = await send(url, probes, PROBE, undefined, () => going);
      requireAll(status, await crowd);
      requireAll(200, probed);
      return { latencies: probed.latencies, seconds: (performance.now() - started) / 1000 };
    };
    const quiet = await send(url, makeBodies(other.issuer, 2000), PROBE);
    const first = await beside(makeBodies(victim.issuer, GOOD), 200);
    await setTimeout(Math.max(0, fetchedAt + COOLDOWN - Date.now()));
    const before = victim.fetches();
    const flood = await beside(badBodies(victim.issuer, BAD), 400);
    const fetches = victim.fetches() - before;
    const second = await beside(makeBodies(victim.issuer, GOOD), 200);
    return {
      quiet: told(quiet.latencies),
      busy: told([...first.latencies, ...second.latencies]),
      flooded: told(flood.latencies),
      bad: BAD,
      seconds: flood.seconds,
      fetches,
    };
  } finally {
    await service.stop();
    other.close();
    victim.close();
  }
}

function told(latencies: readonly number[]): readonly [number, number] {
  const sorted = [...latencies].sort((a, b) => a - b);
  return [Number(quantile(sorted, 0.5).toFixed(1)), Number(quantile(sorted, 0.99).toFixed(1))];
}

function badBodies(issuer: BenchIssuer, count: number): readonly Buffer[] {
  const [mould] = makeBodies(issuer, 1);
  if (mould === undefined) return [];
  const order = JSON.parse(mould.toString());
  const [, payload] = String(order.credentials.oidcIdentityToken).split('.');
  const signature = Buffer.alloc(256, 7).toString('base64url');
  return Array.from({ length: count }, (_, n) => {
    const kid = n % 2 === 0 ? 'bench' : `made-up-${n}`;
    const header = Buffer.from(JSON.stringify({ alg: 'RS256', kid, typ: 'JWT' })).toString('base64url');
    const oidcIdentityToken = `${header}.${payload}.${signature}`;
    return Buffer.from(JSON.stringify({ ...order, credentials: { oidcIdentityToken } }));
  });
}

function requireAll(status: number, { statuses }: Outcome): void {
  if ([...statuses.keys()].some((one) => one !== status))
    throw new Error(`not every request was answered with ${status}: ${JSON.stringify([...statuses])}`);
}

/** What admission may cost an issuance, and what a flood may do to the p99 of others. */
const MAX_CPU = 60;
const MAX_ROUND_TRIPS = 1;
const MAX_P99_RATIO = 2;

/** Prints lines for people, or one of JSON. */
export async function reportAdmission(json: boolean): Promise<void> {
  const [costs, flood] = [await measureAdmission(), await measureFlood()];
  process.stdout.write(json ? `${JSON.stringify({ admission: costs, flood })}\n` : describe(costs, flood));
}

function describe(costs: readonly AdmissionCost[], flood: FloodEffect): string {
  const lines = costs.map(({ store, rows, roundTrips, alone }) => {
    const told = rows.map(
      ({ connections, cpu, quartiles: [low, high] }) =>
        `${cpu} us at ${connections} connections (quartiles ${low} to ${high})`,
    );
    return `admission, ${store}: CPU beyond limits off ${told.join(', ')}, at most ${MAX_CPU}; ${roundTrips.toFixed(3)} round trips, at most ${MAX_ROUND_TRIPS}; the decision alone ${alone} us`;
  });
  if (!costs.some(({ store }) => store === 'redis')) lines.push('admission, redis: no redis-server here');
  const { quiet, busy, flooded, bad, seconds, fetches } = flood;
  const ratio = (flooded[1] / busy[1]).toFixed(2);
  lines.push(
    `flood: ${bad} bad tokens for one issuer in ${seconds.toFixed(1)} s made ${fetches} fetches`,
    `flood: p50 / p99 ms of another issuer's good tokens: alone ${quiet.join(' / ')}, beside as many connections of good tokens ${busy.join(' / ')}, beside the flood ${flooded.join(' / ')}: p99 x ${ratio} (at most ${MAX_P99_RATIO})`,
  );
  return `${lines.join('\n')}\n`;
}

if (import.meta.main) await reportAdmission(process.argv.includes('--json'));
