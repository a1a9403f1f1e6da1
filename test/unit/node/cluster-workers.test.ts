// The processes that a sequencer starts, as it starts, tells and replaces them; what they do themselves is left out.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Hono } from 'hono';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { MemoryLimiter } from '../../../src/admission/memory-limiter.ts';
import { parseSettings } from '../../../src/config/settings.ts';
import { requireSharedPorts } from '../../../src/node/cluster/cluster.ts';
import { ClusterWorkers } from '../../../src/node/cluster/workers.ts';
import { createRegistry } from '../../../src/node/signals/metrics.ts';
import { KINDS } from '../../fakes/instance.ts';
import { COMPILED } from '../../fakes/process.ts';

const PROGRAM = new URL('../../fakes/cluster-worker.ts', import.meta.url).pathname;
const AWHILE = { timeout: 20_000, interval: 20 };

let folder: string;
let log: string;
let workers: ClusterWorkers | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mayfly-cluster-'));
  log = '';
  vi.stubEnv('NODE_COMPILE_CACHE', COMPILED);
});
afterEach(async () => {
  await workers?.close();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const mark = (name: string): void => writeFileSync(join(folder, name), '');
const asked = (): string[] =>
  existsSync(join(folder, 'asked')) ? readFileSync(join(folder, 'asked'), 'utf8').trimEnd().split('\n') : [];
const starts = (): number => asked().filter((one) => one === 'start').length;

const processOf = (): number => Number(readFileSync(join(folder, 'pid'), 'utf8'));

interface Opening {
  readonly program?: string;
  readonly beat?: number;
  /** Further keys of the configuration. */
  readonly settings?: object;
}

function open({ program = process.execPath, beat, settings: further }: Opening = {}): ClusterWorkers {
  const logger = pino(
    {},
    {
      write: (line: string) => {
        log += line;
      },
    },
  );
  const { settings } = parseSettings(stringify({ log: 'none', ...further }), {
    fileName: 'the test',
    kinds: KINDS,
  });
  workers = new ClusterWorkers({
    command: [program, PROGRAM, folder],
    settings,
    mayfly: {
      log: undefined,
      app: new Hono(),
      door: { readiness: async () => [] },
      metrics: { registry: createRegistry('1') },
    },
    limiter: new MemoryLimiter(),
    logger,
    start: { count: 1, flags: {}, texts: [], port: 1, grpcPort: 1, publicUrl: 'http://ca.example.org' },
    ...(beat !== undefined && { beat }),
  });
  return workers;
}

describe('a worker that begins while', () => {
  const cases: readonly [string, (cluster: ClusterWorkers) => void, string][] = [
    ['keys are rotated', (cluster) => cluster.rotate('file'), 'rotate'],
    ['the configuration is read again', (cluster) => cluster.reload([], 'file', true), 'reload'],
  ];
  test.each(cases)('%s, is told before it counts as one that serves', async (_, change, name) => {
    mark('wait');
    const cluster = open();
    const started = cluster.start();
    await vi.waitFor(() => expect(asked()).toEqual(['start']), AWHILE);
    change(cluster); // it may have read folder and files before
    rmSync(join(folder, 'wait'));
    await started;
    expect(asked()).toContain(name);
    expect(await cluster.metrics()).toMatch(/^mayfly_workers 1$/m);
  });
});

describe('a worker that cannot be started again', () => {
  test('is tried until it can', async () => {
    const cluster = open();
    await cluster.start();
    mark('fail');
    process.kill(processOf(), 'SIGKILL');
    await vi.waitFor(() => expect(starts()).toBeGreaterThan(2), AWHILE);
    expect(log).toContain('it is tried again');
    rmSync(join(folder, 'fail'));
    await vi.waitFor(async () => expect(await cluster.metrics()).toMatch(/^mayfly_workers 1$/m), AWHILE);
    expect(await cluster.metrics()).toMatch(/^mayfly_worker_exits_total{reason="ended"} 1$/m);
  });
});

describe('a worker that answers no more', () => {
  const hung = /^mayfly_worker_exits_total{reason="hung"} 1$/m;
  const cases: readonly [string, () => void, () => void][] = [
    ['is stopped', () => process.kill(processOf(), 'SIGSTOP'), () => {}],
    ['is in a loop without an end', () => mark('spin'), () => rmSync(join(folder, 'spin'))],
  ];
  test.each(cases)('as it %s, is killed and replaced', async (_, hang, mend) => {
    const cluster = open({ beat: 200 });
    await cluster.start();
    const first = processOf();
    hang();
    await vi.waitFor(() => expect(log).toContain('does not answer; it is killed'), AWHILE);
    mend();
    await vi.waitFor(async () => expect(await cluster.metrics()).toMatch(hung), AWHILE);
    await vi.waitFor(async () => expect(await cluster.metrics()).toMatch(/^mayfly_workers 1$/m), AWHILE);
    expect(processOf()).not.toBe(first);
    expect(log).toMatch(/"how":"SIGKILL".*it is replaced/);
  });

  test('while it begins, is killed too, and the start fails', async () => {
    mark('stop');
    await expect(open({ beat: 30 }).start()).rejects.toThrow('ended');
    expect(log).toContain('does not answer; it is killed');
  });

  test('is no reason to wait for it at the end', async () => {
    const cluster = open({ beat: 200 });
    await cluster.start();
    process.kill(processOf(), 'SIGSTOP');
    await cluster.close();
    expect(log).toContain('does not answer; it is killed');
    expect(log).not.toContain('it is replaced');
  });

  test('is not one that was not asked, as the sequencer itself stood still', async () => {
    const cluster = open({ beat: 200 });
    await cluster.start();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4_000);
    const before = await cluster.metrics();
    expect(before).toMatch(/^mayfly_workers 1$/m);
    expect(before).not.toMatch(hung);
    expect(log).toBe('');
  });
});

test('a worker that answers but does not end is killed once its clients have had their time', async () => {
  const cluster = open({ settings: { pressure: { 'header-timeout': '1s', 'request-timeout': '1s' } } });
  await cluster.start();
  mark('stay');
  await cluster.close();
  expect(log).toContain('does not end; it is killed');
});

test('a program that is not there is a sentence at the start', async () => {
  await expect(open({ program: '/nonexistent' }).start()).rejects.toThrow('ended');
});

describe('a system whose processes cannot share a port', () => {
  const failing = (code: string) => async () => {
    throw Object.assign(new Error(`listen ${code}`), { code });
  };
  test('is told in a sentence, and another failure is not taken for it', async () => {
    await requireSharedPorts('127.0.0.1');
    await expect(requireSharedPorts('127.0.0.1', failing('ENOTSUP'))).rejects.toThrow(
      /^workers share their ports by SO_REUSEPORT, which .* does not offer \(ENOTSUP\): set workers to 1/,
    );
    await expect(requireSharedPorts('127.0.0.1', failing('EADDRNOTAVAIL'))).rejects.toThrow(
      'listen EADDRNOTAVAIL',
    );
  });
});
