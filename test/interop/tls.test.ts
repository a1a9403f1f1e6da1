// TLS between processes: signing clients that trust a CA of their own, a CA and its log that show each other certificates, and a volume whose certificates are swapped.

import { X509Certificate } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { readLeaf } from '../../src/certificate/leaf.ts';
import { entryOf, startInstance } from '../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import { type RunningServer, run, serve } from '../fakes/process.ts';
import { type Credentials, overHttp1, overHttp2 } from '../fakes/secure-client.ts';
import { request as ask, issuedBy, orderMessage } from '../fakes/signing-client.ts';
import { newTlsAuthority, type TlsAuthority, type TlsIdentity } from '../fakes/tls.ts';

let people: FakeIssuer;
let authority: TlsAuthority;
let clients: TlsAuthority;
let folder: string;
let servers: RunningServer[];

beforeAll(async () => {
  people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
  authority = await newTlsAuthority();
  clients = await newTlsAuthority('clients');
});
afterAll(() => people.close());
beforeEach(() => {
  servers = [];
  folder = mkdtempSync(join(tmpdir(), 'mayfly-https-'));
  put('server-ca.pem', authority.cert);
  put('clients.pem', clients.cert);
});
afterEach(async () => {
  await Promise.all(servers.map((server) => server.stop('SIGKILL')));
  rmSync(folder, { recursive: true });
});

const at = (name: string): string => join(folder, name);
function put(name: string, text: string): string {
  writeFileSync(at(name), text);
  return at(name);
}
const issuers = () => [entryOf({ issuer: people, type: 'email' })];

async function started(name: string, file: object, ...args: readonly string[]): Promise<RunningServer> {
  const server = await serve(['--config', put(name, stringify(file)), ...args]);
  servers.push(server);
  return server;
}

async function issue({ url }: RunningServer, credentials: Credentials) {
  const client = overHttp1(url, credentials);
  try {
    return await client.send('/api/v2/signingCert', orderMessage({ token: await people.sign() }));
  } finally {
    client.close();
  }
}

test('mayfly sign and verify work over HTTPS for those who trust the CA, and for nobody else', async () => {
  const { cert, key } = await authority.issue();
  const tls = { certificate: put('cert.pem', cert), key: put('key.pem', key) };
  const { url } = await started('mayfly.yaml', { tls, issuers: issuers() }, '--ephemeral');
  expect(url).toMatch(/^https:/);
  put('artifact', 'what is released');
  put('token.jwt', await people.sign());
  const sign = ['sign', 'artifact', '--instance', url, '--identity-token', 'token.jwt'];
  expect((await run(sign, { cwd: folder })).code).not.toBe(0);
  const options = { cwd: folder, env: { NODE_EXTRA_CA_CERTS: at('server-ca.pem') } };
  expect(await run(sign, options)).toMatchObject({ code: 0 });
  const who = ['--identity', 'dana@example.org', '--issuer', people.url];
  expect(await run(['verify', 'artifact', '--instance', url, ...who], options)).toMatchObject({ code: 0 });
});

describe('a log and its CA', () => {
  let root: string;
  let data: string;

  /** The CA of a data folder that has issued nothing yet. */
  beforeEach(async () => {
    data = at('ca-data');
    const instance = await startInstance({ settings: { role: 'ca', log: 'none' }, data });
    await instance.close();
    root = readFileSync(join(data, 'ca', 'root.pem'), 'utf8');
  });

  async function startLog(): Promise<RunningServer & { readonly log: string }> {
    const { cert, key } = await authority.issue();
    const tls = {
      certificate: put('log.pem', cert),
      key: put('log-key.pem', key),
      'client-ca': at('clients.pem'),
    };
    const file = { role: 'log', tls, 'log-roots': { file: put('roots.pem', root) } };
    const server = await started('log.yaml', file, '--data', at('log-data'));
    const [, log = ''] = await server.saying(/"log":"(https:[^"]+)"/);
    return { ...server, log };
  }

  const startCa = (name: string, url: string, tls?: object): Promise<RunningServer> =>
    started(
      `${name}.yaml`,
      {
        role: 'ca',
        log: { url, deadline: '2s', ...(tls && { tls }) },
        issuers: issuers(),
        'rate-limits': 'off',
      },
      '--data',
      data,
    );

  test('meet by certificates: submissions need one of the right CA, reads are open', async () => {
    const { log } = await startLog();
    const own = await clients.issue();
    const other = await (await newTlsAuthority('clients')).issue();
    const file = (name: string, text: string) => ({ file: put(name, text) });
    const ca = { file: at('server-ca.pem') };
    const attempts: readonly (readonly [string, object | undefined, number])[] = [
      ['untrusting', undefined, 503],
      ['unknown', { ca }, 503],
      ['stranger', { ca, cert: file('other.pem', other.cert), key: file('other-key.pem', other.key) }, 503],
      ['known', { ca, cert: file('own.pem', own.cert), key: file('own-key.pem', own.key) }, 200],
    ];
    for (const [name, tls, status] of attempts) {
      const server = await startCa(name, log, tls);
      const issued = await request(server);
      expect([name, issued.status]).toEqual([name, status]);
      if (status === 200) expect(readLeaf(new Uint8Array(issuedBy(issued).leaf.der)).scts).toHaveLength(1);
      await server.stop();
    }
    for (const open of [overHttp1, overHttp2]) {
      const reader = open(log, { ca: authority.cert });
      const { text } = await reader.send('/log/checkpoint');
      expect(text.split('\n')[0]).toBe(log.replace('https://', '').replace(/\/$/, ''));
      const refused = await reader.send('/log/ct/v1/add-pre-chain', { method: 'POST', body: '{}' });
      expect([refused.status, refused.text]).toEqual([401, expect.stringContaining('show a certificate')]);
      reader.close();
      const submitter = open(log, { ca: authority.cert, ...own });
      const malformed = await submitter.send('/log/ct/v1/add-pre-chain', { method: 'POST', body: '{}' });
      expect([malformed.status, malformed.text]).toEqual([400, expect.stringContaining('chain')]);
      submitter.close();
    }
  });

  test('do not take a session ticket for a certificate', async () => {
    const { log } = await startLog();
    const { port } = new URL(log);
    const options = { host: '127.0.0.1', port: Number(port), ca: authority.cert };
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const first = connectTls(options).on('session', resolve).on('error', reject);
    const session = await promise;
    first.destroy();
    expect(await submitOver({ ...options, session })).toEqual({ reused: true, status: '401' });
    const { cert, key } = await clients.issue();
    expect(await submitOver({ ...options, cert, key })).toEqual({ reused: false, status: '400' });
  });

  test('go on with new certificates, each without a restart', async () => {
    const server = await startLog();
    const { log } = server;
    const expired = await newTlsAuthority('clients of before');
    const before = await expired.issue();
    const tls = {
      ca: { file: at('server-ca.pem') },
      cert: { file: put('own.pem', before.cert) },
      key: { file: put('own-key.pem', before.key) },
    };
    const ca = await startCa('ca', log, tls);
    expect((await request(ca)).status).toBe(503);
    const own = await clients.issue();
    put('own.pem', own.cert);
    put('own-key.pem', own.key);
    ca.child.kill('SIGHUP');
    await ca.saying(/"cause":"signal".*in force/);
    while ((await request(ca)).status !== 200);
    const renewed = await authority.issue();
    put('log-key.pem', renewed.key);
    put('log.pem', renewed.cert);
    server.child.kill('SIGHUP');
    await shows(log, renewed);
    expect((await request(ca)).status).toBe(200);
    expect(server.output.stderr).not.toContain('restart');
  });
});

/** Of a CA in clear. */
async function request({ url }: RunningServer) {
  return ask(url, { token: await people.sign() });
}

/** A submission that is none, over HTTP/1.1: 401 for strangers, 400 for the others. */
function submitOver(options: ConnectionOptions): Promise<{ reused?: boolean; status: string }> {
  return new Promise((resolve) => {
    const socket = connectTls(options, () =>
      socket.write('POST /log/ct/v1/add-pre-chain HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}'),
    );
    socket.on('data', (chunk: Buffer) => {
      resolve({ reused: socket.isSessionReused(), status: chunk.toString().slice(9, 12) });
      socket.destroy();
    });
    socket.on('error', () => {}).on('close', () => resolve({ status: 'refused' }));
  });
}

/** Resolves once new connections are shown this certificate. */
async function shows(url: string, { cert }: TlsIdentity): Promise<void> {
  const wanted = new X509Certificate(cert).fingerprint256;
  const { port } = new URL(url);
  const shown = (): Promise<string | undefined> =>
    new Promise((resolve) => {
      const options = { host: '127.0.0.1', port: Number(port), ca: authority.cert, ALPNProtocols: ['h2'] };
      const socket = connectTls(options, () => {
        resolve(socket.getPeerX509Certificate()?.fingerprint256);
        socket.destroy();
      });
      socket.on('error', () => resolve(undefined));
    });
  while ((await shown()) !== wanted);
}

test("certificates follow a Kubernetes volume's swap of ..data, for REST and gRPC, and a bad pair is left alone", async () => {
  const volume = at('volume');
  let version = 0;
  const mount = (cert: string, key: string): void => {
    version += 1;
    const name = `..2026_${version}`;
    mkdirSync(join(volume, name), { recursive: true });
    writeFileSync(join(volume, name, 'tls.crt'), cert);
    writeFileSync(join(volume, name, 'tls.key'), key);
    symlinkSync(name, join(volume, '..data_tmp'));
    renameSync(join(volume, '..data_tmp'), join(volume, '..data'));
  };
  const [first, second, third] = [await authority.issue(), await authority.issue(), await authority.issue()];
  mount(first.cert, first.key);
  for (const name of ['tls.crt', 'tls.key']) symlinkSync(join('..data', name), join(volume, name));
  const [certificate, key] = [join(volume, 'tls.crt'), join(volume, 'tls.key')];
  const server = await started(
    'mayfly.yaml',
    {
      log: 'none',
      issuers: issuers(),
      tls: { certificate, key },
      'grpc-tls-certificate': certificate,
      'grpc-tls-key': key,
    },
    '--ephemeral',
  );
  const [, grpc = ''] = await server.saying(/"grpc":"(https:[^"]+)"/);
  await shows(grpc, first);
  mount(second.cert, third.key);
  await server.saying(/TLS files of REST .*cannot be used.*stays in force/);
  await shows(server.url, first);
  mount(second.cert, second.key);
  await shows(server.url, second);
  await shows(grpc, second);
  expect((await issue(server, { ca: authority.cert })).status).toBe(200);
  mount(third.cert, third.key);
  await shows(server.url, third);
});
