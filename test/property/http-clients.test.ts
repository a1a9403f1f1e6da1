// Clients that hang up, never stop, never begin or come all at once: the instance does its work and nobody else notices.

import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { send } from '../fakes/client.ts';
import { type CtLog, startCtLog } from '../fakes/ct-log.ts';
import { startInstance, type TestInstance } from '../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import { issue, orderBody, orderMessage } from '../fakes/signing-client.ts';

let people: FakeIssuer;
let log: CtLog;
let instance: TestInstance;

beforeAll(async () => {
  people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
  log = await startCtLog();
  instance = await startInstance({
    issuers: [{ issuer: people, type: 'email' }],
    settings: { log: log.url, 'rate-limits': 'off' },
  });
});
afterAll(async () => {
  await instance.close();
  await Promise.all([people.close(), log.close()]);
});
beforeEach(async () => {
  await issue(instance.url, { token: await people.sign() });
});

async function metric(name: string): Promise<number> {
  const url = new URL(instance.service.metricsUrl);
  const { text } = await send(url.origin, url.pathname);
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
}

async function faults(): Promise<string[]> {
  const url = new URL(instance.service.metricsUrl);
  const { text } = await send(url.origin, url.pathname);
  return text.match(/^http_requests_total\{code="5.*$/gm) ?? [];
}

interface Conversation {
  readonly socket: Socket;
  /** What came back, once the other side has closed. */
  readonly said: Promise<string>;
}

async function open(): Promise<Conversation> {
  const { hostname, port } = new URL(instance.url);
  const socket = connect(Number(port), hostname);
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  const said = new Promise<string>((resolve) => {
    socket.on('close', () => resolve(text));
  });
  await new Promise((resolve) => socket.once('connect', resolve));
  return { socket, said };
}

async function wire(head = ''): Promise<string> {
  const body = JSON.stringify(orderBody({ token: await people.sign() }));
  return `POST /api/v2/signingCert HTTP/1.1\r\nHost: mayfly\r\n${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

describe('a client that hangs up', () => {
  test.each<[string, (text: string) => string]>([
    ['within its header', (text) => text.slice(0, 30)],
    ['before its body', (text) => text.slice(0, text.indexOf('{'))],
    ['within its body', (text) => text.slice(0, -50)],
    [
      'within a chunk',
      () => 'POST /api/v2/signingCert HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"a',
    ],
  ])('%s leaves nothing behind', async (_, cut) => {
    const issued = await metric('fulcio_new_certs');
    const { socket, said } = await open();
    socket.write(cut(await wire()), () => socket.resetAndDestroy());
    await said;
    await issue(instance.url, { token: await people.sign() });
    expect(await metric('fulcio_new_certs')).toBe(issued + 1);
    expect(await faults()).toEqual([]);
  });

  test('while the log has its precertificate gets what it ordered, as far as the log goes', async () => {
    const issued = await metric('fulcio_new_certs');
    const submitted = log.submissions.length;
    const release = log.hold();
    const { socket, said } = await open();
    socket.write(await wire());
    await vi.waitFor(() => expect(log.submissions).toHaveLength(submitted + 1));
    socket.resetAndDestroy();
    await said;
    release();
    await vi.waitFor(async () => expect(await metric('fulcio_new_certs')).toBe(issued + 1));
    expect(log.abandoned()).toBe(0);
    expect(await faults()).toEqual([]);
  });
});

describe('a client that does not stop', () => {
  test.each(['Transfer-Encoding: chunked', 'Content-Length: 10000000000'])(
    '(%s) is cut off',
    async (length) => {
      const { socket, said } = await open();
      const chunk = Buffer.alloc(65_536, 0x20);
      const framed = length.startsWith('T')
        ? Buffer.concat([Buffer.from('10000\r\n'), chunk, Buffer.from('\r\n')])
        : chunk;
      socket.write(`POST /api/v2/signingCert HTTP/1.1\r\nHost: a\r\n${length}\r\n\r\n`);
      const fill = (): void => {
        while (!socket.destroyed && socket.write(framed));
      };
      socket.on('drain', fill);
      fill();
      expect(await said).toMatch(/^HTTP\/1\.1 413 /);
      await issue(instance.url, { token: await people.sign() });
    },
  );
});

test('clients that never finish their header hold nobody up', async () => {
  const idle = await Promise.all(Array.from({ length: 100 }, open));
  for (const { socket } of idle) socket.write('POST /api/v2/signingCert HTTP/1.1\r\nHost: a\r\nContent-Le');
  for (let i = 0; i < 5; i++) await issue(instance.url, { token: await people.sign() });
  for (const { socket } of idle) socket.destroy();
});

test('requests one behind the other on one connection get their answers in order', async () => {
  const { socket, said } = await open();
  const get = (path: string, head = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${head}\r\n`;
  socket.write((await wire()) + get('/healthz') + (await wire()) + get('/nothing', 'Connection: close\r\n'));
  const statuses = [...(await said).matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status);
  expect(statuses).toEqual(['200', '200', '200', '404']);
});

test('two hundred at once are all served', async () => {
  const token = await people.sign();
  const message = orderMessage({ token });
  const answers = await Promise.all(
    Array.from({ length: 200 }, () => send(instance.url, '/api/v2/signingCert', message)),
  );
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
});
