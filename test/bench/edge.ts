// npm run bench:edge: CPU of one issuance in workerd beside Node's, and what one log object and one limiter shard take
// in a second. Linux only, as it reads /proc. Options: --count N, --json.

import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { startLocalWorker } from '../../deploy/workers/local-worker.ts';
import { bundleText } from '../../deploy/workers/settings-bundle.ts';
import { createMayfly } from '../../src/node/library.ts';
import { freePort } from '../fakes/edge.ts';
import { measureFloor } from './floor.ts';
import { quantile } from './load.ts';
import { createIssuer, makeBodies } from './requests.ts';

const { values } = parseArgs({
  options: { count: { type: 'string', default: '3000' }, json: { type: 'boolean', default: false } },
});
const COUNT = Number(values.count);
const ENTRY = new URL('edge-worker.ts', import.meta.url).pathname;

interface Row {
  readonly what: string;
  readonly lanes: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of all threads. */
  readonly cpu: number;
}

const issuer = createIssuer();
const oidc = createServer((request, response) => issuer.answer(request, response));
oidc.listen(0, '127.0.0.1');
await once(oidc, 'listening');
issuer.url = `http://127.0.0.1:${(oidc.address() as AddressInfo).port}`;

const rate = { burst: 1_000_000, count: 1_000_000, period: '1h' };
const RATES = {
  'certificates-per-identity': rate,
  'certificates-per-owner': rate,
  'certificates-per-issuer': rate,
};

function configuration(log: string, limits: boolean): Record<string, unknown> {
  return {
    log,
    issuers: [{ name: 'bench', 'issuer-url': issuer.url, audiences: ['sigstore'], type: 'github' }],
    'rate-limits': limits ? { defaults: RATES } : 'off',
  };
}

const rows: Row[] = [];

function record(what: string, lanes: number, times: readonly number[], seconds: number, cpu: number): void {
  const sorted = times.toSorted((a, b) => a - b);
  rows.push({
    what,
    lanes,
    perSecond: Math.round(times.length / seconds),
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
    cpu: Math.round((cpu / times.length) * 1e6),
  });
}

async function onNode(): Promise<void> {
  // Before there is an instance: making them holds everything up, the issuer's own answers included.
  const [warmUp, bodies] = [makeBodies(issuer, COUNT), makeBodies(issuer, COUNT)];
  await using mayfly = await createMayfly({
    url: 'http://edge.test',
    configuration: configuration('none', false),
  });
  const issue = async (body: Buffer): Promise<void> => {
    const init = { method: 'POST', body: new Uint8Array(body) };
    const response = await mayfly.fetch(new Request('http://edge.test/api/v2/signingCert', init));
    if (!response.ok) throw new Error(await response.text());
    await response.arrayBuffer();
  };
  for (const body of warmUp) await issue(body);
  const times: number[] = [];
  const [start, before] = [performance.now(), process.cpuUsage()];
  for (const body of bodies) {
    const from = performance.now();
    await issue(body);
    times.push(performance.now() - from);
  }
  const { user, system } = process.cpuUsage(before);
  record(
    'issue, Node, log none, limits off',
    1,
    times,
    (performance.now() - start) / 1000,
    (user + system) / 1e6,
  );
}

/** Seconds of CPU of the runtimes that this process started. */
function runtimeCpu(): number {
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(/\) (?=[A-Z] )/);
      const [, parent, ...rest] = fields.split(' ');
      if (Number(parent) !== process.pid) continue;
      ticks += Number(rest[9]) + Number(rest[10]);
    } catch {
      // ended meanwhile
    }
  }
  return ticks / 100;
}

async function ask(
  url: string,
  what: string,
  lanes: number,
  path: string,
  bodies?: readonly Buffer[],
): Promise<void> {
  const body = bodies && JSON.stringify(bodies.map(String));
  const [start, before] = [performance.now(), runtimeCpu()];
  const response = await fetch(`${url}${path}`, { method: 'POST', ...(body !== undefined && { body }) });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  const times = JSON.parse(text) as number[];
  record(what, lanes, times, (performance.now() - start) / 1000, runtimeCpu() - before);
}

async function inWorkerd(log: string, limits: boolean, work: (url: string) => Promise<void>): Promise<void> {
  const { bundle } = bundleText('the bench', JSON.stringify(configuration(log, limits)));
  const worker = await startLocalWorker({ bundle, port: await freePort(), entry: ENTRY });
  try {
    await work(worker.url);
  } finally {
    await worker.close();
  }
}

const issueIn = async (url: string, what: string, lanes: number): Promise<void> =>
  ask(url, what, lanes, `/bench/issue?lanes=${lanes}`, makeBodies(issuer, COUNT));

const floor = measureFloor(400).cpu;
await onNode();
await inWorkerd('none', false, async (url) => {
  for (const what of ['warm-up', 'issue, workerd, log none, limits off']) await issueIn(url, what, 1);
});
await inWorkerd('builtin', true, async (url) => {
  await issueIn(url, 'warm-up', 8);
  for (const lanes of [1, 16]) await issueIn(url, 'issue, workerd, log builtin, limits on', lanes);
  for (const lanes of [1, 16, 64, 256]) {
    const count = lanes === 1 ? COUNT / 4 : COUNT;
    await ask(url, 'append', lanes, `/bench/append?lanes=${lanes}&count=${count}`);
  }
  for (const lanes of [1, 16, 64])
    await ask(url, 'take from a shard', lanes, `/bench/limit?lanes=${lanes}&count=${COUNT}`);
});
oidc.close();

const shown = rows.filter(({ what }) => what !== 'warm-up');
if (values.json) process.stdout.write(`${JSON.stringify({ floor, rows: shown })}\n`);
else {
  process.stdout.write(`Floor on node:crypto: ${Math.round(floor)} us of CPU an issuance.\n\n`);
  for (const { what, lanes, perSecond, p50, p99, cpu } of shown)
    process.stdout.write(
      `${what.padEnd(42)} ${String(lanes).padStart(3)} at once  ${String(perSecond).padStart(5)}/s  ` +
        `p50 ${p50.toFixed(2)} ms  p99 ${p99.toFixed(2)} ms  CPU ${cpu} us\n`,
    );
}
process.exit(0); // wrangler leaves handles open
