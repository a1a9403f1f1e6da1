import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { KNOWN_ISSUERS } from '../../../src/config/issuer-draft.ts';
import { parseSettings } from '../../../src/config/settings.ts';
import { KINDS } from '../../fakes/instance.ts';
import { run } from '../../fakes/process.ts';
import { newTlsIdentity } from '../../fakes/tls.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mayfly-cli-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function written(name: string, file: string | object): string {
  const path = join(folder, name);
  writeFileSync(path, typeof file === 'string' ? file : stringify(file));
  return path;
}
const good = { 'issuer-url': 'https://login.example.com', audiences: ['sigstore'], type: 'email' };

describe('config check', () => {
  test('a good file', async () => {
    const file = written('good.yaml', { issuers: [good] });
    const { code, stdout, stderr } = await run(['config', 'check', file]);
    expect([code, stdout, stderr]).toEqual([0, `${file}: can be used; 1 issuer\n`, '']);
  });

  test('every mistake, with its line, and exit code 1', async () => {
    const file = written('bad.yaml', 'port: 70000\nissuers:\n  - type: emial\n    audiences: []\n');
    const { code, stdout } = await run(['config', 'check', file]);
    expect(code).toBe(1);
    expect(stdout).toContain(`${file}:1: port: takes a port`);
    expect(stdout).toContain(`${file}:3: issuers[0].issuer-url: is missing`);
    expect(stdout).toMatch(/\d+ mistakes\n$/);
    const json = JSON.parse((await run(['config', 'check', '--json', file])).stdout);
    expect(json).toMatchObject({
      ok: false,
      file,
      mistakes: [
        { severity: 'error', path: 'port', line: 1 },
        { path: 'issuers[0].issuer-url', line: 3 },
        { path: 'issuers[0].audiences', line: 4 },
        { path: 'issuers[0].type', line: 3 },
      ],
    });
  });

  test('a certificate and the key of another', async () => {
    const [one, other] = await Promise.all([newTlsIdentity(), newTlsIdentity()]);
    const certificate = written('cert.pem', one.cert);
    const file = (key: string) => written('tls.yaml', { tls: { certificate, key }, issuers: [good] });
    const { code, stdout } = await run(['config', 'check', file(written('other.pem', other.key))]);
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/tls: the TLS files of REST .* cannot be used/),
    ]);
    expect((await run(['config', 'check', file(written('key.pem', one.key))])).code).toBe(0);
  });

  test('warnings pass, and do not with --strict', async () => {
    const url = 'https://accounts.google.com';
    const file = written('fulcio.yaml', {
      'oidc-issuers': { [url]: { 'issuer-url': url, 'client-id': 'sigstore', type: 'email' } },
    });
    const lenient = await run(['config', 'check', file]);
    expect([lenient.code, lenient.stdout]).toEqual([0, expect.stringContaining('warning')]);
    expect((await run(['config', 'check', '--strict', file])).code).toBe(1);
  });

  test('a ConfigMap is one mistake, which says what to give instead; it is not loaded', async () => {
    const text = stringify({ issuers: [good] });
    const manifest = (data: object) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'fulcio-server-config' },
      data,
    });
    const words =
      'the file is a Kubernetes ConfigMap, and the configuration is the text under data["config.yaml"]: mount the ConfigMap as a volume and give the file in it, as in --config /etc/mayfly/config.yaml, or save that text as a file of its own';
    for (const form of [stringify, JSON.stringify]) {
      const file = written('cm.yaml', form(manifest({ 'config.yaml': text })));
      const line = form === stringify ? 2 : 1;
      const { code, stdout } = await run(['config', 'check', file]);
      expect([code, stdout]).toEqual([1, `${file}:${line}: ${words}\n1 mistake\n`]);
    }
    const several = written('several.yaml', manifest({ 'a.yaml': text, 'b.json': '{}' }));
    const { code, stderr } = await run(['serve', '--ephemeral', '--config', several]);
    expect([code, stderr]).toEqual([
      78,
      expect.stringContaining('under data["a.yaml"] or data["b.json"]: mount'),
    ]);
    expect(stderr.trim()).not.toContain('\n');
    const other = written('other.yaml', { ...manifest({}), kind: 'Secret' });
    expect((await run(['config', 'check', other])).stdout).toMatch(
      /:2: the file is a Kubernetes Secret, and no/,
    );
  });

  test('a file that is not there is told as that', async () => {
    const { code, stderr } = await run(['config', 'check', join(folder, 'none.yaml')]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/none\.yaml cannot be read/)]);
  });
});

describe('config show', () => {
  test('the file, flags over it, and defaults', async () => {
    const file = written('show.yaml', {
      port: 8080,
      issuers: [{ ...good, policy: { require: { hd: ['a.com'] } } }],
    });
    const { code, stdout } = await run([
      'config',
      'show',
      '--config',
      file,
      '--host',
      '::1',
      '--limits',
      'off',
    ]);
    expect(code).toBe(0);
    expect(parse(stdout)).toMatchObject({
      host: '::1',
      port: 8080,
      'metrics-port': 2112,
      'rate-limits': { enabled: false },
      issuers: [
        { 'issuer-url': good['issuer-url'], policy: { mode: 'enforce', require: { hd: ['a.com'] } } },
      ],
    });
  });

  test('no secret', async () => {
    const secret = 'hush-hush-hush-hush';
    const secrets = written('secrets', `${secret}\n`);
    const key = written('key.pem', `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`);
    const file = written('secrets.yaml', {
      log: { url: `https://user:${secret}@log.example.com`, bearer: { file: secrets } },
      'log-bearer': { file: secrets },
      explain: { bearer: { file: secrets } },
      'rate-limits': {
        backend: 'redis',
        'redis-url': `redis://user:${secret}@127.0.0.1:6379`,
        'redis-password': { file: secrets },
        'redis-tls': { key: { file: key } },
        'redis-options': { sentinelPassword: secret },
      },
    });
    for (const args of [[], ['--json']]) {
      const { code, stdout, stderr } = await run(['config', 'show', '--config', file, ...args]);
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).not.toContain(secret);
      expect(stdout).toContain('(set)');
      expect(stdout).toContain('127.0.0.1:6379');
    }
  });
});

test('config schema is the one that is shipped', async () => {
  const { code, stdout } = await run(['config', 'schema']);
  expect(code).toBe(0);
  expect(stdout).toBe(readFileSync(new URL('../../../config/schema.json', import.meta.url), 'utf8'));
});

describe('init', () => {
  test.each(Object.keys(KNOWN_ISSUERS))('%s: a file that loads without a warning', async (issuer) => {
    const out = join(folder, `init-${issuer}.yaml`);
    const { url, example, claim, type } = KNOWN_ISSUERS[issuer] ?? { example: '', type: '' };
    const args = [
      ...(url === undefined ? ['--url', example] : []),
      ...(claim ? ['--allow', `${claim}=12345`] : []),
    ];
    const { code, stderr } = await run(['init', issuer, '--out', out, ...args]);
    expect([code, stderr]).toEqual([0, '']);
    const { settings, warnings } = parseSettings(readFileSync(out, 'utf8'), { fileName: out, kinds: KINDS });
    expect(warnings).toEqual([]);
    const [one] = settings.issuers;
    expect([one?.issuer.url, one?.provider.type]).toEqual([url ?? example, type]);
    expect(one?.policy?.rules.map(({ text }) => text)).toEqual(claim ? [`${claim}: ["12345"]`] : undefined);
  });

  test('never over a file, and not for everybody unless that is said', async () => {
    const out = written('mine.yaml', 'port: 1\n');
    const over = await run(['init', 'email', '--url', 'https://login.example.com', '--out', out]);
    expect([over.code, over.stderr]).toEqual([2, expect.stringContaining('is there already')]);
    expect(readFileSync(out, 'utf8')).toBe('port: 1\n');
    const everybody = ['init', 'github', '--out', join(folder, 'everybody.yaml')];
    expect(await run(everybody)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('repository_owner_id'),
    });
    expect((await run([...everybody, '--allow-any'])).code).toBe(0);
    expect(await run(['init', 'kubernetes'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--url'),
    });
    expect(await run(['init', 'nobody'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('github'),
    });
  });
});
