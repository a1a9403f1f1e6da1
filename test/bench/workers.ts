// npm run bench:workers: issuances a second of instances with 1, 2 ... workers, in turns, and what each process of them
// costs. Linux only, as it reads /proc. Options: --workers 1,2, --turns N, --count N (a turn), --connections 64,256,512, --json.

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { LoadOrder, LoadReport } from './light-load.ts';
import { createIssuer, makeBodies } from './requests.ts';

const { values } = parseArgs({
  options: {
    workers: { type: 'string', default: '1,2' },
    turns: { type: 'string', default: '9' },
    count: { type: 'string', default: '4000' },
    connections: { type: 'string', default: '64,256,512' },
    json: { type: 'boolean', default: false },
  },
});
const TURNS = Number(values.turns);
const COUNT = Number(values.count);
const CONNECTIONS = values.connections.split(',').map(Number);
/** For each process: at 8,000 the optimizing compiler still takes 15 us of an issuance; a service runs for weeks. */
const WARM_UP = 20_000;
const DISTINCT = 3000;
/** Linux counts CPU in hundredths of a second for whoever asks. */
const TICK = 10_000;

interface Instance {
  readonly workers: number;
  readonly child: ChildProcess;
  readonly port: number;
  /** The first is the one that was started, the others are its workers. */
  readonly processes: readonly number[];
}

interface Turn {
  readonly perSecond: number;
  /** Microseconds of CPU for an issuance: of the process that was started, of its workers together, and of the client. */
  readonly sequencer: number;
  readonly issuing: number;
  readonly client: number;
  /** Cores of the machine that nobody used, all processes on it counted. */
  readonly idle: number;
  readonly p50: number;
  readonly p99: number;
}

const folder = mkdtempSync(join(tmpdir(), 'mayfly-bench-'));
const issuer = createIssuer();
const oidc = createServer((request, response) => issuer.answer(request, response));
oidc.listen(0, '127.0.0.1');
await once(oidc, 'listening');
issuer.url = `http://127.0.0.1:${(oidc.address() as AddressInfo).port}`;
const requests = join(folder, 'requests');
writeFileSync(requests, framed(makeBodies(issuer, DISTINCT)));
const load = fork(new URL('light-load.ts', import.meta.url).pathname, [requests]);
const loadEnded = once(load, 'exit').then(([code, signal]): never => {
  throw new Error(`the process that sends the requests has ended: ${signal ?? `exit code ${code}`}`);
});
loadEnded.catch(() => undefined); // told to whoever waits for an answer
await fromLoad();
const instances: Instance[] = [];
try {
  for (const workers of values.workers.split(',').map(Number)) instances.push(await start(workers));
  await report();
} finally {
  if (load.connected) load.disconnect();
  for (const { child } of instances) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  oidc.close();
  rmSync(folder, { recursive: true, force: true });
}

/** What it says next; rejects where it ends instead. */
async function fromLoad(): Promise<unknown> {
  const [message] = await Promise.race([once(load, 'message'), loadEnded]);
  return message;
}

function framed(bodies: readonly Buffer[]): Buffer {
  return Buffer.concat(
    bodies.flatMap((body) => {
      const head = `POST /api/v2/signingCert HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
      const request = Buffer.concat([Buffer.from(head), body]);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(request.length);
      return [length, request];
    }),
  );
}

async function start(workers: number): Promise<Instance> {
  const rate = { burst: 10_000_000, count: 10_000_000, period: '1h' };
  const config = join(folder, `mayfly-${workers}.yaml`);
  writeFileSync(
    config,
    JSON.stringify({
      workers,
      issuers: [{ name: 'bench', 'issuer-url': issuer.url, audiences: ['sigstore'], type: 'github' }],
      'rate-limits': {
        defaults: {
          'certificates-per-identity': rate,
          'certificates-per-owner': rate,
          'certificates-per-issuer': rate,
        },
      },
    }),
  );
  const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
  const places = ['--config', config, '--data', join(folder, `data-${workers}`)];
  const ports = ['--port', '0', '--grpc-port', '0', '--metrics-port', '0'];
  const engine = ['--single-threaded-gc', '--max-semi-space-size=64']; // as `npm run mayfly` starts it
  const child = spawn(process.execPath, [...engine, main, 'serve', ...places, ...ports], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  for await (const chunk of child.stderr) {
    said += String(chunk);
    const ready = said.split('\n').find((line) => line.includes('"msg":"ready"'));
    if (ready === undefined) continue;
    child.stderr.resume();
    const { url } = JSON.parse(ready) as { readonly url: string };
    const { pid = 0 } = child;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    const own = children === '' ? [] : children.split(' ').map(Number);
    return { workers, child, port: Number(new URL(url).port), processes: [pid, ...own] };
  }
  throw new Error(`the instance did not start: ${said}`);
}

/** Microseconds of all threads, ended ones too. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK;
}

/** Microseconds that the machine's cores had nothing to do, together. */
function idleTime(): number {
  const [, , , , idle = 0, waiting = 0] = readFileSync('/proc/stat', 'utf8').split(/\s+/, 6).map(Number);
  return (idle + waiting) * TICK;
}

async function send({ port }: Instance, connections: number, count: number): Promise<LoadReport> {
  const order: LoadOrder = { port, connections, count };
  load.send(order, () => undefined); // one that cannot be sent to has ended
  const answer = (await fromLoad()) as LoadReport;
  if (answer.refused > 0)
    throw new Error(`${answer.refused} of ${count} requests were not answered with 200`);
  return answer;
}

async function measure(instance: Instance, connections: number): Promise<Turn> {
  const before = instance.processes.map(cpuOf);
  const idleBefore = idleTime();
  const { seconds, cpu, p50, p99 } = await send(instance, connections, COUNT);
  const idle = (idleTime() - idleBefore) / 1e6 / seconds;
  const [sequencer = 0, ...issuing] = instance.processes.map((pid, i) => cpuOf(pid) - (before[i] ?? 0));
  return {
    perSecond: COUNT / seconds,
    sequencer: sequencer / COUNT,
    issuing: issuing.reduce((sum, one) => sum + one, 0) / COUNT,
    client: cpu / COUNT,
    idle,
    p50,
    p99,
  };
}

function middle(turns: readonly Turn[], of: (turn: Turn) => number): number {
  const sorted = turns.map(of).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

interface Row extends Omit<Turn, 'perSecond'> {
  readonly connections: number;
  readonly workers: number;
  readonly turns: readonly Turn[];
  readonly perSecond: number;
  readonly best: number;
  /** Cores that the instance had of the machine. */
  readonly cores: number;
}

interface Ratio {
  readonly connections: number;
  readonly workers: number;
  /** Turn by turn, as what else the machine does falls on both; the middle of them, and the best. */
  readonly measured: number;
  readonly best: number;
  /** With the cores that the client took given back. */
  readonly beside: number;
  /** By CPU for an issuance: two cores that are never idle. */
  readonly projected: number;
}

async function report(): Promise<void> {
  for (const instance of instances) {
    await send(instance, 1, 1); // fetches the issuer's keys
    await send(instance, Math.max(...CONNECTIONS), WARM_UP * instance.workers);
  }
  const [load1 = 0] = loadavg();
  const rows: Row[] = [];
  const ratios: Ratio[] = [];
  for (const connections of CONNECTIONS) {
    const [first, ...others] = await rowsAt(connections);
    if (first === undefined) continue;
    rows.push(first, ...others);
    ratios.push(...others.map((row) => ratioOf(row, first)));
  }
  const peaks = peaksOf(rows);
  if (values.json)
    process.stdout.write(
      `${JSON.stringify({ rows, ratios, peaks, load: load1, cores: availableParallelism() })}\n`,
    );
  else print(rows, ratios, peaks, load1);
}

async function rowsAt(connections: number): Promise<Row[]> {
  const measured = instances.map((instance): { instance: Instance; turns: Turn[] } => ({
    instance,
    turns: [],
  }));
  for (let turn = 0; turn < TURNS; turn++)
    for (const { instance, turns } of measured) turns.push(await measure(instance, connections));
  return measured.map(({ instance: { workers }, turns }) => {
    const of = (figure: (turn: Turn) => number, digits = 0): number =>
      Number(middle(turns, figure).toFixed(digits));
    return {
      connections,
      workers,
      turns,
      perSecond: of(({ perSecond }) => perSecond),
      best: Math.round(Math.max(...turns.map(({ perSecond }) => perSecond))),
      sequencer: of(({ sequencer }) => sequencer),
      issuing: of(({ issuing }) => issuing),
      client: of(({ client }) => client),
      cores: of((one) => ((one.sequencer + one.issuing) * one.perSecond) / 1e6, 2),
      idle: of(({ idle }) => idle, 2),
      p50: of(({ p50 }) => p50, 1),
      p99: of(({ p99 }) => p99, 1),
    };
  });
}

function ratioOf(row: Row, first: Row): Ratio {
  const paired = row.turns
    .map(({ perSecond }, i) => perSecond / (first.turns[i]?.perSecond ?? Number.NaN))
    .sort((a, b) => a - b);
  const { connections, workers, sequencer, issuing } = row;
  const rounded = (n: number): number => Number(n.toFixed(2));
  return {
    connections,
    workers,
    measured: rounded(paired[Math.floor(paired.length / 2)] ?? Number.NaN),
    best: rounded(paired.at(-1) ?? Number.NaN),
    beside: rounded(beside(row, first)),
    projected: rounded(2e6 / (sequencer + issuing) / first.perSecond),
  };
}

/** The first needs none of what the client takes: it is held up by its main thread. */
function beside({ perSecond, client }: Row, first: Row): number {
  const cores = availableParallelism();
  return (perSecond * cores) / (cores - (client * perSecond) / 1e6) / first.perSecond;
}

/** The most issuances a second of each number of workers, at whatever number of connections that was. */
function peaksOf(rows: readonly Row[]): Row[] {
  const peaks = new Map<number, Row>();
  for (const row of rows)
    if (row.perSecond > (peaks.get(row.workers)?.perSecond ?? 0)) peaks.set(row.workers, row);
  return [...peaks.values()];
}

function print(rows: readonly Row[], ratios: readonly Ratio[], peaks: readonly Row[], load1: number): void {
  process.stdout.write(
    `${TURNS} turns of ${COUNT} issuances; ${availableParallelism()} cores, shared with the client; load before ${load1.toFixed(1)}\n\n`,
  );
  process.stdout.write(
    'connections  workers   issuances/s    best   sequencer us   issuing us   client us   cores    idle   p50 ms   p99 ms\n',
  );
  const widths = [11, 9, 14, 8, 15, 13, 12, 8, 8, 9, 9];
  for (const row of rows) {
    const cells = [
      row.connections,
      row.workers,
      row.perSecond,
      row.best,
      row.sequencer,
      row.issuing,
      row.client,
      row.cores,
      row.idle,
      row.p50,
      row.p99,
    ];
    process.stdout.write(`${cells.map((cell, i) => String(cell).padStart(widths[i] ?? 9)).join('')}\n`);
  }
  process.stdout.write('\n');
  for (const { connections, workers, measured, best, beside, projected } of ratios)
    process.stdout.write(
      `${workers} workers at ${connections} connections: ${measured} x the first (best turn ${best}) with the client on the same cores; ${beside} x with the client's part of them given back; ${projected} x by CPU for an issuance, were two cores free and never idle\n`,
    );
  const [first, ...others] = peaks;
  if (first === undefined) return;
  for (const peak of others) {
    const { workers, connections, perSecond } = peak;
    process.stdout.write(
      `${workers} workers at their peak (${perSecond}/s, ${connections} connections): ${(perSecond / first.perSecond).toFixed(2)} x the first at its own (${first.perSecond}/s, ${first.connections} connections); ${beside(peak, first).toFixed(2)} x with the client's part of the cores given back\n`,
    );
  }
}
