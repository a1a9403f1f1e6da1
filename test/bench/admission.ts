// Admission bench: what limits cost an issuance, in memory and in a real Redis, against none in the same run; and what a
// flood of bad tokens for one issuer does to the clients of another. Part of npm run bench; alone: node test/bench/admission.ts

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { Agent, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { Limiter } from '../../src/admission/limiter.ts';
import { MemoryLimiter } from '../../src/admission/memory-limiter.ts';
import { systemClock } from '../../src/clock.ts';
import { connectRedis } from '../../src/redis/connection.ts';
import { RedisLimiter } from '../../src/redis/redis-limiter.ts';
import { type RedisServer, startRedis } from '../fakes/redis.ts';
import { type Outcome, quantile, send, sendOver } from './load.ts';
import { type BenchIssuer, createIssuer, makeBodies } from './requests.ts';
import { type BenchService, startService } from './service.ts';

/** Of turns with limits on and off, for each number of connections, before the instances change parts and again after. */
const PAIRS = 16;
/** Requests of a turn: enough for its share of garbage collections. */
const EACH = 512;
/** Requests at a time, so that what else the machine does falls on both. */
const STEP = 128;
const WARM_UP = 4000;
/** Half busy, and busy: what a message to Redis costs depends on what is sent and read together with it. */
const CONNECTIONS = [16, 64];

export interface AdmissionCost {
  readonly store: 'memory' | 'redis';
  readonly rows: readonly CostRow[];
  /** Microseconds of CPU of the decision by itself, in a loop: one at a time, and several in a turn of the event loop. */
  readonly alone: readonly [number, number];
  /** Scripts that Redis ran for an issuance. */
  readonly roundTrips: number;
}

interface CostRow {
  readonly connections: number;
  /** Microseconds of CPU for an issuance beyond one with limits off: the median over pairs of turns. */
  readonly cpu: number;
  /** Where the median of all possible pairs is, 19 times in 20. */
  readonly interval: readonly [number, number];
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

/** Two instances take the same load by turns, one with its limits on, the other with them off, and then change parts. */
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
  const [one, other] = [await startService(on), await startService(off)];
  const bodies = makeBodies(issuer, STEP);
  try {
    let ran = 0;
    const measure = async (limited: BenchService, free: BenchService, connections: number) => {
      const sides = {
        limited: new Side(limited, bodies, connections),
        free: new Side(free, bodies, connections),
      };
      for (const side of [sides.limited, sides.free]) await side.costOf(WARM_UP);
      const before = await scripts();
      const differences: number[] = [];
      for (let pair = 0; pair < PAIRS; pair++) differences.push(await differenceOf(sides));
      ran += (await scripts()) - before;
      for (const side of [sides.limited, sides.free]) side.close();
      return differences;
    };
    const first: number[][] = [];
    for (const connections of CONNECTIONS) first.push(await measure(one, other, connections));
    await one.configure(off);
    await other.configure(on);
    const rows: CostRow[] = [];
    for (const [i, connections] of CONNECTIONS.entries()) {
      const second = await measure(other, one, connections);
      // What tells one process from the other is added in the first and taken off in the second.
      const both = second.map((difference, pair) => (difference + (first[i]?.[pair] ?? Number.NaN)) / 2);
      rows.push({ connections, ...medianOf(both) });
    }
    return { store, rows, roundTrips: ran / (2 * CONNECTIONS.length * PAIRS * EACH) };
  } finally {
    await Promise.all([one.stop(), other.stop()]);
    close();
  }
}

/** An instance and the connections over which it is asked. */
class Side {
  readonly #service: BenchService;
  readonly #bodies: readonly Buffer[];
  readonly #agent: Agent;

  constructor(service: BenchService, bodies: readonly Buffer[], connections: number) {
    this.#service = service;
    this.#bodies = bodies;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Microseconds of CPU for `count` issuances. */
  async costOf(count: number): Promise<number> {
    const before = await this.#service.cpu();
    for (let sent = 0; sent < count; sent += STEP)
      requireAll(200, await sendOver(this.#agent, this.#service.url, this.#bodies));
    return (await this.#service.cpu()) - before;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Microseconds of CPU by which an issuance under limits is dearer, over a turn of both. */
async function differenceOf({ limited, free }: Record<'limited' | 'free', Side>): Promise<number> {
  let difference = 0;
  for (let sent = 0; sent < EACH; sent += 2 * STEP) {
    difference += await limited.costOf(STEP);
    difference -= await free.costOf(2 * STEP);
    difference += await limited.costOf(STEP);
  }
  return difference / EACH;
}

/** The median and, whatever the distribution, an interval that holds the true one 19 times in 20. */
function medianOf(values: readonly number[]): Pick<CostRow, 'cpu' | 'interval'> {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (rank: number): number => Math.round(sorted[rank] ?? Number.NaN);
  const low = Math.max(0, Math.floor((sorted.length - 1.96 * Math.sqrt(sorted.length)) / 2) - 1);
  return { cpu: Math.round(quantile(sorted, 0.5)), interval: [at(low), at(sorted.length - 1 - low)] };
}

/** Microseconds of CPU for a decision about three buckets, asked one after the other, and in crowds. */
async function costAlone(limiter: Limiter): Promise<readonly [number, number]> {
  const rate = { burst: 1_000_000, count: 1_000_000, periodMs: 3_600_000 };
  const charges = (
    ['certificates-per-identity', 'certificates-per-owner', 'certificates-per-issuer'] as const
  ).map((limit) => ({ limit, key: limit.padEnd(22, '.'), rate }));
  const run = async (crowd: number, decisions: number): Promise<number> => {
    const started = process.cpuUsage();
    for (let made = 0; made < decisions; made += crowd) {
      const spend = () => limiter.spend('the-hash-of-the-issuer', charges, undefined, systemClock.now());
      await Promise.all(Array.from({ length: crowd }, spend));
    }
    const { user, system } = process.cpuUsage(started);
    return Math.round((user + system) / decisions);
  };
  await run(1, 4_000);
  await run(CROWD, 4_000);
  return [await run(1, 10_000), await run(CROWD, 16_000)];
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
      ({ connections, cpu, interval: [low, high] }) =>
        `${cpu} us at ${connections} connections (${low} to ${high}: ${high <= MAX_CPU ? 'met' : low > MAX_CPU ? 'missed' : 'undecided'})`,
    );
    return `admission, ${store}: CPU beyond limits off ${told.join(', ')}, at most ${MAX_CPU}; ${roundTrips.toFixed(3)} round trips, at most ${MAX_ROUND_TRIPS}; the decision alone ${alone[0]} us, ${alone[1]} us among ${CROWD} of a turn`;
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
