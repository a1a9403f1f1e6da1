// Readiness of a whole instance: what makes it unready, and what must not.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import type { Bytes } from '../../../src/encoding/bytes.ts';
import { readinessResponse, signerReadiness } from '../../../src/http/health.ts';
import { asOne } from '../../../src/node/as-one.ts';
import { toldReadiness } from '../../../src/node/signals/readiness-log.ts';
import { send } from '../../fakes/client.ts';
import { entryOf, startInstance } from '../../fakes/instance.ts';
import { startIssuer } from '../../fakes/issuer.ts';
import { startCollector } from '../../fakes/otlp.ts';
import { serve } from '../../fakes/process.ts';
import { request } from '../../fakes/signing-client.ts';

const stack: (() => unknown)[] = [];
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mayfly-readiness-'));
  stack.push(() => rmSync(folder, { recursive: true }));
});
afterEach(async () => {
  for (const close of stack.splice(0).reverse()) await close();
});

it('no issuer that is down, no Redis, no witness and no collector makes an instance unready', async () => {
  const gone = await startIssuer();
  await gone.close();
  const collector = await startCollector();
  await collector.close();
  const instance = await startInstance({
    issuers: [{ issuer: gone, type: 'email' }],
    settings: {
      'rate-limits': { backend: 'redis', 'redis-url': 'redis://127.0.0.1:1', 'on-backend-error': 'closed' },
      tracing: { endpoint: collector.url },
    },
  });
  stack.push(() => instance.close());
  expect((await request(instance.url, { token: await gone.sign() })).status).toBe(400);
  const metrics = await (await fetch(instance.service.metricsUrl)).text();
  expect(metrics).toContain(`mayfly_issuer_up{issuer="${gone.url}"} 0`);
  expect(metrics).toContain('mayfly_ratelimit_backend_up 0');
  expect(await send(instance.url, '/readyz')).toMatchObject({ status: 200, json: { status: 'READY' } });
});

it('draining makes it unready, and it still lives and answers', async () => {
  const instance = await startInstance();
  const closing = instance.service.close(1_000);
  const ready = await send(instance.url, '/readyz');
  expect(ready).toMatchObject({
    status: 503,
    json: { status: 'NOT_READY', reasons: [{ component: 'draining' }] },
  });
  expect((await send(instance.url, '/healthz')).status).toBe(200);
  await closing;
});

it('the metrics port tells the same in clear', async () => {
  const instance = await startInstance();
  const base = new URL(instance.service.metricsUrl).origin;
  for (const path of ['/healthz', '/readyz'])
    expect((await send(base, path)).text).toBe((await send(instance.url, path)).text);
  const closing = instance.service.close(1_000);
  expect(await send(base, '/readyz')).toMatchObject({
    status: 503,
    json: { status: 'NOT_READY', reasons: [{ component: 'draining' }] },
  });
  expect((await send(base, '/healthz')).status).toBe(200);
  expect((await send(base, '/api/v2/trustBundle')).status).toBe(404);
  await closing;
});

it('the log says once why a key cannot be used, which probes are not told', async () => {
  const lines: string[] = [];
  const logger = pino({}, { write: (line: string) => lines.push(line) });
  let broken = true;
  const sign = async (): Promise<Bytes> => {
    if (broken) throw new Error('CKR_DEVICE_REMOVED');
    return new Uint8Array(1);
  };
  const ask = toldReadiness(
    () => signerReadiness({ signer: { algorithm: 'ecdsa-p256-sha256', publicKey: new Uint8Array(1), sign } }),
    logger,
  );
  for (let i = 0; i < 3; i += 1)
    expect(await readinessResponse(await ask()).json()).toEqual({
      status: 'NOT_READY',
      reasons: [{ component: 'signer', reason: 'the signing key cannot be used' }],
    });
  broken = false;
  for (let i = 0; i < 3; i += 1) expect(readinessResponse(await ask()).status).toBe(200);
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({
      msg: 'not ready',
      reasons: [{ component: 'signer', reason: 'the signing key cannot be used' }],
      err: expect.objectContaining({ message: 'CKR_DEVICE_REMOVED' }),
    }),
    expect.objectContaining({ msg: 'ready again' }),
  ]);
});

it('probes that come together try the key once', async () => {
  let asked = 0;
  const slow = Promise.withResolvers<number>();
  const probe = asOne(() => {
    asked += 1;
    return slow.promise;
  });
  const probes = [probe(), probe(), probe()];
  slow.resolve(7);
  expect(await Promise.all(probes)).toEqual([7, 7, 7]);
  expect(asked).toBe(1);
  expect(await probe()).toBe(7);
  expect(asked).toBe(2);
});

/** Linux can take a running process the right to let files grow. */
const canLimit = spawnSync('prlimit', ['--version']).status === 0;

describe.runIf(canLimit)('a disk that is full', () => {
  it('makes it unready until the log can be written again, and nothing that was answered is lost', async () => {
    const people = await startIssuer({ claims: { email: 'ada@example.com', email_verified: true } });
    stack.push(() => people.close());
    writeFileSync(
      join(folder, 'mayfly.yaml'),
      stringify({ issuers: [entryOf({ issuer: people, type: 'email' })] }),
    );
    const server = await serve([], { cwd: folder });
    stack.push(() => server.stop());
    const ask = async () => request(server.url, { token: await people.sign() });
    const limit = (bytes: string) =>
      spawnSync('prlimit', ['--pid', String(server.child.pid), `--fsize=${bytes}:`]);
    const metric = async (name: string) =>
      new RegExp(`^${name} (.*)$`, 'm').exec(await (await fetch(server.metricsUrl)).text())?.[1];
    expect((await ask()).status).toBe(200);
    expect((await send(server.url, '/readyz')).status).toBe(200);

    expect(limit('1').status).toBe(0);
    const refused = await ask();
    expect(refused).toMatchObject({ status: 503, json: { details: [{ reason: 'LOG_UNAVAILABLE' }] } });
    expect(refused.headers['retry-after']).toBeDefined();
    expect(await send(server.url, '/readyz')).toMatchObject({
      status: 503,
      json: { reasons: [{ component: 'log', reason: 'the log cannot be written' }] },
    });
    expect((await send(server.url, '/healthz')).status).toBe(200);
    const told = /"component":"log","reason":"the log cannot be written"}],"msg":"not ready"/g;
    await server.saying(told);
    await send(server.url, '/readyz');
    expect(server.output.stderr.match(told)).toHaveLength(1);
    expect(await metric('mayfly_log_up')).toBe('0');
    expect(Number(await metric('mayfly_log_errors_total'))).toBeGreaterThan(0);

    expect(limit('unlimited').status).toBe(0);
    await vi.waitFor(async () => expect((await send(server.url, '/readyz')).status).toBe(200), 20_000);
    await server.saying(/"msg":"ready again"/);
    expect((await ask()).status).toBe(200);
    expect(await metric('mayfly_log_up')).toBe('1');
    expect(await metric('mayfly_log_durable_entries')).toBe('2');
  });
});
