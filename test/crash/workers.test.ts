// Workers of the real command, killed and told things under load: nothing that was answered is lost, and limits hold over all.

import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { type Answer, send } from '../fakes/client.ts';
import { GrpcClient } from '../fakes/grpc-client.ts';
import { entryOf } from '../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import { FREE_PORTS, type RunningServer, run, serve, start, unreachable } from '../fakes/process.ts';
import { Promises } from '../fakes/promises.ts';
import { chainOf, pemOf, proofOf, request } from '../fakes/signing-client.ts';

const AWHILE = { timeout: 20_000, interval: 50 };

let people: FakeIssuer;
let others: FakeIssuer;
let folder: string;
let config: string;
let servers: RunningServer[];

beforeAll(async () => {
  people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
  others = await startIssuer({ claims: { email: 'kim@example.org', email_verified: true } });
});
afterAll(() => Promise.all([people.close(), others.close()]));
beforeEach(() => {
  servers = [];
  folder = mkdtempSync(join(tmpdir(), 'mayfly-workers-'));
  config = join(folder, 'mayfly.yaml');
});
afterEach(async () => {
  await Promise.all(servers.map((server) => server.stop('SIGKILL')));
  rmSync(folder, { recursive: true });
});

function configure(settings: object = {}, issuers: readonly FakeIssuer[] = [people]): void {
  const entries = issuers.map((issuer) => entryOf({ issuer, type: 'email' }));
  writeFileSync(config, stringify({ workers: 2, 'rate-limits': 'off', ...settings, issuers: entries }));
}

async function serving(...args: readonly string[]): Promise<RunningServer> {
  const server = await serve(['--config', config, '--data', join(folder, 'data'), ...args]);
  servers.push(server);
  return server;
}

const ask = async ({ url }: RunningServer, issuer = people): Promise<Answer> =>
  request(url, { token: await issuer.sign() });

/** Each on a connection of its own, so that both workers get some. */
const askOften = (server: RunningServer, count: number, issuer = people): Promise<Answer[]> =>
  Promise.all(Array.from({ length: count }, () => ask(server, issuer)));

const statusesOf = (answers: readonly Answer[]): number[] => [
  ...new Set(answers.map(({ status }) => status)),
];

function workersOf({ child }: RunningServer): number[] {
  const children = execFileSync('ps', ['--ppid', String(child.pid), '-o', 'pid=,args='], {
    encoding: 'utf8',
  });
  return children.split('\n').flatMap((line) => (/ worker$/.test(line) ? [Number.parseInt(line, 10)] : []));
}

/** One that nobody has waited for yet has ended all the same. */
function isRunning(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return /^\s*[^Z\s]/.test(stdout);
}

async function metric({ metricsUrl }: RunningServer, line: string): Promise<number> {
  const text = await (await fetch(metricsUrl)).text();
  const found = text.split('\n').find((one) => one.startsWith(`${line} `));
  return found === undefined ? 0 : Number(found.slice(line.length + 1));
}

const AHEAD = 'mayfly_workers';

/** Asks without a pause on several connections until it is stopped. */
function load(server: RunningServer, lanes = 8) {
  const answers: Answer[] = [];
  const broken: unknown[] = [];
  let stopped = false;
  const running = Array.from({ length: lanes }, async () => {
    while (!stopped)
      await ask(server).then(
        (answer) => answers.push(answer),
        (failure: unknown) => broken.push(failure),
      );
  });
  return {
    answers,
    broken,
    async reach(count: number) {
      await vi.waitFor(() => expect(answers.length).toBeGreaterThan(count), AWHILE);
    },
    async stop() {
      stopped = true;
      await Promise.all(running);
    },
  };
}

async function keep(promises: Promises, answers: readonly Answer[]): Promise<void> {
  for (const answer of answers) if (answer.status === 200) await promises.take(chainOf(answer));
}

describe('a worker that is killed', () => {
  test('is replaced, the others go on, and everything answered is in the log', {
    timeout: 120_000,
  }, async () => {
    configure();
    const server = await serving();
    const promises = await Promises.of(server.url);
    const before = workersOf(server);
    expect(before).toHaveLength(2);
    const traffic = load(server);
    for (let kill = 1; kill <= 3; kill++) {
      await traffic.reach(traffic.answers.length + 40);
      const counted = await metric(server, 'fulcio_new_certs');
      const [victim = 0] = workersOf(server);
      process.kill(victim, 'SIGKILL');
      await vi.waitFor(async () => {
        expect(await metric(server, AHEAD)).toBe(2);
        expect(workersOf(server)).not.toContain(victim);
      }, AWHILE);
      expect(await metric(server, 'mayfly_worker_exits_total{reason="ended"}')).toBe(kill);
      expect(await metric(server, 'fulcio_new_certs')).toBeGreaterThanOrEqual(counted);
    }
    await traffic.reach(traffic.answers.length + 40);
    await traffic.stop();
    expect(statusesOf(traffic.answers)).toEqual([200]);
    await keep(promises, traffic.answers);
    expect(promises.size).toBe(traffic.answers.length);
    expect(await promises.settle()).toBeGreaterThanOrEqual(promises.size);
    expect(server.output.stderr).toMatch(/"worker":[12],"how":"SIGKILL".*it is replaced/);
    expect((await server.stop()).code).toBe(0);
  });

  test('and all the others with it: the metrics port says that nobody issues, until somebody does', async () => {
    configure();
    const server = await serving();
    const ready = () => send(new URL(server.metricsUrl).origin, '/readyz');
    expect((await ready()).status).toBe(200);
    for (const pid of workersOf(server)) process.kill(pid, 'SIGKILL');
    await vi.waitFor(
      async () =>
        expect(await ready()).toMatchObject({
          status: 503,
          json: { reasons: [{ component: 'workers', reason: 'no issuing process serves' }] },
        }),
      AWHILE,
    );
    await vi.waitFor(async () => expect((await ready()).status).toBe(200), AWHILE);
  }, 60_000);

  test('together with all the others, again and again under load, loses nothing that was answered', {
    timeout: 120_000,
  }, async () => {
    configure();
    const server = await serving();
    const promises = await Promises.of(server.url);
    const traffic = load(server);
    for (let kill = 1; kill <= 3; kill++) {
      await traffic.reach(traffic.answers.length + 40);
      const victims = workersOf(server);
      expect(victims).toHaveLength(2);
      for (const pid of victims) process.kill(pid, 'SIGKILL');
      await vi.waitFor(async () => {
        expect(await metric(server, 'mayfly_worker_exits_total{reason="ended"}')).toBe(2 * kill);
        expect(await metric(server, AHEAD)).toBe(2);
      }, AWHILE);
    }
    await traffic.reach(traffic.answers.length + 40);
    await traffic.stop();
    expect(statusesOf(traffic.answers)).toEqual([200]);
    await keep(promises, traffic.answers);
    expect(await promises.settle()).toBeGreaterThanOrEqual(promises.size);
    expect((await server.stop()).code).toBe(0);
  });

  test('does not outlive its sequencer, and what was answered is there after the next start', {
    timeout: 60_000,
  }, async () => {
    configure();
    const first = await serving('--port', '0');
    const promises = await Promises.of(first.url);
    const workers = workersOf(first);
    const traffic = load(first);
    await traffic.reach(60);
    await first.stop('SIGKILL');
    const late = await Promise.allSettled(Array.from({ length: 8 }, () => ask(first))); // nobody can promise any more
    expect(late.filter((one) => one.status === 'fulfilled' && one.value.status === 200)).toEqual([]);
    await traffic.stop();
    await unreachable(first.url);
    await vi.waitFor(() => expect(workers.filter(isRunning)).toEqual([]), AWHILE);
    await keep(promises, traffic.answers);
    expect(promises.size).toBeGreaterThan(60);
    configure({ workers: 1, port: Number(new URL(first.url).port) });
    await serving('--port', new URL(first.url).port);
    await promises.settle();
  });
});

describe('a worker that hangs', () => {
  test('is killed and replaced, and the others go on', { timeout: 120_000 }, async () => {
    configure();
    const server = await serving();
    const promises = await Promises.of(server.url);
    const traffic = load(server);
    await traffic.reach(60);
    const [victim = 0] = workersOf(server);
    process.kill(victim, 'SIGSTOP');
    await vi.waitFor(
      async () => expect(await metric(server, 'mayfly_worker_exits_total{reason="hung"}')).toBe(1),
      { timeout: 60_000, interval: 500 },
    );
    await vi.waitFor(async () => expect(await metric(server, AHEAD)).toBe(2), AWHILE);
    expect(workersOf(server)).not.toContain(victim);
    await traffic.reach(traffic.answers.length + 40);
    await traffic.stop();
    expect(traffic.broken.length).toBeGreaterThan(0); // which would have waited for ever
    expect(statusesOf(traffic.answers)).toEqual([200]);
    await keep(promises, traffic.answers);
    await promises.settle();
    expect(server.output.stderr).toMatch(
      /"worker":\d,"msg":"an issuing process does not answer; it is killed"/,
    );
    expect((await server.stop()).code).toBe(0);
  });

  test('does not keep the instance from its end, and the log is whole', { timeout: 120_000 }, async () => {
    configure();
    const server = await serving();
    const promises = await Promises.of(server.url);
    const workers = workersOf(server);
    const traffic = load(server);
    await traffic.reach(60);
    process.kill(workers[0] ?? 0, 'SIGSTOP');
    const { code, signal } = await server.stop('SIGTERM');
    await traffic.stop();
    expect([code, signal]).toEqual([0, null]);
    expect(workers.filter(isRunning)).toEqual([]);
    expect(statusesOf(traffic.answers)).toEqual([200]);
    await keep(promises, traffic.answers);
    configure({ workers: 1 });
    await serving('--port', new URL(server.url).port);
    await promises.settle();
  });

  test('does not outlive its sequencer either: a second signal, or one that kills', {
    timeout: 120_000,
  }, async () => {
    configure();
    const first = await serving();
    const [stopped = 0, other = 0] = workersOf(first);
    process.kill(stopped, 'SIGSTOP');
    first.child.kill('SIGTERM');
    await vi.waitFor(() => expect(isRunning(other)).toBe(false), AWHILE);
    const { code } = await first.stop('SIGTERM');
    expect(code).toBe(1);
    await vi.waitFor(() => expect(isRunning(stopped)).toBe(false), AWHILE);

    const second = await serving();
    const [another = 0] = workersOf(second);
    process.kill(another, 'SIGSTOP');
    const killed = once(second.child, 'exit'); // the one that is stopped holds its pipes
    second.child.kill('SIGKILL');
    await killed;
    process.kill(another, 'SIGCONT');
    await vi.waitFor(() => expect(isRunning(another)).toBe(false), AWHILE);
  });
});

describe('over all workers together', () => {
  test('a burst is granted exactly', async () => {
    configure({
      'rate-limits': { defaults: { 'certificates-per-identity': { burst: 25, count: 1, period: '24h' } } },
    });
    const server = await serving();
    const answers = await askOften(server, 80);
    const [granted, limited] = [200, 429].map((code) => answers.filter(({ status }) => status === code));
    expect([granted?.length, limited?.length]).toEqual([25, 55]);
    expect(limited?.[0]?.headers['retry-after']).toMatch(/^\d+$/);
    expect(await metric(server, 'fulcio_new_certs')).toBe(25);
    expect(await metric(server, 'http_requests_total{code="429",method="post"}')).toBe(55);
  });

  test('a token that may be used once gets one certificate', async () => {
    writeFileSync(
      config,
      stringify({
        workers: 2,
        'rate-limits': 'off',
        issuers: [entryOf({ issuer: people, type: 'email', replay: 'once' })],
      }),
    );
    const server = await serving();
    const token = await people.sign();
    const answers = await Promise.all(Array.from({ length: 20 }, () => request(server.url, { token })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ text }) => text.includes('TOKEN_REPLAYED'))).toHaveLength(19);
  });

  test('REST, gRPC, the log, trust documents and timestamps answer, from whichever worker', async () => {
    configure();
    const server = await serving();
    const { grpc } = JSON.parse(/^\{.*"msg":"ready"\}$/m.exec(server.output.stderr)?.[0] ?? '{}') as {
      readonly grpc: string;
    };
    const token = await people.sign();
    for (let i = 0; i < 6; i++) {
      const client = new GrpcClient(grpc);
      const signed = await client.sign({
        credentials: { oidcIdentityToken: token },
        key: {
          case: 'publicKeyRequest',
          value: {
            publicKey: { content: pemOf('P-256') },
            proofOfPossession: proofOf('P-256', 'dana@example.org'),
          },
        },
      });
      expect(signed).toBeDefined();
    }
    const paths = [
      '/readyz',
      '/log/checkpoint',
      '/log/ct/v1/get-sth',
      '/.well-known/mayfly/trusted_root.json',
      '/api/v2/trustBundle',
      '/api/v1/timestamp/certchain',
    ];
    for (const path of paths) {
      const answers = await Promise.all(Array.from({ length: 8 }, () => send(server.url, path)));
      expect([path, statusesOf(answers)]).toEqual([path, [200]]);
    }
    const missing = await Promise.all(Array.from({ length: 8 }, () => send(server.url, '/nowhere')));
    expect(statusesOf(missing)).toEqual([404]);
  });

  test('audit lines are complete, each whole', async () => {
    const file = join(folder, 'audit.jsonl');
    configure({ audit: { file, required: true } });
    const server = await serving();
    const answers = await askOften(server, 60);
    expect(statusesOf(answers)).toEqual([200]);
    await request(server.url, { token: 'nonsense' });
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines).toHaveLength(61);
    for (const line of lines) expect(() => JSON.parse(line)).not.toThrow();
  });

  test('no certificate leaves where its audit line is required and cannot be written', async () => {
    configure({ audit: { file: '/dev/full', required: true } });
    const server = await serving();
    expect(statusesOf(await askOften(server, 12))).toEqual([503]);
    expect(await metric(server, 'mayfly_audit_up')).toBe(0);
  });
});

describe('what the sequencer is told', () => {
  test('a new configuration reaches all workers, a bad one none, and a frozen issuer is stopped at all', {
    timeout: 60_000,
  }, async () => {
    configure();
    const server = await serving();
    expect(statusesOf(await askOften(server, 12, others))).toEqual([400]);
    configure({}, [people, others]);
    server.child.kill('SIGHUP');
    await server.saying(/configuration read again and in force/);
    await vi.waitFor(
      async () => expect(statusesOf(await askOften(server, 12, others))).toEqual([200]),
      AWHILE,
    );

    writeFileSync(config, 'issuers: nonsense\n');
    server.child.kill('SIGHUP');
    await server.saying(/the one before stays in force/);
    expect(await metric(server, 'mayfly_config_last_reload_success')).toBe(0);
    expect(statusesOf(await askOften(server, 12, others))).toEqual([200]);

    const freeze = await run([
      'issuer',
      'freeze',
      others.url,
      '--config',
      config,
      '--data',
      join(folder, 'data'),
    ]);
    expect(freeze.code).toBe(0);
    server.child.kill('SIGHUP');
    await vi.waitFor(
      async () => expect(statusesOf(await askOften(server, 12, others))).toEqual([400]),
      AWHILE,
    );
    expect(statusesOf(await askOften(server, 12, people))).toEqual([200]);

    // One that is started now knows of all that.
    for (const pid of workersOf(server)) process.kill(pid, 'SIGKILL');
    await vi.waitFor(async () => expect(await metric(server, AHEAD)).toBe(2), AWHILE);
    await vi.waitFor(
      async () => expect(statusesOf(await askOften(server, 12, people))).toEqual([200]),
      AWHILE,
    );
    expect(statusesOf(await askOften(server, 12, others))).toEqual([400]);
  });

  test('the end: what was accepted is answered by all, and logged', { timeout: 60_000 }, async () => {
    configure();
    const server = await serving();
    const promises = await Promises.of(server.url);
    const traffic = load(server);
    await traffic.reach(60);
    const exit = server.stop('SIGTERM');
    const { code, stderr } = await exit;
    await traffic.stop();
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/"level":50/);
    expect(statusesOf(traffic.answers)).toEqual([200]);
    await keep(promises, traffic.answers);
    configure({ workers: 1 });
    await serving('--port', new URL(server.url).port);
    await promises.settle();
  });
});

describe('what cannot be', () => {
  const refused = async (args: readonly string[], words: RegExp, exitCode = 1): Promise<void> => {
    const { code, stderr } = await run(['serve', ...FREE_PORTS, ...args], { cwd: folder });
    expect([code, stderr]).toEqual([exitCode, expect.stringMatching(words)]);
  };

  test('workers without a data folder, in role log, or as many as none', async () => {
    await refused(['--workers', '2', '--ephemeral'], /workers need a data folder/, 78);
    await refused(['--workers', '2', '--role', 'log', '--log-roots', '/dev/null'], /role log/, 78);
    await refused(['--workers', '0'], /1 to 64/, 2); // wrong use of the command
  });

  test('workers of mayfly dev', async () => {
    configure();
    const { code, stderr } = await run(['dev', ...FREE_PORTS, '--config', config, '--ephemeral'], {
      cwd: folder,
    });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/dev is one process: leave workers out/)]);
  });

  test('a worker without a sequencer', async () => {
    const { code, stderr } = await start(['worker']).exited;
    expect([code, stderr]).toEqual([1, expect.stringMatching(/started by "mayfly serve" alone/)]);
  });

  test('a port that somebody has', async () => {
    configure();
    const server = await serving();
    const [{ port }, { port: metrics }] = [new URL(server.url), new URL(server.metricsUrl)];
    for (const [option, taken, listener] of [
      ['--port', port, 'REST'],
      ['--grpc-port', port, 'gRPC'],
      ['--metrics-port', metrics, 'metrics'],
    ] as const) {
      const { code, stderr } = await run(
        ['serve', '--config', config, '--data', join(folder, 'more'), ...FREE_PORTS, option, taken],
        { cwd: folder },
      );
      expect([code, stderr]).toEqual([
        1,
        expect.stringContaining(`mayfly: ${listener} cannot listen on 127.0.0.1:${taken}: the port is taken`),
      ]);
      expect(stderr).toContain(`another with ${option}, or ${option.slice(2)} in the configuration file`);
    }
  });
});
