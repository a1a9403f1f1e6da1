// npm run bench: CPU of one issuance over HTTP as a ratio to the cryptographic floor measured in the same run,
// and latency, throughput and memory at 1, 16 and 64 connections. Options: --count N, --limits on|off,
// --admission on|off, --json.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { reportAdmission } from './admission.ts';
import { measureFloor, measureSignature } from './floor.ts';
import { type Outcome, quantile, send } from './load.ts';
import { createIssuer, makeBodies, makeTimestampQueries } from './requests.ts';
import { startService } from './service.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '12000' },
    limits: { type: 'string', default: 'on' },
    connections: { type: 'string', default: '1,16,64' },
    admission: { type: 'string', default: 'on' },
    json: { type: 'boolean', default: false },
  },
});
const COUNT = Number(values.count);
const FLOOR_ROUNDS = 400;
const TURNS = 15;
/** What an issuance may cost, in floors, when CPU is what there is too little of. */
const MAX_RATIO = 2.5;
/** The optimizing compiler is done after some thousand issuances; a service runs for weeks. */
const WARM_UP = 8000;
const CONNECTIONS = values.connections.split(',').map(Number);

const issuer = createIssuer();
const oidc = createServer((request, response) => issuer.answer(request, response));
oidc.listen(0, '127.0.0.1');
await once(oidc, 'listening');
const issuerUrl = `http://127.0.0.1:${(oidc.address() as AddressInfo).port}`;
issuer.url = issuerUrl;

const server = await startService(configuration(issuerUrl), ['--limits', values.limits]);
try {
  await report();
} finally {
  await server.stop();
  oidc.close();
}
if (values.admission === 'on') await reportAdmission(values.json);

/** Limits that are on and never reached, so that each request pays for them. */
function configuration(url: string): object {
  const rate = { burst: 1_000_000, count: 1_000_000, period: '1h' };
  return {
    issuers: [{ name: 'bench', 'issuer-url': url, audiences: ['sigstore'], type: 'github' }],
    'rate-limits': {
      defaults: {
        'certificates-per-identity': rate,
        'certificates-per-owner': rate,
        'certificates-per-issuer': rate,
      },
    },
  };
}

interface Row {
  readonly connections: number;
  readonly cpuMicroseconds: number;
  readonly floorMicroseconds: number;
  readonly ratio: number;
  readonly bestRatio: number;
  readonly p50: number;
  readonly p99: number;
  readonly perSecond: number;
}

/**
 * Issuances and floor in short turns: what else the machine does then falls on both, and the median of the turns' ratios
 * leaves out the turns that it fell on unevenly.
 */
async function measure(url: string, connections: number): Promise<{ row: Row; residentBytes: number }> {
  const latencies: number[] = [];
  const turns: { cpu: number; floor: number; perSecond: number }[] = [];
  let residentBytes = 0;
  for (let turn = 0; turn < TURNS; turn++) {
    const bodies = makeBodies(issuer, COUNT / TURNS);
    const floorBefore = measureFloor(FLOOR_ROUNDS).cpu;
    const before = await server.usage();
    const outcome = await send(url, bodies, connections);
    const after = await server.usage();
    requireIssued(outcome);
    const floor = (floorBefore + measureFloor(FLOOR_ROUNDS).cpu) / 2;
    const cpu = (after.cpu - before.cpu) / bodies.length;
    turns.push({ cpu, floor, perSecond: bodies.length / outcome.seconds });
    latencies.push(...outcome.latencies);
    residentBytes = Math.max(residentBytes, after.residentBytes);
  }
  latencies.sort((x, y) => x - y);
  const ratios = turns.map(({ cpu, floor }) => cpu / floor).sort((x, y) => x - y);
  const middle = (values: readonly number[]): number =>
    quantile(
      [...values].sort((x, y) => x - y),
      0.5,
    );
  const row: Row = {
    connections,
    cpuMicroseconds: Math.round(middle(turns.map(({ cpu }) => cpu))),
    floorMicroseconds: Math.round(middle(turns.map(({ floor }) => floor))),
    ratio: Number(middle(ratios).toFixed(2)),
    bestRatio: Number((ratios[0] ?? Number.NaN).toFixed(2)),
    p50: Number(quantile(latencies, 0.5).toFixed(2)),
    p99: Number(quantile(latencies, 0.99).toFixed(2)),
    perSecond: Math.round(middle(turns.map(({ perSecond }) => perSecond))),
  };
  return { row, residentBytes };
}

/** CPU of a timestamp over HTTP, and of the one signature in it, microseconds. */
async function measureTimestamps(): Promise<{ cpu: number; floor: number }> {
  const url = server.timestampUrl;
  const type = 'application/timestamp-query';
  requireIssued(await send(url, makeTimestampQueries(2000), 16, type));
  const queries = makeTimestampQueries(4000);
  const before = await server.usage();
  requireIssued(await send(url, queries, 16, type));
  const after = await server.usage();
  const cpu = (after.cpu - before.cpu) / queries.length;
  return { cpu: Math.round(cpu), floor: Math.round(measureSignature(4000)) };
}

async function report(): Promise<void> {
  const { url } = server;
  // The first fetches the issuer's keys; making thousands of requests keeps this process from answering for seconds.
  requireIssued(await send(url, makeBodies(issuer, 1), 1));
  requireIssued(await send(url, makeBodies(issuer, WARM_UP), 16));
  const rows: Row[] = [];
  let peak = 0;
  for (const connections of CONNECTIONS) {
    const { row, residentBytes } = await measure(url, connections);
    rows.push(row);
    peak = Math.max(peak, residentBytes);
  }
  const peakMiB = Math.round(peak / 2 ** 20);
  const timestamp = await measureTimestamps();
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ rows, timestamp, peakMiB })}\n`);
    return;
  }
  process.stdout.write(
    `${COUNT} issuances a row in ${TURNS} turns, limits ${values.limits}, log on disk, each its own token and key\n\n`,
  );
  process.stdout.write('connections   CPU us   floor us   ratio    best   p50 ms   p99 ms   issuances/s\n');
  for (const row of rows) {
    const { cpuMicroseconds, floorMicroseconds, ratio, bestRatio, p50, p99, perSecond } = row;
    const cells = [cpuMicroseconds, floorMicroseconds, ratio, bestRatio, p50, p99, perSecond];
    const widths = [9, 11, 8, 8, 9, 9, 14];
    process.stdout.write(
      `${String(row.connections).padStart(11)}${cells.map((c, i) => String(c).padStart(widths[i] ?? 9)).join('')}\n`,
    );
  }
  const busiest = rows.reduce((one, other) => (other.perSecond > one.perSecond ? other : one));
  process.stdout.write(
    `\nratio to the floor under full load: ${busiest.ratio} (at most ${MAX_RATIO}), at ${busiest.connections} connections\n`,
  );
  const { cpu, floor } = timestamp;
  process.stdout.write(`\na timestamp at 16 connections: ${cpu} us CPU, its signature alone ${floor} us\n`);
  process.stdout.write(`\npeak resident memory ${peakMiB} MiB\n`);
}

function requireIssued({ statuses }: Outcome): void {
  if ([...statuses.keys()].some((status) => status !== 200)) {
    throw new Error(`not every request was answered with 200: ${JSON.stringify([...statuses])}`);
  }
}
