import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VERSION } from '../../../src/version.ts';
import { readCertificate } from '../../fakes/certificate.ts';
import { send } from '../../fakes/client.ts';
import { FREE_PORTS, type RunningProcess, run, start } from '../../fakes/process.ts';
import { challengeOf, issue } from '../../fakes/signing-client.ts';

let dev: RunningProcess;
let url: string;
let issuer: string;

beforeAll(async () => {
  // As somebody has it who installed the package: no npm is around it.
  const env = { npm_lifecycle_event: '' };
  dev = start(['dev', ...FREE_PORTS, '--issuer-port', '0', '--ephemeral'], { env });
  url = (await dev.saying(/ready at (http:\S+)/))[1] ?? '';
  issuer = (await dev.saying(/--issuer (http:\S+)/))[1] ?? '';
});
afterAll(async () => {
  expect((await dev.stop()).code).toBe(0);
});

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;

test('the line that issues a certificate is printed, and does', async () => {
  const [, line = ''] = await dev.saying(/^ +mayfly (demo .*)$/m);
  const { code, stdout } = await run(line.split(' '));
  expect(code).toBe(0);
  expect(stdout).toContain('Source Repository URI');
  expect(stdout).toMatch(/recomputed from its tiles with \d+ hashes, in the signed tree of \d+/);
});

describe('a port that is taken', () => {
  test.each([
    ['--port', 'REST'],
    ['--issuer-port', 'the development issuer'],
  ])('of %s is told, and nothing goes on', async (option, listener) => {
    const { port } = new URL(url);
    const { code, stdout, stderr } = await run([
      'dev',
      '--ephemeral',
      ...[...FREE_PORTS, '--issuer-port', '0', option, port],
    ]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`mayfly: ${listener} cannot listen on 127.0.0.1:${port}: the port is taken`);
    expect(stderr).toContain(`another with ${option}`);
  });
});

describe('dev token', () => {
  test.each(['github', 'gitlab', 'email'])('of shape %s gets a certificate', async (shape) => {
    const { text: token } = await send(issuer, `/${shape}/token`, { method: 'POST' });
    expect(claimsOf(token)['iss']).toBe(`${issuer}/${shape}`);
    const { leaf } = await issue(url, { token });
    expect(leaf.attributes['8']).toBe(`${issuer}/${shape}`);
    expect(leaf.names[0]?.kind).toBe(shape === 'email' ? 'email' : 'uri');
  });

  test('prints one, with the claims that are asked for, of the issuer that signs it', async () => {
    const claims = '{"email":"erin@example.org","iss":"https://evil.example"}';
    const { code, stdout } = await run([
      'dev',
      'token',
      '--issuer',
      issuer,
      '--shape',
      'email',
      '--claims',
      claims,
    ]);
    const token = stdout.trim();
    expect([code, stdout]).toEqual([0, `${token}\n`]);
    expect(claimsOf(token)).toMatchObject({
      email: 'erin@example.org',
      iss: `${issuer}/email`,
      aud: 'sigstore',
    });
    expect((await issue(url, { token })).leaf.names[0]?.value).toBe(challengeOf(token));
  });

  test('says why there is none', async () => {
    const cases: [string[], RegExp, number][] = [
      [['--claims', '[]'], /claims are one JSON object/, 2],
      [['--shape', 'jenkins'], /github, gitlab, email/, 2],
      [
        ['--issuer', 'http://127.0.0.1:1'],
        /no development issuer answers at http:\/\/127\.0\.0\.1:1; start one with: npm start/,
        1,
      ],
    ];
    const tries = cases.map(async ([args, words, wanted]) => {
      const { code, stdout, stderr } = await run(['dev', 'token', '--issuer', issuer, ...args]);
      expect([code, stdout]).toEqual([wanted, '']);
      expect(stderr).toMatch(words);
    });
    await Promise.all(tries);
  });
});

describe('the page of tokens', () => {
  test('offers every shape, and loads nothing from elsewhere', async () => {
    const { text, headers, status } = await send(issuer, '/');
    expect(status).toBe(200);
    expect(headers['content-type']).toMatch(/^text\/html/);
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    for (const shape of ['github', 'gitlab', 'email']) expect(text).toContain(`action="/${shape}/token"`);
  });

  test('shows the token that a form asked for, and its claims as text', async () => {
    const claims = '{"email":"a@example.org","x":"</textarea><script>alert(1)</script>"}';
    const { text, status } = await send(issuer, '/email/token', {
      method: 'POST',
      headers: { accept: 'text/html', 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ claims }).toString(),
    });
    expect(status).toBe(200);
    expect(text).not.toContain('<script>');
    const token = /<pre>([\w-]+\.[\w-]+\.[\w-]+)<\/pre>/.exec(text)?.[1] ?? '';
    expect((await issue(url, { token })).leaf.names[0]?.value).toBe('a@example.org');
  });

  test('refuses what is no object, and shapes of no name', async () => {
    const post = (path: string, body: string) =>
      send(issuer, path, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body,
      });
    expect((await post('/email/token', 'claims=%5B%5D')).status).toBe(400);
    expect((await post('/nobody/token', '')).status).toBe(404);
    expect((await post('/constructor/token', '')).status).toBe(404);
    expect((await send(issuer, '/__proto__/.well-known/openid-configuration')).status).toBe(404);
  });
});

test('keys and log go to the folder that the help names', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'mayfly-'));
  try {
    const other = start(['dev', ...FREE_PORTS, '--issuer-port', '0'], { cwd });
    await other.saying(/ready at/);
    expect((await other.stop()).code).toBe(0);
    const { stdout } = await run(['dev', '--help']);
    const [, folder = ''] = /--data <dir>[^(]*\(default:\s+(\S+)\)/.exec(stdout) ?? [];
    expect(existsSync(join(cwd, folder, 'ca', 'root.pem'))).toBe(true);
  } finally {
    rmSync(cwd, { recursive: true });
  }
});

test('dev listens on loopback only', async () => {
  const { code, stderr } = await run([
    'dev',
    ...FREE_PORTS,
    '--issuer-port',
    '0',
    '--ephemeral',
    '--host',
    '0.0.0.0',
  ]);
  expect(code).toBe(1);
  expect(stderr).toContain('dev listens on loopback only');
});

test('demo says which part of a running instance does not answer', async () => {
  const gone = 'http://127.0.0.1:1';
  const instance = await run(['demo', '--instance', gone, '--issuer', issuer]);
  expect([instance.code, instance.stderr]).toEqual([
    2,
    `mayfly: no instance answers at ${gone}; start one with: npm start\n`,
  ]);
  const tokens = await run(['demo', '--instance', url, '--issuer', gone]);
  expect([tokens.code, tokens.stderr]).toEqual([
    2,
    `mayfly: no development issuer answers at ${gone}; start one with: npm start\n`,
  ]);
});

test('demo issues against a throw-away instance, and tells it in plain words', async () => {
  const { code, stdout } = await run(['demo', '--pem']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/proved this identity with a token from http:\/\/127\.0\.0\.1:\d+\/github/);
  expect(stdout).toMatch(/for 10 minutes, from \S+Z to \S+Z\./);
  expect(stdout).toContain('its signature verifies with the log key');
  expect(stdout).toMatch(/it is there: recomputed from its tiles with 0 hashes, in the signed tree of 1\./);
  const pem = /-----BEGIN CERTIFICATE-----.*-----END CERTIFICATE-----/s.exec(stdout)?.[0] ?? '';
  const leaf = readCertificate(pem);
  expect(stdout).toContain(leaf.names[0]?.value);
  expect(stdout).toContain(leaf.serial);
});

test('the version is that of the package', async () => {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  expect(VERSION).toBe(version);
  expect((await run(['--version'])).stdout).toBe(`${version}\n`);
});

test('without a command, and with one of no name, help is given', async () => {
  const [none, wrong] = await Promise.all([run([]), run(['srve'])]);
  expect(none.code).toBe(2);
  expect(none.stderr).toContain('serve [options]');
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain("unknown command 'srve'");
});
