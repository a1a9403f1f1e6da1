// TLS of REST and gRPC: both protocols on one port, clients that have to show a certificate, and certificates that change.

import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { parseSettings, type Settings } from '../../../src/config/settings.ts';
import { type Service, startService } from '../../../src/node/service.ts';
import { type Message, send } from '../../fakes/client.ts';
import { chainIn, GrpcClient, messageOf } from '../../fakes/grpc-client.ts';
import { entryOf, KINDS } from '../../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { overHttp1, overHttp2 } from '../../fakes/secure-client.ts';
import { chainOf, orderMessage } from '../../fakes/signing-client.ts';
import { newTlsAuthority, type TlsAuthority, type TlsIdentity } from '../../fakes/tls.ts';

const SIGN = '/api/v2/signingCert';
let people: FakeIssuer;
let authority: TlsAuthority;
let clients: TlsAuthority;
let folder: string;
let service: Service;
let log: string;

beforeAll(async () => {
  people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
  authority = await newTlsAuthority();
  clients = await newTlsAuthority('clients');
});
afterAll(() => people.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mayfly-tls-'));
  log = '';
});
afterEach(async () => {
  await service.close();
  rmSync(folder, { recursive: true });
});

const at = (name: string): string => join(folder, name);
const PAIR = () => ({ certificate: at('cert.pem'), key: at('key.pem') });
const GRPC_PAIR = () => ({ 'grpc-tls-certificate': at('cert.pem'), 'grpc-tls-key': at('key.pem') });

function put({ cert, key }: TlsIdentity): void {
  writeFileSync(at('cert.pem'), cert);
  writeFileSync(at('key.pem'), key);
}

function settingsOf(file: object): Settings {
  const text = stringify({ issuers: [entryOf({ issuer: people, type: 'email' })], ...file });
  const readFile = (path: string): string => readFileSync(path, 'utf8');
  const { settings } = parseSettings(text, { fileName: 'the test', kinds: KINDS, readFile });
  return { ...settings, port: 0, grpcPort: 0, metricsPort: 0 };
}

async function start(file: object): Promise<void> {
  const write = (line: string): void => {
    log += line;
  };
  const logger = pino({}, { write });
  service = await startService({ settings: settingsOf(file), kind: 'serve', ephemeral: true, logger });
}

const reload = (file: object): boolean =>
  service.reload(() => ({ settings: settingsOf(file), warnings: [] }), 'signal');
const order = async () => orderMessage({ token: await people.sign() });
const fingerprint = ({ cert }: TlsIdentity): string => new X509Certificate(cert).fingerprint256;
const local = (): string => service.grpcUrl.replace('127.0.0.1', 'localhost'); // grpc-js takes no address

/** What a new connection is shown; 'refused' where there is none. */
function shown(url: string, credentials: ConnectionOptions = {}): Promise<string> {
  const { port } = new URL(url);
  return new Promise((resolve) => {
    const socket: TLSSocket = connectTls(
      { host: '127.0.0.1', port: Number(port), ca: authority.cert, ALPNProtocols: ['h2'], ...credentials },
      () => {
        resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? '');
        socket.destroy();
      },
    );
    socket.on('error', () => resolve('refused'));
  });
}

describe('REST over TLS', () => {
  beforeEach(async () => put(await authority.issue()));

  test('HTTP/1.1 and HTTP/2 issue on one port, and every URL says https', async () => {
    await start({ tls: PAIR() });
    expect(service.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    for (const open of [overHttp1, overHttp2]) {
      const client = open(service.url, { ca: authority.cert });
      const answer = await client.send(SIGN, await order());
      expect([client.protocol, answer.status, chainOf(answer).length]).toEqual([client.protocol, 200, 3]);
      const { text } = await client.send('/.well-known/mayfly/signing_config.json');
      expect(text).toContain(service.url);
      expect(text.replaceAll(people.url, '')).not.toContain('http://');
      const checkpoint = await client.send('/log/checkpoint');
      expect(checkpoint.text.split('\n')[0]).toBe(`${service.url.replace('https://', '')}/log`);
      client.close();
    }
    const { text } = await send(new URL(service.metricsUrl).origin, '/metrics');
    const expiry = Number(/^mayfly_tls_not_after_seconds\{listener="REST"\} (.*)$/m.exec(text)?.[1]);
    expect(expiry).toBeGreaterThan(Date.now() / 1000);
    expect(expiry).toBeLessThan(Date.now() / 1000 + 7200);
  });

  test('a client in clear gets nothing', async () => {
    await start({ tls: PAIR() });
    await expect(send(service.url, '/healthz')).rejects.toThrow();
  });

  test.each([['TLSv1.2'], ['TLSv1.3']] as const)('takes %s', async (version) => {
    await start({ tls: PAIR() });
    const only = { minVersion: version, maxVersion: version };
    expect(await shown(service.url, only)).not.toBe('refused');
  });

  test.each(['HTTP/1.1', 'HTTP/2'] as const)(
    'behind a trusted proxy over %s, its word about the client counts',
    async (protocol) => {
      await start({ tls: PAIR(), 'trusted-proxies': ['127.0.0.1'], audit: { file: at('audit.jsonl') } });
      const client = (protocol === 'HTTP/2' ? overHttp2 : overHttp1)(service.url, { ca: authority.cert });
      const { headers, ...rest } = await order();
      const answer = await client.send(SIGN, {
        ...rest,
        headers: { ...headers, 'x-forwarded-for': '198.51.100.7' },
      });
      expect(answer.status).toBe(200);
      client.close();
      expect(readFileSync(at('audit.jsonl'), 'utf8')).toContain('"address":"198.51.100.7"');
    },
  );

  test('over HTTP/2 a request that is too long, or longer than it says, gets no further', async () => {
    await start({ tls: PAIR() });
    const attempt = async (message: Message) => {
      const client = overHttp2(service.url, { ca: authority.cert });
      try {
        return (await client.send(SIGN, { method: 'POST', ...message })).status;
      } catch {
        return 'cut';
      } finally {
        client.close();
      }
    };
    const long = Array.from({ length: 10 }, () => Buffer.alloc(16 * 1024, 0x20));
    expect(await attempt({ headers: { 'content-length': 5 }, body: 'longer than five' })).not.toBe(200);
    expect(await attempt({ body: long })).toBe(413);
    expect(await attempt({ headers: { 'content-length': 1_000_000 }, body: ' ' })).toBe('cut');
    expect(await attempt(await order())).toBe(200);
  });

  test('at the end, what was accepted is answered over both protocols, and silent connections are let go', async () => {
    const slow = await people.sibling('/slow', {
      claims: { email: 'dana@example.org', email_verified: true },
    });
    const release = slow.hold();
    await start({ tls: PAIR(), issuers: [entryOf({ issuer: slow, type: 'email' })] });
    const token = await slow.sign();
    const [one, two] = [overHttp1, overHttp2].map((open) => open(service.url, { ca: authority.cert }));
    if (one === undefined || two === undefined) throw new Error('unreachable');
    const { port } = new URL(service.url);
    const silent = connectTls({ host: '127.0.0.1', port: Number(port), ca: authority.cert });
    await new Promise((resolve) => silent.once('secureConnect', resolve));
    await Promise.all([one.send('/healthz'), two.send('/healthz')]);
    const answers = Promise.all([one, two].map((client) => client.send(SIGN, orderMessage({ token }))));
    await new Promise((resolve) => setImmediate(resolve));
    while (!(await metric('mayfly_queue_length')).endsWith(' 2')) await new Promise(setImmediate);
    const gone = new Promise((resolve) => silent.on('close', resolve));
    const closed = service.close();
    await gone;
    release();
    expect((await answers).map(({ status }) => status)).toEqual([200, 200]);
    await closed;
  });
});

async function metric(name: string): Promise<string> {
  const { text } = await send(new URL(service.metricsUrl).origin, '/metrics');
  return new RegExp(`^${name}.*$`, 'm').exec(text)?.[0] ?? '';
}

describe('clients with certificates', () => {
  beforeEach(async () => {
    put(await authority.issue());
    writeFileSync(at('clients.pem'), clients.cert);
  });
  const mutual = () => ({ ...PAIR(), 'client-ca': at('clients.pem') });

  test('are the only ones that are served, over both protocols', async () => {
    await start({ tls: mutual() });
    const ca = authority.cert;
    const known = await clients.issue();
    const stranger = await (await newTlsAuthority('clients')).issue(); // another CA of that name
    for (const open of [overHttp1, overHttp2]) {
      for (const credentials of [{ ca }, { ca, ...stranger }]) {
        const client = open(service.url, credentials);
        await expect(client.send('/healthz')).rejects.toThrow();
        client.close();
      }
      const client = open(service.url, { ca, ...known });
      expect((await client.send(SIGN, await order())).status).toBe(200);
      client.close();
    }
  });

  test('gRPC asks for them too', async () => {
    await start({ ...GRPC_PAIR(), 'grpc-tls-client-ca': at('clients.pem') });
    const { key, cert } = await clients.issue();
    const known = new GrpcClient(local(), authority.cert, { key, cert });
    expect((await known.check()).status).toBe(1);
    known.close();
    const unknown = new GrpcClient(local(), authority.cert);
    await expect(unknown.check()).rejects.toMatchObject({ code: 14 });
    unknown.close();
  });

  test('of a CA that was replaced are not served any more, also with the session of an earlier connection', async () => {
    await start({ tls: mutual() });
    const { key, cert } = await clients.issue();
    const { port } = new URL(service.url);
    const options = { host: '127.0.0.1', port: Number(port), ca: authority.cert, key, cert };
    const session = await sessionOf(options);
    expect(await healthOver({ ...options, session })).toEqual({ reused: true, status: '200' });
    writeFileSync(at('clients.pem'), (await newTlsAuthority('others')).cert);
    expect(reload({ tls: mutual() })).toBe(true);
    for (const again of [options, { ...options, session }])
      expect((await healthOver(again)).status).toBe('refused');
  });

  test('are asked for as before when a reload takes the CA away, which needs a restart', async () => {
    await start({ tls: mutual() });
    expect(reload({ tls: PAIR() })).toBe(true);
    expect(log).toMatch(/"settings":\["tls"\].*restart/);
    const client = overHttp1(service.url, { ca: authority.cert });
    await expect(client.send('/healthz')).rejects.toThrow();
    client.close();
  });
});

function sessionOf(options: ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connectTls(options);
    socket.on('session', (session: Buffer) => {
      resolve(session);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

/** A request for /healthz over HTTP/1.1. */
function healthOver(options: ConnectionOptions): Promise<{ reused?: boolean; status: string }> {
  return new Promise((resolve) => {
    const socket = connectTls(options, () => socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n'));
    socket.on('data', (chunk: Buffer) => {
      resolve({ reused: socket.isSessionReused(), status: chunk.toString().slice(9, 12) });
      socket.destroy();
    });
    socket.on('error', () => {}).on('close', () => resolve({ status: 'refused' }));
  });
}

describe('a reload', () => {
  test('gives new connections the new certificate under traffic, and lets the others go on', async () => {
    const [first, second] = [await authority.issue(), await authority.issue()];
    put(first);
    const file = { tls: PAIR(), ...GRPC_PAIR(), 'rate-limits': 'off' };
    await start(file);
    const ca = authority.cert;
    const old = [overHttp1(service.url, { ca }), overHttp2(service.url, { ca })];
    const grpc = new GrpcClient(local(), ca);
    await grpc.check();
    let stop = false;
    const statuses: number[] = [];
    const traffic = old.map(async (client) => {
      while (!stop) statuses.push((await client.send(SIGN, await order())).status);
    });
    const calls: number[] = [];
    traffic.push(
      (async () => {
        while (!stop) calls.push(chainIn(await grpc.sign(messageOf({ token: await people.sign() }))).length);
      })(),
    );
    while (statuses.length < 10 || calls.length < 5) await new Promise(setImmediate);
    put(second);
    expect(reload(file)).toBe(true);
    for (const url of [service.url, service.grpcUrl]) expect(await shown(url)).toBe(fingerprint(second));
    const [then, called] = [statuses.length, calls.length];
    while (statuses.length < then + 10 || calls.length < called + 5) await new Promise(setImmediate);
    stop = true;
    await Promise.all(traffic);
    expect([new Set(statuses), new Set(calls)]).toEqual([new Set([200]), new Set([3])]);
    expect(old.map((client) => client.fingerprint())).toEqual([fingerprint(first), fingerprint(first)]);
    expect((await grpc.check()).status).toBe(1);
    for (const client of old) client.close();
    grpc.close();
  });

  test.each([
    ['a key of another certificate', (other: TlsIdentity) => writeFileSync(at('key.pem'), other.key)],
    ['half a certificate', (other: TlsIdentity) => writeFileSync(at('cert.pem'), other.cert.slice(0, 200))],
    ['no file', () => rmSync(at('cert.pem'))],
  ])('with %s keeps the one before, and says so', async (_, spoil) => {
    const first = await authority.issue();
    put(first);
    const file = { tls: PAIR(), ...GRPC_PAIR() };
    await start(file);
    spoil(await authority.issue());
    expect(reload({ ...file, errors: 'terse' })).toBe(false);
    expect(log).toMatch(/"level":50.*cannot be used; the one before stays in force/);
    expect(log).not.toContain('PRIVATE KEY');
    expect(await metric('mayfly_config_last_reload_success')).toMatch(/ 0$/);
    for (const url of [service.url, service.grpcUrl]) expect(await shown(url)).toBe(fingerprint(first));
    const second = await authority.issue();
    put(second);
    expect(reload(file)).toBe(true);
    expect(await shown(service.url)).toBe(fingerprint(second));
  });

  test('says that turning TLS on takes a restart', async () => {
    put(await authority.issue());
    await start({});
    expect(reload({ tls: PAIR(), ...GRPC_PAIR() })).toBe(true);
    expect(log).toMatch(/"settings":\["tls","grpc-tls-certificate"\].*restart/);
    expect((await send(service.url, '/healthz')).status).toBe(200);
  });
});
