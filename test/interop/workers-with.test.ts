// Several issuing processes of the real command together with each other part that an instance can have.

import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { createIntermediate, createRoot } from '../../src/certificate/ca-certificate.ts';
import { readLeaf } from '../../src/certificate/leaf.ts';
import { instantOf } from '../../src/clock.ts';
import { encodePem } from '../../src/encoding/pem.ts';
import { makeEcdsaKey } from '../../src/node/keys/new-ca.ts';
import { sha256 } from '../../src/node/system/native-digest.ts';
import { nativeRandom as random } from '../../src/node/system/native-random.ts';
import { nativeSigner } from '../../src/node/system/native-signer.ts';
import { type Answer, send } from '../fakes/client.ts';
import { startCtLog } from '../fakes/ct-log.ts';
import { chainIn, GrpcClient, messageOf } from '../fakes/grpc-client.ts';
import { entryOf } from '../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import { startCollector } from '../fakes/otlp.ts';
import { FREE_PORTS, type RunningServer, run, serve } from '../fakes/process.ts';
import { type RedisServer, startRedis } from '../fakes/redis.ts';
import { buildVersitygw, startS3 } from '../fakes/s3.ts';
import { overHttp1 } from '../fakes/secure-client.ts';
import { issuedBy, orderMessage, request } from '../fakes/signing-client.ts';
import { describeWith } from '../fakes/skip.ts';
import { newTlsAuthority } from '../fakes/tls.ts';
import { TOKEN, Transit } from '../fakes/transit.ts';

/** Connections that make it all but certain that each of two workers gets some. */
const MANY = 16;
const AWHILE = { timeout: 20_000, interval: 50 };

let people: FakeIssuer;
let folder: string;
let stack: AsyncDisposableStack;

beforeAll(async () => {
  people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
});
afterAll(() => people.close());
beforeEach(() => {
  stack = new AsyncDisposableStack();
  folder = mkdtempSync(join(tmpdir(), 'mayfly-workers-with-'));
  stack.defer(() => rmSync(folder, { recursive: true }));
});
afterEach(() => stack.disposeAsync());

function put(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

const where = (): string[] => ['--config', join(folder, 'mayfly.yaml'), '--data', join(folder, 'data')];

async function serving(settings: object, env: Record<string, string> = {}): Promise<RunningServer> {
  const issuers = [entryOf({ issuer: people, type: 'email' })];
  put('mayfly.yaml', stringify({ workers: 2, 'rate-limits': 'off', issuers, ...settings }));
  const server = await serve(where(), { env });
  stack.defer(async () => void (await server.stop('SIGKILL')));
  return server;
}

const times = <T>(count: number, work: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => work(i)));

/** Each on a connection of its own. */
const askOften = ({ url }: RunningServer, count = MANY): Promise<Answer[]> =>
  times(count, async () => request(url, { token: await people.sign() }));

const statusesOf = (answers: readonly Answer[]): number[] => [
  ...new Set(answers.map(({ status }) => status)),
];

async function metric({ metricsUrl }: RunningServer, line: string): Promise<number | undefined> {
  return metricIn(await (await fetch(metricsUrl)).text(), line);
}

function metricIn(text: string, line: string): number | undefined {
  const found = text.split('\n').find((one) => one.startsWith(`${line} `));
  return found === undefined ? undefined : Number(found.slice(line.length + 1));
}

/** All are answered by whoever they reach, it is counted once, and everything ends in good order. */
async function issues(server: RunningServer): Promise<readonly Answer[]> {
  const answers = await askOften(server);
  expect(statusesOf(answers)).toEqual([200]);
  expect(await metric(server, 'fulcio_new_certs')).toBe(MANY);
  const ready = await times(MANY, () => send(server.url, '/readyz'));
  expect(statusesOf(ready)).toEqual([200]);
  return answers;
}

async function ends(server: RunningServer): Promise<void> {
  const { code, stderr } = await server.stop('SIGTERM');
  expect([code, stderr.split('\n').filter((line) => /"level":50/.test(line))]).toEqual([0, []]);
}

/** An intermediate for that key under a root whose key is thrown away; PEM. */
async function chainFor(key: KeyObject): Promise<string> {
  const creation = { random, sha256, now: instantOf(Date.now()) };
  const signer = nativeSigner(makeEcdsaKey());
  const certificate = await createRoot({ organization: 'Example', commonName: 'root' }, signer, creation);
  const spki = new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }));
  const parent = { certificate, signer };
  const ca = await createIntermediate(
    { organization: 'Example', commonName: 'kept' },
    spki,
    parent,
    creation,
  );
  return [ca, certificate].map((der) => encodePem('CERTIFICATE', der)).join('');
}

/** Of which CA, and that it has signed. */
function authorityOf(answer: Answer): string {
  const { leaf, authority } = issuedBy(answer);
  expect(leaf.x509.verify(authority.x509.publicKey)).toBe(true);
  return authority.x509.subject;
}

test('TLS and client certificates, and new ones while it runs, on REST and gRPC', async () => {
  const [authority, clients] = await Promise.all([newTlsAuthority(), newTlsAuthority('clients')]);
  const [first, second, own] = [await authority.issue(), await authority.issue(), await clients.issue()];
  const certificate = put('cert.pem', first.cert);
  const key = put('key.pem', first.key);
  const clientCa = put('clients.pem', clients.cert);
  const server = await serving({
    tls: { certificate, key, 'client-ca': clientCa },
    'grpc-tls-certificate': certificate,
    'grpc-tls-key': key,
    'grpc-tls-client-ca': clientCa,
  });
  const shown = (credentials = own, path = '/healthz'): Promise<readonly [number, string]> => {
    const client = overHttp1(server.url, { ca: authority.cert, ...credentials });
    stack.defer(() => client.close());
    return people
      .sign()
      .then((token) => (path === '/healthz' ? client.send(path) : client.send(path, orderMessage({ token }))))
      .then(({ status }) => [status, client.fingerprint()]);
  };
  const issued = await times(MANY, () => shown(own, '/api/v2/signingCert'));
  const print = (pem: string): string => new X509Certificate(pem).fingerprint256;
  for (const one of issued) expect(one).toEqual([200, print(first.cert)]);
  const stranger = await (await newTlsAuthority('clients')).issue();
  for (const one of await Promise.allSettled([1, 2, 3, 4].map(() => shown(stranger))))
    expect(one.status).toBe('rejected');

  put('cert.pem', second.cert);
  put('key.pem', second.key);
  await vi.waitFor(async () => {
    for (const one of await times(MANY, () => shown())) expect(one).toEqual([200, print(second.cert)]);
  }, AWHILE);
  const { grpc } = JSON.parse(/^\{.*"msg":"ready"\}$/m.exec(server.output.stderr)?.[0] ?? '{}') as {
    readonly grpc: string;
  };
  await times(4, async () => {
    const client = new GrpcClient(grpc.replace('127.0.0.1', 'localhost'), authority.cert, own); // grpc-js takes no address
    expect(chainIn(await client.sign(messageOf({ token: await people.sign() })))).toHaveLength(3);
  });
  expect(await metric(server, 'mayfly_tls_not_after_seconds{listener="REST"}')).toBe(
    new X509Certificate(second.cert).validToDate.getTime() / 1000,
  );
  expect((await server.stop()).code).toBe(0);
});

const MODULE = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib64/pkcs11/libsofthsm2.so'].find(existsSync);

describeWith('softhsm2', 'a CA key in SoftHSM2', () => {
  test('has a session in each process, and a new one after a worker was killed', async () => {
    const tokens = join(folder, 'tokens');
    mkdirSync(tokens);
    const conf = put('softhsm2.conf', `directories.tokendir = ${tokens}\nobjectstore.backend = file\n`);
    const env = { SOFTHSM2_CONF: conf };
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = put('ca.key', String(privateKey.export({ format: 'pem', type: 'pkcs8' })));
    const util = (...args: string[]): unknown =>
      execFileSync('softhsm2-util', args, { stdio: 'ignore', env: { ...process.env, ...env } });
    util('--init-token', '--free', '--label', 'mayfly', '--pin', '73519', '--so-pin', '99999');
    util('--import', pem, '--token', 'mayfly', '--label', 'ca', '--id', 'A1', '--pin', '73519');
    const pkcs11 = { module: MODULE, token: 'mayfly', 'pin-file': put('pin', '73519\n'), 'key-label': 'ca' };
    const server = await serving(
      { ca: { chain: put('chain.pem', await chainFor(privateKey)), pkcs11 } },
      env,
    );
    for (const answer of await issues(server)) expect(authorityOf(answer)).toContain('CN=kept');
    const [worker] = workersOf(server);
    process.kill(worker ?? 0, 'SIGKILL');
    await vi.waitFor(async () => {
      expect(workersOf(server)).not.toContain(worker);
      expect(await metric(server, 'mayfly_workers')).toBe(2);
    }, AWHILE);
    expect(statusesOf(await askOften(server))).toEqual([200]);
    expect((await server.stop()).code).toBe(0);
  });
});

function workersOf({ child }: RunningServer): number[] {
  const args = ['--ppid', String(child.pid), '-o', 'pid=,args='];
  const lines = execFileSync('ps', args, { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => (/ worker$/.test(line) ? [Number.parseInt(line, 10)] : []));
}

describeWith('openssl', 'a CA key in Transit', () => {
  test('is asked by each process', async () => {
    const transit = new Transit(folder);
    await transit.listen();
    stack.defer(() => transit.close());
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    transit.versions.push(privateKey);
    const vault = { url: transit.url, key: 'ca', 'token-file': put('token', `${TOKEN}\n`), timeout: '10s' };
    const server = await serving({ ca: { chain: put('chain.pem', await chainFor(privateKey)), vault } });
    for (const answer of await issues(server)) expect(authorityOf(answer)).toContain('CN=kept');
    transit.behaviour = 'sealed';
    expect(statusesOf(await askOften(server, 6))).toEqual([503]);
    expect((await server.stop()).code).toBe(0);
  });
});

describeWith('go', 'a log in a bucket', () => {
  beforeAll(buildVersitygw, 300_000);

  test('has one writer, and is read through any worker', async () => {
    const s3 = await startS3();
    stack.defer(() => s3.stop());
    const { endpoint, bucket, region, credentials } = s3;
    const server = await serving(
      { log: { s3: { endpoint, bucket, region } } },
      { AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey },
    );
    await issues(server);
    await vi.waitFor(async () => {
      const heads = await times(8, () => send(server.url, '/log/ct/v1/get-sth'));
      for (const { json } of heads) expect(json).toMatchObject({ tree_size: MANY });
    }, AWHILE);
    await ends(server);
    expect(readdirSync(s3.folder)).toContain('identity'); // nothing of it in the data folder
    expect(existsSync(join(folder, 'data', 'log', 'tree'))).toBe(false);
  });
});

/** By the name that Mayfly gives its connections. */
async function connectionsTo({ admin }: RedisServer): Promise<number> {
  const clients = String(await admin.call('CLIENT', 'LIST'));
  return clients.split('\n').filter((line) => / name=mayfly /.test(line)).length;
}

describeWith('redis', 'limits in Redis', () => {
  test('at an address that cannot be used are a sentence at the start', async () => {
    const issuers = [entryOf({ issuer: people, type: 'email' })];
    const limits = { backend: 'redis', 'redis-url': 'redis://127.0.0.1:6379/not-a-number' };
    put('mayfly.yaml', stringify({ workers: 2, 'rate-limits': limits, issuers }));
    const { code, stderr } = await run(['serve', ...FREE_PORTS, ...where()]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^mayfly: rate-limits.redis-url cannot be used/m),
    ]);
  });

  test('hold over all processes, and over the end of one', async () => {
    const redis = await startRedis();
    stack.defer(() => redis.stop());
    const limit = { burst: 25, count: 1, period: '24h' };
    const server = await serving({
      'rate-limits': {
        backend: 'redis',
        'redis-url': redis.url,
        'on-backend-error': 'closed',
        defaults: { 'certificates-per-identity': limit },
      },
    });
    const answers = await askOften(server, 60);
    const count = (status: number): number => answers.filter((one) => one.status === status).length;
    expect([count(200), count(429)]).toEqual([25, 35]);
    expect(await metric(server, 'mayfly_ratelimit_backend_up')).toBe(1);
    expect(await connectionsTo(redis)).toBe(2); // one of each worker; the sequencer admits nobody
    for (const pid of workersOf(server)) process.kill(pid, 'SIGKILL');
    await vi.waitFor(async () => expect(await metric(server, 'mayfly_workers')).toBe(2), AWHILE);
    await vi.waitFor(async () => expect(statusesOf(await askOften(server, 8))).toEqual([429]), AWHILE);
    await redis.kill();
    expect(statusesOf(await askOften(server, 8))).toEqual([503]);
    expect(await metric(server, 'mayfly_ratelimit_backend_up')).toBe(0);
    const lost = /Redis does not answer/g;
    await vi.waitFor(async () => {
      expect(statusesOf(await askOften(server, 8))).toEqual([503]); // each process notices when it is asked
      expect(server.output.stderr.match(lost)).toHaveLength(2);
    }, AWHILE);
    expect((await send(new URL(server.metricsUrl).origin, '/readyz')).status).toBe(200);
    await redis.restart();
    await vi.waitFor(async () => expect(statusesOf(await askOften(server, 8))).toEqual([200]), AWHILE);
    expect(await metric(server, 'mayfly_ratelimit_backend_up')).toBe(1);
    expect((await server.stop()).code).toBe(0);
  });
});

test('role ca: each process posts to the log elsewhere, and embeds its SCT', async () => {
  const log = await startCtLog();
  stack.defer(() => log.close());
  const publicKey = put('log.pem', log.publicKey);
  const server = await serving({
    role: 'ca',
    log: { url: log.url, 'public-key': { file: publicKey }, deadline: '5s' },
  });
  const answers = await issues(server);
  for (const answer of answers)
    expect(readLeaf(new Uint8Array(issuedBy(answer).leaf.der)).scts).toHaveLength(1);
  expect(log.submissions).toHaveLength(MANY);
  const roots = await times(8, () => send(server.url, '/.well-known/mayfly/trusted_root.json'));
  for (const { json } of roots) expect(json).toMatchObject({ ctlogs: [{ baseUrl: log.url }] });
  expect((await send(server.url, '/log/checkpoint')).status).toBe(404);
  log.behaviour = 'down';
  expect(statusesOf(await askOften(server, 6))).toEqual([503]);
  expect((await server.stop()).code).toBe(0);
});

test('traces: one span for each request, whoever answered it, under what the client began', async () => {
  const collector = await startCollector();
  stack.defer(() => collector.close());
  const server = await serving({ tracing: { endpoint: collector.url } });
  await issues(server);
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01`, 'x-request-id': 'req-9' };
  for (let i = 0; i < 4; i++)
    expect((await send(server.url, '/log/checkpoint', { headers })).headers['x-request-id']).toBe('req-9');
  const own = (await send(server.url, '/log/checkpoint')).headers['x-request-id'];
  expect((await server.stop()).code).toBe(0);
  const roots = collector.spans.filter(({ kind }) => kind === 2);
  expect(roots.filter(({ name }) => name === 'POST /api/v2/signingCert')).toHaveLength(MANY);
  expect(roots.filter((span) => span.traceId === traceId).map(({ name }) => name)).toEqual(
    Array.from({ length: 4 }, () => expect.stringMatching(/^GET \/log/)),
  );
  // By the id in the answer an operator finds the span.
  expect(roots.filter(({ attributes }) => attributes['mayfly.request_id'] === own)).toHaveLength(1);
});

test('an issuer that is frozen is stopped at all of them without a signal, and comes back', async () => {
  const server = await serving({});
  expect(statusesOf(await askOften(server))).toEqual([200]);
  expect((await run(['issuer', 'freeze', people.url, ...where()])).code).toBe(0);
  await vi.waitFor(async () => expect(statusesOf(await askOften(server))).toEqual([400]), AWHILE);
  expect((await run(['issuer', 'unfreeze', people.url, ...where()])).code).toBe(0);
  await vi.waitFor(async () => expect(statusesOf(await askOften(server))).toEqual([200]), AWHILE);
  await ends(server);
});

test('explain, the listing of issuers and a required audit line, whichever process is asked', async () => {
  const audit = join(folder, 'audit.jsonl');
  const server = await serving({
    explain: { bearer: { file: put('explain.token', 'a-token-of-twenty-letters-and-more\n') } },
    audit: { file: audit, required: true },
  });
  await issues(server);
  const ask = async (bearer: string): Promise<Answer> =>
    send(server.url, '/api/mayfly/v1/explain', {
      method: 'POST',
      headers: { authorization: `Bearer ${bearer}` },
      body: JSON.stringify({ token: await people.sign() }),
    });
  const told = await times(MANY, () => ask('a-token-of-twenty-letters-and-more'));
  expect(statusesOf(told)).toEqual([200]);
  for (const { text } of told) expect(text).toContain('dana@example.org');
  expect(statusesOf(await times(8, () => ask('another')))).toEqual([401]);
  const listings = await times(8, () => send(server.url, '/api/v2/configuration'));
  for (const { json } of listings) expect(json).toMatchObject({ issuers: [{ issuerUrl: people.url }] });
  await ends(server);
});

describe('metrics', () => {
  test('are sums over the processes, and of what each process is there is one', async () => {
    const server = await serving({});
    await issues(server);
    for (const token of ['nonsense', 'more nonsense'])
      expect((await request(server.url, { token })).status).toBe(400);
    await times(8, () => send(server.url, '/log/checkpoint'));
    const text = await (await fetch(server.metricsUrl)).text();
    const told = (line: string): number | undefined => metricIn(text, line);
    expect(told('fulcio_new_certs')).toBe(MANY);
    expect(told('http_requests_total{code="400",method="post"}')).toBe(2);
    expect(told('http_requests_total{code="200",method="post"}')).toBe(MANY);
    expect(told('http_requests_total{code="200",method="get"}')).toBe(MANY + 8);
    expect(told('mayfly_workers')).toBe(2);
    for (const one of ['mayfly_log_up', 'mayfly_config_last_reload_success', 'mayfly_rotation_last_success'])
      expect([one, told(one)]).toEqual([one, 1]);
    await ends(server);
  });
});
