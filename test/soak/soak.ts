// npm run soak: an instance at 80 % of its peak while its configuration is read again, its CA is followed by the next, Redis
// goes and comes back, and an issuer is out. Every certificate is held against its chain, its SCT and the log; memory has
// to stay flat. Exits with 1 when anything was wrong. Options: --seconds N (600), --workers N (1), --json. Linux only.

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type BenchIssuer, createIssuer, makeBodies } from '../bench/requests.ts';
import { run, serve } from '../fakes/process.ts';
import { Promises } from '../fakes/promises.ts';
import { type RedisServer, startRedis } from '../fakes/redis.ts';
import { isInstalled } from '../fakes/skip.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: process.env['SOAK_SECONDS'] ?? '600' },
    workers: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
const SECONDS = Number(values.seconds);
const LANES = 32;
/** Issuances before the peak is measured, and in the measuring. */
const WARM_UP = 2_000;
const MEASURED = 2_000;
const MIB = 2 ** 20;
const SHARE_OF_PEAK = 0.8;
/** Distinct requests of an issuer; they are sent again and again. */
const POOL = 1_000;
/** Of all requests, those of the issuer that will be out. */
const EVERY = 5;
/** Milliseconds within which an issuer that is back has to be trusted again. */
const RECOVERY = 75_000;
/** Connections one after the other, which fall on the workers by chance, until all of them are held to know a key. */
const PROBES = Number(values.workers) === 1 ? 1 : 12 * Number(values.workers);
/** Refusals that are documented for tokens of an issuer whose keys cannot be fetched. */
const OUTAGE = new Set(['ISSUER_UNREACHABLE', 'KEY_ID_UNKNOWN', 'SIGNATURE_INVALID', 'RATE_LIMITED']);

interface ServedIssuer {
  readonly issuer: BenchIssuer;
  readonly bodies: Buffer[];
  server: Server;
  out: boolean;
}

const violations: string[] = [];
const violate = (what: string): void => {
  if (violations.length < 50) violations.push(what);
};
const events: string[] = [];
const began = performance.now();
const note = (what: string): void => {
  const line = `${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  ${what}`;
  events.push(line);
  if (!values.json) process.stdout.write(`${line}\n`);
};

const folder = mkdtempSync(join(tmpdir(), 'mayfly-soak-'));
const config = join(folder, 'mayfly.yaml');
const data = join(folder, 'data');
const [steady, shaky] = [await openIssuer(), await openIssuer()];
const redis: RedisServer | undefined = isInstalled('redis') ? await startRedis() : undefined;
if (redis === undefined)
  note('redis-server is not installed: limits are in memory, and nothing of Redis is tried');
configure('first');
const server = await serve(['--config', config, '--data', data]);
const promises = await Promises.of(server.url);
const agent = new Agent({ keepAlive: true, maxSockets: LANES });

interface Counts {
  issued: number;
  refused: number;
}
const counts: Counts = { issued: 0, refused: 0 };
const latencies: number[] = [];
const memory: { readonly at: number; readonly bytes: number }[] = [];
let next = 0;

try {
  await soak();
} catch (error) {
  violate(error instanceof Error ? `the run broke off: ${error.message}` : 'the run broke off');
} finally {
  agent.destroy();
  const { code, stderr } = await server.stop('SIGTERM');
  if (code !== 0) violate(`the instance ended with ${code}`);
  const bugs = stderr.split('\n').filter((line) => line.includes('answered with 500'));
  if (bugs.length > 0) violate(`answered with 500, ${bugs.length} times: ${bugs[0]}`);
  await redis?.stop();
  for (const { server: host } of [steady, shaky]) {
    host.close();
    host.closeAllConnections();
  }
  rmSync(folder, { recursive: true, force: true });
  tell();
  process.exitCode = violations.length === 0 ? 0 : 1;
}

async function openIssuer(): Promise<ServedIssuer> {
  const issuer = createIssuer();
  const served: ServedIssuer = { issuer, bodies: [], server: hostOf(issuer), out: false };
  served.server.listen(0, '127.0.0.1');
  await once(served.server, 'listening');
  issuer.url = `http://127.0.0.1:${(served.server.address() as AddressInfo).port}`;
  served.bodies.push(...makeBodies(issuer, POOL));
  return served;
}

function hostOf(issuer: BenchIssuer): Server {
  return createServer((incoming, response) => issuer.answer(incoming, response));
}

function configure(comment: string): void {
  const rate = { burst: 100_000_000, count: 100_000_000, period: '1h' };
  const entry = (name: string, { issuer }: ServedIssuer) => ({
    name,
    'issuer-url': issuer.url,
    audiences: ['sigstore'],
    type: 'github',
  });
  const settings = {
    workers: Number(values.workers),
    define: comment,
    issuers: [entry('steady', steady), entry('shaky', shaky)],
    'rate-limits': {
      ...(redis && { backend: 'redis', 'redis-url': redis.url }),
      defaults: {
        'certificates-per-identity': rate,
        'certificates-per-owner': rate,
        'certificates-per-issuer': rate,
      },
    },
  };
  writeFileSync(config, JSON.stringify(settings));
}

/** Sends one request; `since` is when it was due. */
async function one(since = performance.now()): Promise<void> {
  const n = next++;
  const from = n % EVERY === 0 ? shaky : steady;
  const body = from.bodies[n % POOL];
  if (body === undefined) return;
  const wasOut = from.out;
  const { status, text } = await post(body);
  latencies.push(performance.now() - since);
  if (status === 200) {
    counts.issued += 1;
    await taken(text);
    return;
  }
  counts.refused += 1;
  const reason = reasonIn(text);
  if ((wasOut || from.out) && OUTAGE.has(reason)) return;
  violate(
    `a request of the ${from === shaky ? 'shaky' : 'steady'} issuer was answered with ${status} ${reason}`,
  );
}

function reasonIn(text: string): string {
  return /"reason":"(\w+)"/.exec(text)?.[1] ?? text.slice(0, 100);
}

function taken(text: string): Promise<void> {
  const answer = JSON.parse(text) as {
    readonly signedCertificateEmbeddedSct: { readonly chain: { readonly certificates: string[] } };
  };
  return promises.take(answer.signedCertificateEmbeddedSct.chain.certificates);
}

/** On a connection of its own when the agent is false. */
function post(
  body: Buffer,
  through: Agent | false = agent,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    const url = `${server.url}/api/v2/signingCert`;
    const outgoing = request(url, { method: 'POST', agent: through, headers }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () =>
        resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function guarded(sent: Promise<void>): Promise<void> {
  return sent.catch((error: unknown) => violate(error instanceof Error ? error.message : 'a request failed'));
}

/** As fast as it goes; returns requests a second. */
async function flatOut(count: number): Promise<number> {
  const started = performance.now();
  let left = count;
  await Promise.all(
    Array.from({ length: LANES }, async () => {
      while (left-- > 0) await guarded(one());
    }),
  );
  return (count * 1000) / (performance.now() - started);
}

async function soak(): Promise<void> {
  await flatOut(WARM_UP);
  const peak = await flatOut(MEASURED);
  const rate = SHARE_OF_PEAK * peak;
  note(
    `peak ${Math.round(peak)} issuances a second, verified by the client on the same machine; now ${Math.round(rate)}`,
  );
  latencies.length = 0;
  const started = performance.now();
  const ends = started + SECONDS * 1000;
  const watching = setInterval(
    () => memory.push({ at: performance.now() - started, bytes: resident() }),
    500,
  );
  const happening = disturb(started);
  const flying = new Set<Promise<void>>();
  let due = started;
  while (performance.now() < ends) {
    const now = performance.now();
    for (; due <= now; due += 1000 / rate) {
      if (flying.size >= 4 * LANES) break; // it is told by the latency of those that follow
      const sent = guarded(one(due)).finally(() => flying.delete(sent));
      flying.add(sent);
    }
    await pause(4);
  }
  await Promise.all(flying);
  await happening;
  clearInterval(watching);
  await flatOut(200); // all is well again
  const size = await promises.settle();
  note(`the log has ${size} entries, and all ${promises.size} that were promised`);
  if (promises.chains !== 2) violate(`certificates came from ${promises.chains} CAs, of which there were 2`);
  checkMemory();
}

/** What happens meanwhile, at parts of the whole time. */
async function disturb(started: number): Promise<void> {
  const at = async (part: number, what: () => void | Promise<void>): Promise<void> => {
    await pause(Math.max(0, started + part * SECONDS * 1000 - performance.now()));
    try {
      await what();
    } catch (error) {
      violate(error instanceof Error ? error.message : 'a disturbance failed');
    }
  };
  const reload = async (comment: string): Promise<void> => {
    const before = times(/configuration read again and in force/g);
    configure(comment);
    server.child.kill('SIGHUP');
    await until(() => times(/configuration read again and in force/g) > before, 'a reload');
    note(`configuration read again (${comment})`);
  };
  const rotate = async (...words: string[]): Promise<void> => {
    const where = ['--config', config, '--data', data];
    const { code, stderr } = await run(['ca', 'rotate', ...words, ...where]);
    if (code !== 0) throw new Error(`ca rotate ended with ${code}: ${stderr}`);
    note(['ca rotate', ...words].join(' '));
  };
  const restartRedis = async (): Promise<void> => {
    if (redis === undefined) return;
    await redis.kill();
    await pause(Math.min(3_000, SECONDS * 20));
    await redis.restart();
    note('Redis was killed, and is back');
  };
  await at(0.1, () => reload('one'));
  await at(0.2, restartRedis);
  await at(0.3, () => rotate());
  await at(0.38, () => rotate('--activate'));
  await at(0.45, async () => {
    const before = times(/the one before stays in force/g);
    writeFileSync(config, '{ "issuers": 7 }');
    server.child.kill('SIGHUP');
    await until(() => times(/the one before stays in force/g) > before, 'a refused reload');
    note('a configuration with a mistake was refused');
  });
  await at(0.5, () => reload('two'));
  await at(0.55, goOut);
  await at(0.65, comeBack);
  await at(0.75, restartRedis);
  await at(0.85, () => reload('three'));
}

/** The issuer signs with new keys, and nobody can fetch them. */
async function goOut(): Promise<void> {
  shaky.out = true;
  shaky.server.close();
  shaky.server.closeAllConnections();
  await once(shaky.server, 'close');
  const renewed = createIssuer('renewed');
  renewed.url = shaky.issuer.url;
  shaky.bodies.splice(0, POOL / 2, ...makeBodies(renewed, POOL / 2));
  shaky.server = createServer((incoming, response) => renewed.answer(incoming, response, [shaky.issuer.jwk]));
  note('an issuer is out, and signs half of its tokens with a new key');
  const { status, text } = await post(shaky.bodies[0] ?? Buffer.alloc(0));
  if (status !== 400 || !OUTAGE.has(reasonIn(text))) throw new Error(`an issuer is out: ${status} ${text}`);
  counts.refused += 1;
}

async function comeBack(): Promise<void> {
  shaky.server.listen(Number(new URL(shaky.issuer.url).port), '127.0.0.1');
  await once(shaky.server, 'listening');
  note('the issuer is back');
  // Whom nobody could reach is asked again after a while that grows to a minute, by each worker for itself.
  const since = performance.now();
  for (let known = 0; known < PROBES; ) {
    const { status, text } = await post(shaky.bodies[0] ?? Buffer.alloc(0), false);
    if (status === 200) {
      await taken(text);
      known += 1;
      continue;
    }
    if (performance.now() - since > RECOVERY)
      throw new Error('the issuer is back, and its tokens are still refused');
    known = 0;
    await pause(200);
  }
  note(`its new key is known after ${((performance.now() - since) / 1000).toFixed(1)} s`);
  shaky.out = false;
}

function times(pattern: RegExp): number {
  return server.output.stderr.match(pattern)?.length ?? 0;
}

async function until(done: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!done()) {
    if (performance.now() > deadline) throw new Error(`${what} did not come to an end within 30 s`);
    await pause(20);
  }
}

/** Bytes of the process that was started and of its workers. */
function resident(): number {
  const { pid = 0 } = server.child;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  const all = [pid, ...(children === '' ? [] : children.split(' ').map(Number))];
  return all.reduce((sum, one) => {
    const pages = Number(readFileSync(`/proc/${one}/statm`, 'utf8').split(' ')[1]);
    return sum + pages * 4096;
  }, 0);
}

/** Medians of the second and the last quarter. */
function trend(): { readonly early: number; readonly late: number } {
  const middle = (from: number, to: number): number => {
    const part = memory
      .filter(({ at }) => at >= from * SECONDS * 1000 && at < to * SECONDS * 1000)
      .map(({ bytes }) => bytes)
      .sort((a, b) => a - b);
    return (part[Math.floor(part.length / 2)] ?? Number.NaN) / MIB;
  };
  return { early: middle(0.25, 0.5), late: middle(0.75, 1) };
}

/** The heap takes minutes to find its size: a short run only finds leaks of kilobytes for each issuance. */
function checkMemory(): void {
  const { early, late } = trend();
  const allowed = SECONDS >= 300 ? early * 1.1 + 24 : early * 1.25 + 96;
  if (!(late <= allowed))
    violate(
      `memory grew from ${Math.round(early)} to ${Math.round(late)} MiB, and ${Math.round(allowed)} were allowed`,
    );
}

function tell(): void {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (q: number): number => Number((sorted[Math.floor(sorted.length * q)] ?? Number.NaN).toFixed(1));
  const { early, late } = trend();
  const result = {
    seconds: SECONDS,
    workers: Number(values.workers),
    ...counts,
    p50: at(0.5),
    p99: at(0.99),
    memory: { early: Math.round(early), late: Math.round(late) },
    violations,
  };
  if (values.json) process.stdout.write(`${JSON.stringify({ ...result, events })}\n`);
  else {
    process.stdout.write(
      `\n${counts.issued} certificates, ${counts.refused} documented or wrong refusals; p50 ${result.p50} ms, p99 ${result.p99} ms from when a request was due; memory ${result.memory.early} MiB in the second quarter, ${result.memory.late} in the last\n`,
    );
    for (const violation of violations) process.stdout.write(`WRONG  ${violation}\n`);
    process.stdout.write(violations.length === 0 ? 'Nothing was wrong.\n' : '');
  }
}
