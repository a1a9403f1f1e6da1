// The commands sign, verify, attest and trust as processes: exit codes, words for people and scripts, and no token in any of them.

import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startInstance, type TestInstance } from '../../src/node/library.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
const EMAIL = 'dev@example.com';

const folder = mkdtempSync(join(tmpdir(), 'mayfly-commands-'));
/** Of compiled code, as most of the time goes into starting. */
const cache = mkdtempSync(join(tmpdir(), 'mayfly-commands-cache-'));
const path = (name: string): string => join(folder, name);
let instance: TestInstance;
let token: string;
/** Everything that was printed and written, apart from the token's own file. */
const shown: string[] = [];

beforeAll(async () => {
  instance = await startInstance();
  token = await instance.token();
  writeFileSync(path('artifact'), 'what is released');
  writeFileSync(path('other'), 'what is not');
  writeFileSync(path('token.jwt'), `${token}\n`);
});
afterAll(async () => {
  await instance.close();
  for (const made of [folder, cache]) rmSync(made, { recursive: true, force: true });
});
afterEach(() => {
  const [, payload = '', signature = ''] = token.split('.');
  const files = readdirSync(folder).filter((name) => name !== 'token.jwt');
  for (const text of [...shown.splice(0), ...files.map((name) => readFileSync(path(name), 'utf8'))]) {
    expect(text).not.toContain(payload);
    expect(text).not.toContain(signature);
  }
});

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Of stdout. */
  readonly json: unknown;
}

function mayfly(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  stdin = '',
): Promise<Ran> {
  const { promise, resolve, reject } = Promise.withResolvers<Ran>();
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], MAYFLY_INSTANCE: instance.url, NODE_COMPILE_CACHE: cache, ...env },
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (part: Buffer) => {
    output.stdout += part.toString();
  });
  child.stderr.on('data', (part: Buffer) => {
    output.stderr += part.toString();
  });
  child.on('error', reject);
  child.on('close', (status) => {
    shown.push(output.stdout, output.stderr);
    resolve({ status, ...output, json: parse(output.stdout) });
  });
  child.stdin.end(stdin);
  return promise;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const who = (): readonly string[] => ['--identity', EMAIL, '--issuer', instance.issuer];

describe('a newcomer', () => {
  test('signs with nothing but an instance, copies the line that is shown, and it verifies', async () => {
    const signed = await mayfly(['sign', 'artifact']);
    expect(signed).toMatchObject({ status: 0, stderr: '' });
    const line = signed.stdout.trimEnd().split('\n').at(-1)?.trim() ?? '';
    expect(line).toBe(`mayfly verify artifact --identity ${EMAIL} --issuer ${instance.issuer}`);
    const verified = await mayfly(line.split(' ').slice(1));
    expect(verified).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringContaining('Verified artifact'),
    });
  });
});

describe('sign', () => {
  test('takes a token from a file, the environment, and standard input', async () => {
    const results = await Promise.all([
      mayfly(['sign', 'artifact', '--json', '--identity-token', 'token.jwt', '--bundle', 'one.json']),
      mayfly(['sign', 'artifact', '--json', '--bundle', 'two.json'], { SIGSTORE_ID_TOKEN: token }),
      mayfly(['sign', 'artifact', '--json', '--identity-token', '-', '--bundle', 'three.json'], {}, token),
      mayfly(['sign', 'artifact', '--json', '--identity-token', token, '--bundle', 'four.json']),
    ]);
    for (const { status, json } of results) {
      expect(json).toMatchObject({
        ok: true,
        identity: EMAIL,
        issuer: instance.issuer,
        logIndex: expect.any(Number),
      });
      expect(status).toBe(0);
    }
  });

  test.each([
    ['without a file', ['sign', 'absent'], {}, /absent cannot be read \(ENOENT\)/],
    [
      'without an instance',
      ['sign', 'artifact'],
      { MAYFLY_INSTANCE: 'http://127.0.0.1:1' },
      /does not answer/,
    ],
    ['over http from afar', ['sign', 'artifact', '--instance', 'http://ca.example.com'], {}, /--allow-http/],
    [
      'with a token that is none',
      ['sign', 'artifact', '--identity-token', 'eyJh.eyJi.c'],
      {},
      /no identity token/,
    ],
    ['in a job without the permission', ['sign', 'artifact'], { GITHUB_ACTIONS: 'true' }, /id-token: write/],
    [
      'where the bundle cannot be',
      ['sign', 'artifact', '--bundle', 'absent/b'],
      {},
      /absent\/b cannot be written/,
    ],
    ['with no arguments', ['sign'], {}, /missing required argument/],
    ['with an option that there is not', ['sign', 'artifact', '--key', 'x'], {}, /unknown option/],
  ] as const)('%s ends with 2 and one sentence', async (_, args, env, words) => {
    const { status, stdout, stderr } = await mayfly(args, env);
    expect(stderr).toMatch(words);
    expect({ status, stdout, lines: stderr.trimEnd().split('\n').length }).toEqual({
      status: 2,
      stdout: '',
      lines: 1,
    });
  });

  test('of a token that is refused says what would be accepted, also to a script', async () => {
    const foreign = await instance.token({ aud: 'somebody' });
    const { status, json } = await mayfly(['sign', 'artifact', '--json'], { MAYFLY_ID_TOKEN: foreign });
    expect(json).toEqual({
      ok: false,
      code: 'certificate_refused',
      message: expect.stringMatching(/AUDIENCE_MISMATCH.*sigstore/),
    });
    expect(status).toBe(2);
  });
});

describe('verify', () => {
  beforeAll(async () => {
    expect(await mayfly(['sign', 'artifact', '--identity-token', 'token.jwt'])).toMatchObject({ status: 0 });
  });

  test('with exported keys asks nobody', async () => {
    expect(await mayfly(['trust', 'export', '--out', 'trust', '--json'])).toMatchObject({
      status: 0,
      json: {
        ok: true,
        files: [expect.stringContaining('trusted_root.json'), expect.anything(), expect.anything()],
      },
    });
    for (const name of ['trusted_root.json', 'client_trust_config.json']) {
      const root = ['--trusted-root', join('trust', name)];
      const alone = { MAYFLY_INSTANCE: 'http://127.0.0.1:1' };
      expect(await mayfly(['verify', 'artifact', ...who(), ...root], alone)).toMatchObject({ status: 0 });
    }
    rmSync(path('trust'), { recursive: true });
  });

  test.each([
    [
      'another identity',
      () => ['artifact', '--identity', 'dev@example.co', '--issuer', instance.issuer],
      'identity_mismatch',
    ],
    [
      'another issuer',
      () => ['artifact', '--identity', '*', '--issuer', 'https://example.com'],
      'issuer_mismatch',
    ],
    ['another file', () => ['other', ...who(), '--bundle', 'artifact.sigstore.json'], 'artifact_mismatch'],
    ['something that is no bundle', () => ['artifact', ...who(), '--bundle', 'other'], 'bundle_malformed'],
    [
      'no attestation',
      () => ['artifact', ...who(), '--bundle', 'artifact.sigstore.json', '--attestation'],
      'predicate_type_mismatch',
    ],
  ] as const)('of %s ends with 1 and says so', async (_, args, code) => {
    expect(await mayfly(['verify', ...args(), '--json'])).toMatchObject({
      status: 1,
      stderr: '',
      json: { ok: false, code, message: expect.any(String) },
    });
  });

  test('says so to a person in one sentence', async () => {
    const args = ['verify', 'artifact', '--identity', 'somebody', '--issuer', instance.issuer];
    expect(await mayfly(args)).toMatchObject({
      status: 1,
      stdout: '',
      stderr: `mayfly: it was signed by ${EMAIL}, not by somebody\n`,
    });
  });

  test.each([
    [
      'without a bundle',
      ['verify', 'other', '--identity', 'a', '--issuer', 'b'],
      /other\.sigstore\.json cannot be read/,
    ],
    ['without an identity', ['verify', 'artifact', '--issuer', 'b'], /--identity/],
    ['without an issuer', ['verify', 'artifact', '--identity', 'a'], /--issuer/],
    [
      'without keys',
      ['verify', 'artifact', '--identity', 'a', '--issuer', 'b', '--trusted-root', 'artifact'],
      /artifact holds no trusted root/,
    ],
  ])('%s ends with 2', async (_, args, words) => {
    expect(await mayfly(args)).toMatchObject({ status: 2, stdout: '', stderr: expect.stringMatching(words) });
  });
});

describe('attest', () => {
  test('says how a CI job built the file, which verify finds by itself', async () => {
    const { url, token: mint } = instance.issuers.github;
    const env = { MAYFLY_ID_TOKEN: await mint() };
    expect(await mayfly(['attest', 'other'], env)).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('bundle    other.slsa-provenance.sigstore.json'),
    });
    const args = ['verify', 'other', '--identity', '*/octo-org/octo-repo/*', '--issuer', url, '--json'];
    expect(await mayfly(args)).toMatchObject({
      status: 0,
      json: {
        predicateType: 'https://slsa.dev/provenance/v1',
        statement: {
          subject: [{ name: 'other' }],
          predicate: { runDetails: { builder: { id: expect.stringContaining('/octo-org/octo-repo/') } } },
        },
      },
    });
  });

  test('says anything else that is given, which has to be asked for', async () => {
    writeFileSync(path('predicate.json'), '{"answer":42}');
    const type = ['--type', 'https://example.com/answer'];
    const args = ['attest', 'artifact', ...type, '--predicate', 'predicate.json'];
    expect(await mayfly([...args, '--identity-token', 'token.jwt'])).toMatchObject({ status: 0 });
    expect(await mayfly(['verify', 'artifact', ...who(), ...type])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('says      https://example.com/answer'),
    });
    const bundle = ['--bundle', 'artifact.attestation.sigstore.json'];
    expect(await mayfly(['verify', 'artifact', ...who(), ...bundle])).toMatchObject({ status: 1 });
  });

  test('that a file is published needs no predicate, and for PEP 740 a signature log', async () => {
    const args = ['attest', 'artifact', '--type', 'pypi-publish', '--identity-token', 'token.jwt'];
    expect(await mayfly(args)).toMatchObject({ status: 0 });
    expect(await mayfly(['verify', 'artifact', ...who(), '--type', 'pypi-publish'])).toMatchObject({
      status: 0,
    });
    expect(await mayfly([...args, '--pep740', 'p.json'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('signature log'),
    });
  });

  test.each([
    [
      'with nothing to say',
      ['attest', 'artifact', '--type', 'https://example.com/x'],
      /needs --predicate FILE/,
    ],
    [
      'with a predicate that is none',
      ['attest', 'artifact', '--predicate', 'artifact'],
      /holds no JSON object/,
    ],
    ['of a person', ['attest', 'artifact', '--identity-token', 'token.jwt'], /is of no CI/],
    [
      'of a type that is none',
      ['attest', 'artifact', '--type', 'sbom'],
      /one of slsa-provenance, pypi-publish/,
    ],
  ])('%s ends with 2', async (_, args, words) => {
    expect(await mayfly(args)).toMatchObject({ status: 2, stdout: '', stderr: expect.stringMatching(words) });
  });
});

test('help tells the exit codes, and is no failure', async () => {
  const { status, stdout } = await mayfly(['trust', 'export', '--help']);
  expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining('Exit codes:') });
});
