// Thousands of connections that say nothing, against a server in a process of its own.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { send } from '../../fakes/client.ts';
import { entryOf } from '../../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { type RunningServer, serve } from '../../fakes/process.ts';
import { request } from '../../fakes/signing-client.ts';

const MANY = 5_000;
const AT_ONCE = 100; // far fewer than the kernel keeps for a server to accept (511)

let people: FakeIssuer;
let folder: string;
let server: RunningServer | undefined;
let open: Set<Socket>;

beforeAll(async () => {
  people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
  folder = mkdtempSync(join(tmpdir(), 'mayfly-idle-'));
});
afterAll(async () => {
  await people.close();
  rmSync(folder, { recursive: true });
});
afterEach(async () => {
  for (const socket of open) socket.destroy();
  await server?.stop('SIGKILL');
});

async function start(pressure: object): Promise<RunningServer> {
  const config = join(folder, 'mayfly.yaml');
  const issuers = [entryOf({ issuer: people, type: 'email' })];
  writeFileSync(config, stringify({ log: 'none', issuers, pressure }));
  server = await serve(['--ephemeral', '--config', config]);
  return server;
}

/** Resolves once they are connected; how many a full server keeps is another matter. */
async function openMany({ url }: RunningServer): Promise<void> {
  open = new Set();
  for (let count = 0; count < MANY; count += AT_ONCE) {
    const batch = Array.from({ length: AT_ONCE }, () => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      open.add(socket);
      socket.resume(); // it hears of its end then
      socket.on('error', () => {}).on('close', () => open.delete(socket));
      return new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
    });
    await Promise.all(batch);
    await send(url, '/healthz').catch(() => 'turned away'); // the server has come to the end of the batch
  }
}

async function connections({ metricsUrl }: RunningServer): Promise<number> {
  const { text } = await send(new URL(metricsUrl).origin, '/metrics');
  return Number(/^mayfly_connections\{listener="REST"\} (.*)$/m.exec(text)?.[1]);
}

test('5,000 are borne while certificates are issued, and then time out', { timeout: 90_000 }, async () => {
  const running = await start({ 'header-timeout': '10s' }); // time enough to open them on a busy machine
  await openMany(running);
  while ((await connections(running)) < MANY); // the kernel accepts first
  for (let count = 0; count < 20; count += 1)
    expect((await request(running.url, { token: await people.sign() })).status).toBe(200);
  expect(open.size).toBe(MANY);
  await Promise.all([...open].map((socket) => new Promise((resolve) => socket.once('close', resolve))));
  expect(await connections(running)).toBeLessThan(5);
});

test('where fewer are allowed, they make room for a client that has something to say', async () => {
  const running = await start({ connections: 1_000 });
  await openMany(running);
  expect(await connections(running)).toBeLessThanOrEqual(1_000);
  const issued = async (): Promise<boolean> => {
    try {
      return (await request(running.url, { token: await people.sign() })).status === 200;
    } catch {
      return false; // turned away
    }
  };
  while (!(await issued()));
  expect(await connections(running)).toBeLessThanOrEqual(1_000);
});
