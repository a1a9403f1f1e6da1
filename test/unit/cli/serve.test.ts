import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { Agent, request as sendRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { loadSettings, portNumber, type ServeFlags } from '../../../src/cli/options.ts';
import { openInstance } from '../../../src/node/keys/instance.ts';
import { send } from '../../fakes/client.ts';
import { type CtLog, startCtLog } from '../../fakes/ct-log.ts';
import { entryOf } from '../../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { FREE_PORTS, type RunningServer, run, serve, start, unreachable } from '../../fakes/process.ts';
import { issue, orderMessage, request } from '../../fakes/signing-client.ts';
import { optionsOf } from '../node/instance-options.ts';

let people: FakeIssuer;
let folder: string;
let config: string;
let servers: RunningServer[];

beforeAll(async () => {
  people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
});
afterAll(() => people.close());

beforeEach(() => {
  servers = [];
  folder = mkdtempSync(join(tmpdir(), 'mayfly-cli-'));
  config = join(folder, 'people.yaml');
  writeFileSync(config, stringify({ issuers: [entryOf({ issuer: people, type: 'email' })] }));
});
afterEach(async () => {
  await Promise.all(servers.map((server) => server.stop('SIGKILL')));
  rmSync(folder, { recursive: true });
});

async function serving(...args: readonly string[]): Promise<RunningServer> {
  const server = await serve(['--config', config, ...args], { cwd: folder });
  servers.push(server);
  return server;
}

const ask = async ({ url }: RunningServer) => issue(url, { token: await people.sign() });

describe('what cannot be served', () => {
  test('a configuration with mistakes: all of them are told, each with its line', async () => {
    const bad = join(folder, 'bad.yaml');
    writeFileSync(
      bad,
      [
        'prot: 5555',
        'errors: loud',
        'oidc-issuers:',
        '  https://a.example.org:',
        '    issuer-url: https://b.example.org',
        '    client-id: sigstore',
        '    type: emial',
        'meta-issuers:',
        '  https://*.example.org:',
        '    client-id: sigstore',
        '    type: spiffe',
      ].join('\n'),
    );
    const { code, stdout, stderr } = await run(['serve', '--config', bad, ...FREE_PORTS], { cwd: folder });
    expect(code).toBe(78);
    expect(stdout).toBe('');
    for (const words of [
      /bad\.yaml:1\b.*prot.*port/,
      /bad\.yaml:2\b.*errors/,
      /:5\b.*issuer-url/,
      /:7\b.*emial.*email/,
      /:11\b.*SPIFFE/i,
    ])
      expect(stderr).toMatch(words);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(readdirSync(folder)).toEqual(['bad.yaml', 'people.yaml']);
  });

  const refused = async (args: readonly string[], words: RegExp, wanted = 1): Promise<void> => {
    const before = readdirSync(folder, { recursive: true });
    const { code, stdout, stderr } = await run(['serve', ...FREE_PORTS, ...args], { cwd: folder });
    expect([code, stdout]).toEqual([wanted, '']);
    expect(stderr).toMatch(words);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(readdirSync(folder, { recursive: true })).toEqual(before); // nothing was made
  };

  test('a file that is not there', () =>
    refused(['--config', 'nowhere.yaml'], /^mayfly: .*nowhere\.yaml cannot be read/));

  test('an option of no name', () => refused(['--ephemral'], /unknown option '--ephemral'/, 2));

  test('a data folder that dev made', async () => {
    const data = join(folder, 'dev-data');
    await openInstance({ ...optionsOf('dev'), folder: data });
    await refused(['--config', config, '--data', data], /made by "mayfly dev"/);
  });

  test.each<[string, ServeFlags, RegExp]>([
    ['half a CA', { caChain: 'x' }, /--ca-chain and --ca-key go together/],
    ['half of TLS', { grpcTlsKey: 'x' }, /--grpc-tls-certificate and --grpc-tls-key go together/],
    ['half of TLS for REST', { tlsCertificate: 'x' }, /--tls-certificate and --tls-key go together/],
    ['a client CA without TLS', { tlsClientCa: 'x' }, /--tls-client-ca needs --tls-certificate/],
    ['a certificate that is not there', { tlsCertificate: 'x.pem', tlsKey: 'y' }, /x\.pem cannot be read/],
    ['a log of no kind', { log: 'somewhere' }, /--log takes builtin, none, '' or an http\(s\) URL/],
    ['the key of a log that is not there', { log: 'http://127.0.0.1:1', logPublicKey: 'k.pem' }, /k\.pem/],
    ['an algorithm of no name', { clientSigningAlgorithms: 'rsa' }, /"rsa".*ecdsa-sha2-256-nistp256/],
  ])('%s', (_, flags, words) => {
    expect(() => loadSettings({ config, ...flags })).toThrow(words);
  });

  test.each(['65536', '-1', '80a', '', '1e3'])('%j is no port', (port) => {
    expect(() => portNumber(port)).toThrow('0 to 65535');
  });

  test('a port that is taken', async () => {
    const { port } = new URL(people.url);
    const tries = [
      ['REST', '--port'],
      ['gRPC', '--grpc-port'],
      ['metrics', '--metrics-port'],
    ].map(async ([listener, option = '']) => {
      const ports = FREE_PORTS.with(FREE_PORTS.indexOf(option) + 1, port);
      const ended = await run(['serve', '--config', config, '--ephemeral', ...ports], { cwd: folder });
      expect([ended.code, ended.stderr.trim().split('\n').at(-1)]).toEqual([
        1,
        `mayfly: ${listener} cannot listen on 127.0.0.1:${port}: the port is taken (EADDRINUSE); stop what has it, or choose another with ${option}, or ${option.slice(2)} in the configuration file`,
      ]);
    });
    await Promise.all(tries);
  });
});

test('metrics are where --metrics-host says, and nothing else is', async () => {
  const server = await serving('--ephemeral', '--metrics-host', '127.0.0.2');
  const { hostname, origin } = new URL(server.metricsUrl);
  expect([hostname, new URL(server.url).hostname]).toEqual(['127.0.0.2', '127.0.0.1']);
  expect((await send(origin, '/metrics')).text).toContain('fulcio_build_info');
});

describe('the data folder', () => {
  const filesOf = (path: string): string[] =>
    readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  const modeOf = (path: string): number => statSync(path).mode & 0o777;

  test('is for its owner and one process alone, and lasts from one start to the next, without the key of the root', async () => {
    const data = join(folder, 'data');
    const first = await serving('--data', data);
    const { authority } = await ask(first);
    const other = await run(['serve', ...FREE_PORTS, '--config', config, '--data', data]);
    expect([other.code, other.stderr]).toEqual([
      1,
      expect.stringMatching(/in use by another process \(pid \d+\)/),
    ]);
    await first.stop();
    expect(modeOf(data)).toBe(0o700);
    expect(modeOf(join(data, 'log', 'tree'))).toBe(0o700);
    for (const file of filesOf(data)) {
      if (file.includes('/log/tree/')) continue; // no secrets, and the folder is the owner's
      expect([file, modeOf(file)]).toEqual([file, 0o600]);
    }
    rmSync(join(data, 'ca', 'root.key'));

    const second = await serving('--data', data);
    const issued = await ask(second);
    expect(issued.authority.der).toEqual(authority.der);
    await vi.waitFor(async () => {
      expect((await send(second.url, '/log/ct/v1/get-sth')).json).toMatchObject({ tree_size: 2 });
    });
    expect((await second.stop()).code).toBe(0);
    expect(existsSync(join(data, 'ca', 'root.key'))).toBe(false);
  });

  test('holds no key in clear when there is a passphrase', async () => {
    const passphrase = join(folder, 'passphrase');
    writeFileSync(passphrase, 'correct horse\nsecond line\n');
    const data = join(folder, 'data');
    const server = await serving('--data', data, '--key-passphrase-file', passphrase);
    await ask(server);
    await server.stop();
    const keys = filesOf(data).filter((file) => file.endsWith('.key'));
    expect(keys.length).toBeGreaterThan(3);
    for (const file of keys) expect(readFileSync(file, 'utf8')).toContain('BEGIN ENCRYPTED PRIVATE KEY');
  });
});

describe('signals', () => {
  /** A request that the server has taken, and that waits for the keys of its issuer. */
  async function taken(
    url: string,
    token: string,
    agent: Agent,
  ): Promise<{ status: Promise<number | undefined> }> {
    const { hostname, port } = new URL(url);
    const { headers, body } = orderMessage({ token });
    const sent = sendRequest({
      ...{ hostname, port, path: '/api/v2/signingCert', method: 'POST', agent },
      headers: { ...headers, expect: '100-continue' },
    });
    const status = new Promise<number | undefined>((resolve, reject) => {
      sent.on('response', (response) => response.resume().on('end', () => resolve(response.statusCode)));
      sent.on('error', reject);
    });
    sent.flushHeaders();
    await Promise.race([once(sent, 'continue'), status]);
    sent.end(body);
    return { status };
  }

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s finishes what was taken, and takes no more',
    async (signal) => {
      const late = await people.sibling(`/late-${signal}`);
      const release = late.hold();
      writeFileSync(config, stringify({ issuers: [entryOf({ issuer: late, type: 'email' })] }));
      const data = join(folder, 'data');
      const server = await serving('--data', data);
      const token = await late.sign({ email: 'dana@example.org', email_verified: true });
      const agent = new Agent({ keepAlive: true }); // a connection that is kept must not keep the server
      const { status } = await taken(server.url, token, agent);
      server.child.kill(signal);
      await unreachable(server.url);
      release();
      expect(await status).toBe(200);
      expect((await server.exited).code).toBe(0);
      const [, size] = readFileSync(join(data, 'log', 'tree', 'public', 'checkpoint'), 'utf8').split('\n');
      expect(size).toBe('1');
      agent.destroy();
    },
  );

  test("an idle server goes at once, whoever is connected (here with Fulcio's configuration, in JSON)", async () => {
    config = join(folder, 'fulcio.json');
    const issuer = { IssuerURL: people.url, ClientID: 'sigstore', Type: 'email' };
    writeFileSync(config, JSON.stringify({ OIDCIssuers: { [people.url]: issuer } }));
    const server = await serving('--ephemeral');
    await ask(server);
    const kept = await fetch(`${server.url}/healthz`); // keeps its connection
    expect(kept.status).toBe(200);
    await kept.text();
    const asked = performance.now();
    const { code, stderr } = await server.stop();
    console.info(`an idle server was gone after ${Math.round(performance.now() - asked)} ms`);
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/"level":[56]0/);
  });

  test('reach the instance through npm', async () => {
    const started = start(['serve', ...FREE_PORTS, '--config', config, '--ephemeral'], { npm: true });
    const [line] = await started.saying(/^\{.*"msg":"ready"\}$/m);
    const { url } = JSON.parse(line) as { url: string };
    expect((await issue(url, { token: await people.sign() })).leaf.names).toHaveLength(1);
    expect((await started.stop('SIGTERM')).code).toBe(0);
    await unreachable(url);
  });
});

describe('options', () => {
  test("--log '' and none: no SCT; --limits and --client-signing-algorithms", async () => {
    const server = await serving(
      '--ephemeral',
      '--log',
      '',
      '--limits',
      'off',
      '--client-signing-algorithms',
      'ed25519',
    );
    const token = await people.sign();
    const { json } = await request(server.url, { token, key: 'Ed25519' });
    expect(Object.keys(json as object)).toEqual(['signedCertificateDetachedSct']);
    expect((await request(server.url, { token, key: 'P-256' })).status).toBe(400);
    const many = await Promise.all(
      Array.from({ length: 120 }, () => request(server.url, { token, key: 'Ed25519' })),
    );
    expect(new Set(many.map(({ status }) => status))).toEqual(new Set([200]));
    expect((await send(server.url, '/log/checkpoint')).status).toBe(404);
    expect(readdirSync(folder)).toEqual(['people.yaml']); // nothing on disk
  });

  describe('--log URL', () => {
    let log: CtLog;
    beforeAll(async () => {
      log = await startCtLog();
    });
    afterAll(() => log.close());

    test('posts there, and holds it to its key where that is given', async () => {
      const key = join(folder, 'log.pem');
      writeFileSync(key, log.publicKey);
      const server = await serving('--ephemeral', '--log', log.url, '--log-public-key', key);
      const { leaf, chain } = await ask(server);
      expect(leaf.extensions.at(-1)?.id).toBe('1.3.6.1.4.1.11129.2.4.2');
      const [[precertificate, ...rest] = []] = log.submissions;
      expect(new X509Certificate(precertificate ?? Buffer.of()).serialNumber).toBe(leaf.x509.serialNumber);
      expect(rest).toEqual(chain.slice(1).map((pem) => new X509Certificate(pem).raw));

      log.behaviour = 'forge';
      const refused = await request(server.url, { token: await people.sign() });
      expect(refused.status).toBe(503);
      expect(refused.json).toMatchObject({ code: 14, message: 'Error entering certificate in CTL' });
      expect(refused.headers['retry-after']).toMatch(/^\d+$/);
    });
  });

  test('without a configuration the shipped one is used, and ./mayfly.yaml where it is', async () => {
    const shipped = await serve(['--ephemeral'], { cwd: folder });
    servers.push(shipped);
    expect((await send(shipped.url, '/api/v2/configuration')).json).toEqual({ issuers: [] });
    writeFileSync(join(folder, 'mayfly.yaml'), readFileSync(config));
    const own = await serve(['--ephemeral'], { cwd: folder });
    servers.push(own);
    await ask(own);
  });
});
