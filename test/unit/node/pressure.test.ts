// Pressure: clients that are slow, silent, too many or too large, and more requests than there is room for.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { readLeaf } from '../../../src/certificate/leaf.ts';
import { leafIndexOf } from '../../../src/log/entry.ts';
import { openListener } from '../../../src/node/listener/listener.ts';
import { affordable } from '../../../src/node/listener/listener-limits.ts';
import { openCapacity } from '../../../src/node/listener/listeners.ts';
import { type Answer, type Message, send } from '../../fakes/client.ts';
import { GrpcClient, refusalOf } from '../../fakes/grpc-client.ts';
import { startInstance, type TestInstance } from '../../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { overHttp2 } from '../../fakes/secure-client.ts';
import { issuedBy, orderBody, orderMessage, request } from '../../fakes/signing-client.ts';
import { newTlsAuthority, type TlsAuthority } from '../../fakes/tls.ts';

const SIGN = '/api/v2/signingCert';
const claims = { email: 'dana@example.org', email_verified: true };
let people: FakeIssuer;
let slow: FakeIssuer;
let authority: TlsAuthority;
let folder: string;
let instance: TestInstance | undefined;

beforeAll(async () => {
  people = await startIssuer({ claims });
  authority = await newTlsAuthority();
  folder = mkdtempSync(join(tmpdir(), 'mayfly-pressure-'));
  const { cert, key } = await authority.issue();
  writeFileSync(join(folder, 'cert.pem'), cert);
  writeFileSync(join(folder, 'key.pem'), key);
});
afterAll(async () => {
  await people.close();
  rmSync(folder, { recursive: true });
});
afterEach(async () => {
  await instance?.close();
  instance = undefined;
});

let siblings = 0;
beforeEach(async () => {
  siblings += 1;
  slow = await people.sibling(`/slow/${siblings}`, { claims });
});

async function start(pressure: object, more: object = {}): Promise<TestInstance> {
  const issuers = [people, slow].map((issuer) => ({ issuer, type: 'email' }));
  instance = await startInstance({ issuers, settings: { pressure, 'rate-limits': 'off', ...more } });
  return instance;
}

const TLS = () => ({
  tls: { certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem') },
  'grpc-tls-certificate': join(folder, 'cert.pem'),
  'grpc-tls-key': join(folder, 'key.pem'),
});

interface Raw {
  readonly socket: Socket;
  /** What came, once the connection is gone. */
  readonly ended: Promise<string>;
  /** Whether it is gone. */
  readonly isGone: () => boolean;
}

function follow(socket: Socket): Raw {
  const chunks: Buffer[] = [];
  let gone = false;
  const ended = new Promise<string>((resolve) => {
    socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {});
    socket.on('close', () => {
      gone = true;
      resolve(Buffer.concat(chunks).toString('latin1'));
    });
  });
  return { socket, ended, isGone: () => gone };
}

const raw = (url: string): Raw => follow(connect(Number(new URL(url).port), '127.0.0.1').setNoDelay(true));
const rawTls = (url: string, protocol: string): Raw =>
  follow(
    connectTls({
      host: '127.0.0.1',
      port: Number(new URL(url).port),
      ca: authority.cert,
      ALPNProtocols: [protocol],
    }),
  );

/** Writes on and on, a little at a time, until the other side has had enough. */
async function dribble({ socket, ended, isGone }: Raw, first: string, next: string): Promise<string> {
  socket.write(first);
  const timer = setInterval(() => !isGone() && socket.write(next), 20);
  try {
    return await ended;
  } finally {
    clearInterval(timer);
  }
}

const metricsOf = async ({ metricsUrl }: { readonly metricsUrl: string }): Promise<string> =>
  (await send(new URL(metricsUrl).origin, '/metrics')).text;

const HEADERS = `POST ${SIGN} HTTP/1.1\r\nhost: x\r\n`;
const BODY = `${HEADERS}content-length: 1000\r\n\r\n{`;
const CHUNKED = `${HEADERS}transfer-encoding: chunked\r\n\r\n1\r\n{\r\n`;
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const SETTINGS = '\0\0\0\x04\0\0\0\0\0';
/** Of a HEADERS frame of 1,000 bytes, the beginning. */
const HALF_HEADERS = '\0\x03\xe8\x01\x05\0\0\0\x01';
const PING = '\0\0\x08\x06\0\0\0\0\0pingpong';
const SHORT = { 'header-timeout': '300ms', 'request-timeout': '600ms', 'idle-timeout': '300ms' };

describe('a client that is slow', () => {
  const cases: readonly (readonly [string, 'url' | 'grpcUrl', 'http/1.1' | 'h2', string, string])[] = [
    ['with its headers', 'url', 'http/1.1', HEADERS, 'a: b\r\n'],
    ['with its body', 'url', 'http/1.1', BODY, ' '],
    ['with a body of chunks', 'url', 'http/1.1', CHUNKED, '1\r\n \r\n'],
    ['with its headers to gRPC', 'grpcUrl', 'http/1.1', HEADERS, 'a: b\r\n'],
    ['with its body to gRPC', 'grpcUrl', 'http/1.1', BODY, ' '],
    ['with headers over HTTP/2', 'grpcUrl', 'h2', PREFACE + SETTINGS + HALF_HEADERS, 'x'],
    ['and only pings over HTTP/2', 'grpcUrl', 'h2', PREFACE + SETTINGS, PING],
  ];

  test.each(cases)('%s is cut off, and the others are served', async (_, where, __, first, next) => {
    const { service, url } = await start(SHORT);
    const cut = dribble(raw(service[where]), first, next);
    expect((await request(url, { token: await people.sign() })).status).toBe(200);
    expect(await cut).not.toContain('200 OK');
  });

  test.each([
    ...cases,
    ['and only pings over HTTP/2 to REST', 'url', 'h2', PREFACE + SETTINGS, PING] as const,
  ])('over TLS, %s is cut off', async (_, where, protocol, first, next) => {
    const { service } = await start(SHORT, TLS());
    expect(await dribble(rawTls(service[where], protocol), first, next)).not.toContain('200 OK');
  });

  test.each(['url', 'grpcUrl'] as const)('or silent, is cut off: %s', async (where) => {
    const { service } = await start(SHORT);
    await raw(service[where]).ended;
  });

  test.each(['url', 'grpcUrl'] as const)('in its TLS handshake is cut off: %s', async (where) => {
    const { service } = await start(SHORT, TLS());
    await Promise.all([
      raw(service[where]).ended,
      dribble(raw(service[where]), '\x16\x03\x01\x02\0', '\x01'),
    ]);
  });

  test.each([
    ['with its headers', 'url', HEADERS, 'a: b\r\n'],
    ['with its body', 'url', BODY, ' '],
    ['with headers over HTTP/2', 'grpcUrl', PREFACE + SETTINGS + HALF_HEADERS, 'x'],
  ] as const)('%s does not keep an instance from ending', async (_, where, first, next) => {
    const { service } = await start(SHORT);
    const client = raw(service[where]);
    client.socket.write(first);
    while (!/^mayfly_connections\{listener="\w+"\} 1$/m.test(await metricsOf(service)));
    const cut = dribble(client, next, next);
    await service.close();
    await cut;
    instance = undefined;
  });

  test.each([
    ['over TLS', 'h2'],
    ['over TLS', 'http/1.1'],
  ] as const)('%s (%s) does not keep an instance from ending', async (_, protocol) => {
    const { service } = await start(SHORT, TLS());
    const client = rawTls(service.url, protocol);
    await new Promise((resolve) => client.socket.once('secureConnect', resolve));
    const cut = dribble(client, protocol === 'h2' ? PREFACE + SETTINGS + HALF_HEADERS : BODY, ' ');
    await new Promise((resolve) => client.socket.write('x', resolve));
    await service.close();
    await cut;
    instance = undefined;
  });

  test('with the body of a call over HTTP/2 is cut off', async () => {
    const { service } = await start(SHORT);
    const session = connectHttp2(service.grpcUrl);
    const stream = session.request(
      {
        ':method': 'POST',
        ':path': '/dev.sigstore.fulcio.v2.CA/GetTrustBundle',
        'content-type': 'application/grpc',
      },
      { endStream: false },
    );
    await new Promise((resolve) => stream.on('error', () => {}).on('close', resolve));
    session.close();
  });

  test.each([undefined, 'HTTP/1.1', 'HTTP/2'] as const)(
    'to read its answer is cut off: %s',
    async (secure) => {
      const limits = { connections: 10, headerTimeoutMs: 300, requestTimeoutMs: 300, idleTimeoutMs: 300 };
      const { cert: certificate, key } = await authority.issue();
      const tls = secure === undefined ? undefined : { certificate, key };
      const server = await openListener(
        (_, response) => response.end(Buffer.alloc(32 * 1024 * 1024)), // more than any buffer between
        '127.0.0.1',
        0,
        { limits, tls },
      );
      const url = `http${tls ? 's' : ''}://127.0.0.1:${server.port}`;
      if (secure === 'HTTP/2')
        connectHttp2(url, { ca: authority.cert })
          .on('error', () => {})
          .request({})
          .on('error', () => {});
      else {
        const { socket } = tls ? rawTls(url, 'http/1.1') : raw(url);
        socket.removeAllListeners('data').pause();
        socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
      }
      while (server.connections === 0) await new Promise(setImmediate);
      while (server.connections > 0) await new Promise(setImmediate);
      await server.close();
    },
  );

  test('and idle over TLS is let go with a GOAWAY', async () => {
    const { url } = await start(SHORT, TLS());
    const session = connectHttp2(url, { ca: authority.cert });
    const told = new Promise((resolve) => session.on('goaway', resolve));
    const stream = session.request({ ':path': '/healthz' });
    await new Promise((resolve) => stream.on('close', resolve).resume());
    expect(await told).toBe(constants.NGHTTP2_NO_ERROR);
  });

  test('and idle after a request is let go, over both protocols', async () => {
    const { service } = await start(SHORT);
    const kept = raw(service.url);
    kept.socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    expect(await kept.ended).toContain('200 OK');
    const session = connectHttp2(service.grpcUrl);
    const gone = new Promise((resolve) => session.on('close', resolve));
    const stream = session.request({ ':path': '/' });
    await new Promise((resolve) => stream.on('close', resolve).resume());
    await gone;
  });
});

describe('a request that is too large', () => {
  test.each([
    ['headers', 431, { headers: { filler: 'x'.repeat(40_000) } }],
    ['a body that says so', 413, { method: 'POST', body: 'x'.repeat(100_000) }],
    [
      'a body that does not say so',
      413,
      { method: 'POST', body: Array.from({ length: 10 }, () => 'x'.repeat(10_000)) },
    ],
  ] satisfies [string, number, Message][])('in %s is refused with %d', async (_, status, message) => {
    const { url } = await start({});
    expect((await send(url, SIGN, message)).status).toBe(status);
  });
});

test('over HTTP/2 headers that are too large end the connection, and nothing else', async () => {
  const { service, url } = await start({});
  const session = connectHttp2(service.grpcUrl, { maxSendHeaderBlockLength: 1_000_000 }).on(
    'error',
    () => {},
  );
  const gone = new Promise((resolve) => session.on('close', resolve));
  const filler = Buffer.from(crypto.getRandomValues(new Uint8Array(60_000))).toString('hex');
  const stream = session.request({ ':path': '/', filler }).on('error', () => {});
  const status = await new Promise((resolve) =>
    stream.on('response', (headers) => resolve(headers[':status'])).on('close', () => resolve('cut')),
  );
  expect(status).toBe('cut');
  await gone;
  expect((await request(url, { token: await people.sign() })).status).toBe(200);
});

describe('connections', () => {
  test('beyond the cap are turned away, and those without a request make room', async () => {
    const { service, url } = await start({ connections: 5 });
    const held = Array.from({ length: 5 }, () => raw(url));
    await Promise.all(
      held.map(({ socket }) => {
        socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
        return new Promise((resolve) => socket.once('data', resolve));
      }),
    );
    const { ended } = raw(url); // turned away
    expect(await ended).toBe('');
    expect((await request(url, { token: await people.sign() })).status).toBe(200);
    const { text } = await send(new URL(service.metricsUrl).origin, '/metrics');
    expect(
      Number(/^mayfly_connections_dropped_total\{listener="REST"\} (.*)$/m.exec(text)?.[1]),
    ).toBeGreaterThan(0);
    for (const { socket } of held) socket.destroy();
  });

  test.each(['url', 'grpcUrl'] as const)('with a request under way stay: %s', async (where) => {
    const { service } = await start({ connections: 2 });
    const held = Array.from({ length: 2 }, () => raw(service[where]));
    for (const { socket } of held) await new Promise((resolve) => socket.write(BODY, resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(await raw(service[where]).ended).toBe('');
    expect(held.map(({ isGone }) => isGone())).toEqual([false, false]);
    for (const { socket } of held) socket.destroy();
  });

  test('are fewer where the process may not open as many files', () => {
    expect([affordable(10_000, 2, 1024), affordable(10_000, 2, 1e6), affordable(10_000, 1, 100)]).toEqual([
      412, 10_000, 1,
    ]);
    expect(affordable(5, 2)).toBe(5);
  });
});

describe('the queue', () => {
  const queued = async (length: number): Promise<void> => {
    const { service } = instance as TestInstance; // each test has started it
    const full = new RegExp(`^mayfly_queue_length ${length}$`, 'm');
    while (!full.test((await send(new URL(service.metricsUrl).origin, '/metrics')).text));
  };
  type Ask = (path: string) => Promise<Answer>;

  /** Whether what a certificate promises stands in the log, at the place that it names. */
  async function isLogged(ask: Ask, answer: Answer): Promise<boolean> {
    const leaf = readLeaf(new Uint8Array(issuedBy(answer).leaf.der));
    const [sct] = leaf.scts;
    const index = sct === undefined ? undefined : leafIndexOf(sct.extensions);
    const { json } = await ask(`/log/ct/v1/get-entries?start=${index}&end=${index}`);
    const { entries = [] } = json as { readonly entries?: readonly { readonly leaf_input: string }[] };
    const [entry] = entries.map(({ leaf_input }) => Buffer.from(leaf_input, 'base64'));
    return entry?.includes(leaf.precertTbs) === true;
  }

  test('when full answers 503 at once, and all that is in it ends in the log', async () => {
    const release = slow.hold();
    const at = await start({ queue: 4 });
    const token = await slow.sign();
    const answers = Array.from({ length: 4 }, () => request(at.url, { token }));
    await queued(4);
    const refused = await request(at.url, { token });
    expect([refused.status, refused.headers['retry-after'], refused.text]).toEqual([
      503,
      '1',
      expect.stringContaining('OVERLOADED'),
    ]);
    const grpc = new GrpcClient(at.service.grpcUrl);
    const call = grpc.sign({ credentials: { oidcIdentityToken: token } });
    expect(await refusalOf(call)).toMatchObject({ code: 14, retryAfter: '1' });
    grpc.close();
    expect((await send(at.url, '/healthz')).status).toBe(200);
    release();
    const ask: Ask = (path) => send(at.url, path);
    for (const answer of await Promise.all(answers)) while (!(await isLogged(ask, answer)));
    await queued(0);
    expect((await request(at.url, { token })).status).toBe(200);
  });

  test('lets through what it can under a flood, and exactly that is in the log', async () => {
    const at = await start({ queue: 8 }, TLS());
    const order = orderMessage({ token: await people.sign() });
    const client = overHttp2(at.url, { ca: authority.cert }); // many requests arrive in one read
    const answers = await Promise.all(Array.from({ length: 200 }, () => client.send(SIGN, order)));
    const issued = answers.filter(({ status }) => status === 200);
    const refused = answers.filter(({ status, headers }) => status === 503 && headers['retry-after'] === '1');
    expect([issued.length > 8, refused.length > 0]).toEqual([true, true]);
    expect(issued.length + refused.length).toBe(200);
    for (const answer of issued) while (!(await isLogged(client.send, answer)));
    const checkpoint = (await client.send('/log/checkpoint')).text;
    client.close();
    expect(checkpoint.split('\n')[1]).toBe(String(issued.length));
    const { text } = await send(new URL(at.service.metricsUrl).origin, '/metrics');
    expect(text).toContain(`mayfly_queue_refused_total ${refused.length}`);
    expect(text).toContain(`result="refused",reason="OVERLOADED"} ${refused.length}`);
  });

  test('tells when it is full, every ten seconds while it stays so, and when it is not any more', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      const lines: { level: number; refused: number; msg: string }[] = [];
      const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
      const limits = { connections: 1, headerTimeoutMs: 1, requestTimeoutMs: 1, idleTimeoutMs: 1 };
      const capacity = openCapacity({ pressure: { ...limits, queue: 1 } }, logger, new Registry());
      capacity.enter();
      for (let second = 0; second < 15; second++) {
        for (let i = 0; i < 3; i++) expect(() => capacity.enter()).toThrow();
        vi.advanceTimersByTime(1_000);
      }
      const full = 'the queue is full: requests are answered with 503';
      expect(lines.map(({ level, refused, msg }) => [level, refused, msg])).toEqual([
        [40, 1, full],
        [40, 31, full],
      ]);
      vi.advanceTimersByTime(20_000);
      expect(lines.slice(2)).toMatchObject([
        { level: 30, refused: 45, msg: 'the queue has had room for ten seconds' },
      ]);
    } finally {
      vi.useRealTimers();
    }
  });

  test('finishes what HTTP/2 has given up', async () => {
    const release = slow.hold();
    const at = await start({ 'header-timeout': '200ms', 'request-timeout': '200ms' }, TLS());
    const client = overHttp2(at.url, { ca: authority.cert });
    const order = orderMessage({ token: await slow.sign() });
    await expect(client.send(SIGN, order)).rejects.toThrow();
    release();
    await queued(0);
    const entries = async () => (await client.send('/log/ct/v1/get-entries?start=0&end=0')).status;
    while ((await entries()) !== 200);
    client.close();
  });

  test('finishes what a client does not wait for', async () => {
    const release = slow.hold();
    const at = await start({ queue: 4 });
    const body = JSON.stringify(orderBody({ token: await slow.sign() }));
    const { socket, ended } = raw(at.url);
    socket.write(`${HEADERS}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    await queued(1);
    socket.destroy();
    await ended;
    release();
    await queued(0);
    const entries = async () => (await send(at.url, '/log/ct/v1/get-entries?start=0&end=0')).status;
    while ((await entries()) !== 200);
  });
});
