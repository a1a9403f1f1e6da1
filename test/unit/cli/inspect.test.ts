import { spawnSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { entryOf } from '../../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { run, serve } from '../../fakes/process.ts';
import { type Issued, issue } from '../../fakes/signing-client.ts';

let people: FakeIssuer;
let folder: string;
let data: string;
let config: string;
let issued: Issued;

beforeAll(async () => {
  people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
  folder = mkdtempSync(join(tmpdir(), 'mayfly-cli-inspect-'));
  data = join(folder, 'data');
  config = join(folder, 'mayfly.yaml');
  writeFileSync(config, stringify({ issuers: [entryOf({ issuer: people, type: 'email', name: 'people' })] }));
  const server = await serve(['--config', config, '--data', data]);
  issued = await issue(server.url, { token: await people.sign() });
  await server.stop();
});
afterAll(async () => {
  await people.close();
  rmSync(folder, { recursive: true });
});

function written(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe('inspect', () => {
  test('a leaf: whose it is, on whose word, where it is logged', async () => {
    const { code, stdout } = await run(['inspect', written('chain.pem', issued.chain.join('\n'))]);
    expect(code).toBe(0);
    expect(stdout.startsWith('dana@example.org\n')).toBe(true);
    expect(stdout).toContain(`proved this identity with a token from ${people.url}`);
    expect(stdout).toMatch(/Key +EC P-256\n/);
    expect(stdout).toMatch(/Logged \S+ as entry 0\n/);
    expect(stdout).toContain('valid now');
  });

  test('the same from PEM, DER, base64, a bundle, and standard input', async () => {
    const { raw, fingerprint256, serialNumber } = issued.leaf.x509;
    const rawBytes = raw.toString('base64');
    const bundle = { verificationMaterial: { certificate: { rawBytes } } };
    const forms = [issued.chain[0] ?? '', raw, rawBytes, JSON.stringify(bundle)];
    const expected = {
      identity: { kind: 'email', value: 'dana@example.org' },
      issuer: people.url,
      serialNumber: serialNumber.toLowerCase(),
      fingerprintSha256: fingerprint256.replaceAll(':', '').toLowerCase(),
      scts: [{ logIndex: 0 }],
    };
    for (const [i, form] of forms.entries()) {
      const { stdout } = await run(['inspect', '--json', written(`form-${i}`, form)]);
      expect(JSON.parse(stdout)).toMatchObject(expected);
    }
    const main = new URL('../../../src/cli/main.ts', import.meta.url).pathname;
    const piped = spawnSync(process.execPath, [main, 'inspect', '--json', '-'], { input: raw });
    expect(JSON.parse(String(piped.stdout))).toMatchObject(expected);
  });

  test('a CA', async () => {
    const { stdout } = await run(['inspect', written('ca.pem', issued.chain[1] ?? '')]);
    expect(stdout).toMatch(/^O=Mayfly, CN=Mayfly intermediate\n {2}a CA below O=Mayfly, CN=Mayfly root\n/);
  });

  test('a certificate of somebody else, of which nothing is claimed', async () => {
    const file = join(folder, 'foreign.pem');
    const made = spawnSync(
      'openssl',
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=foreign -addext'
        .split(' ')
        .concat('basicConstraints=critical,CA:FALSE', '-addext', 'subjectAltName=DNS:foreign.example')
        .concat('-keyout', join(folder, 'foreign.key'), '-out', file),
    );
    expect(made.status).toBe(0);
    const { stdout } = await run(['inspect', file]);
    expect(stdout).toMatch(/^CN=foreign\n {2}is no certificate of Mayfly or Fulcio/);
    expect(stdout).toMatch(/Names +DNS:foreign\.example\n/);
    expect(stdout).not.toContain('may sign');
    const json = JSON.parse((await run(['inspect', '--json', file])).stdout);
    expect(json).toMatchObject({ issuer: null, subject: 'CN=foreign', names: 'DNS:foreign.example' });
  });

  test.each([
    ['text', 'hello', /no certificate in PEM or DER/],
    ['JSON', '{}', /no Sigstore bundle/],
    ['DER of something else', Buffer.of(0x30, 0), /holds no certificate/],
  ])('%s is refused with a sentence', async (name, content, words) => {
    const { code, stderr } = await run(['inspect', written(name, content)]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(words)]);
  });
});

test('ca show: the chain, and where its keys are', async () => {
  const place = ['--config', config, '--data', data];
  const { code, stdout } = await run(['ca', 'show', ...place]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^O=Mayfly, CN=Mayfly intermediate\n/);
  expect(stdout).toMatch(/O=Mayfly, CN=Mayfly root\n {2}a root/);
  rmSync(join(data, 'ca', 'root.key'));
  const json = JSON.parse((await run(['ca', 'show', '--json', ...place])).stdout);
  const fingerprints = issued.chain.slice(1).map((pem) => new X509Certificate(pem).fingerprint256);
  expect(json).toMatchObject({
    ok: true,
    chain: fingerprints.map((print) => ({ fingerprintSha256: print.replaceAll(':', '').toLowerCase() })),
    keys: [{ state: 'clear' }, { state: 'away' }],
  });
  const none = await run(['ca', 'show', '--config', config, '--data', join(folder, 'none')]);
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('no CA yet')]);
});

describe('issuer', () => {
  test('check: discovery, keys, clock, and an entry that can be used', async () => {
    const { code, stdout } = await run(['issuer', 'check', people.url]);
    expect([code, stdout]).toEqual([
      0,
      expect.stringContaining(`${people.url}/.well-known/openid-configuration`),
    ]);
    expect(stdout).toMatch(/algorithms +ES256\n/);
    expect(stdout).toMatch(new RegExp(`keys +${people.keys[0]?.kid} +EC P-256, ES256\n`));
    expect(stdout).toMatch(/clock +the same as here\n/);
    const entry = stdout.slice(stdout.indexOf('- name:')).replaceAll(/^ {2}/gm, '');
    const file = written('entry.yaml', `issuers:\n${entry}`);
    expect((await run(['config', 'check', '--strict', file])).code).toBe(0);
  });

  test('check --token: verified claims, and the name that a certificate would have', async () => {
    const file = written('token', `${await people.sign({ aud: 'other' })}\n`);
    const { code, stdout } = await run(['issuer', 'check', people.url, '--token', file]);
    expect(code).toBe(0);
    expect(stdout).toContain('The token is good');
    expect(stdout).toMatch(/email_verified +true\n/);
    expect(stdout).toContain('A certificate for it would name dana@example.org');
    expect(stdout).toContain('audiences: [other]');
  });

  test.each<[string, () => Promise<string>, RegExp]>([
    ['expired', () => people.sign({}, { expiresIn: -5 }), /TOKEN_EXPIRED/],
    [
      'forged',
      async () => {
        const [head, payload] = (await people.sign()).split('.');
        return `${head}.${payload}.${'A'.repeat(86)}`;
      },
      /SIGNATURE_INVALID/,
    ],
    ['of another issuer', () => people.sign({ iss: 'https://other.example.com' }), /its iss is another/],
    ['no token', async () => 'hello', /TOKEN_MALFORMED/],
    ['cut off', async () => (await people.sign()).replace(/\.[^.]*$/, ''), /TOKEN_MALFORMED/],
  ])('check --token: %s', async (name, make, words) => {
    const { code, stdout } = await run([
      'issuer',
      'check',
      people.url,
      '--token',
      written(`token-${name}`, await make()),
    ]);
    expect([code, stdout]).toEqual([1, expect.stringMatching(words)]);
  });

  test('check --token: as it was pasted, and never said again where it cannot be used', async () => {
    const token = await people.sign();
    const wrapped = ` "${token.slice(0, 80)}\n${token.slice(80)}"\n`;
    for (const pasted of [token, `Bearer ${token}`, `Authorization: Bearer ${token}`, wrapped]) {
      const { code, stdout } = await run(['issuer', 'check', people.url, '--token', pasted]);
      expect([code, stdout]).toEqual([0, expect.stringContaining('The token is good')]);
    }
    const half = token.slice(0, token.lastIndexOf('.'));
    const cut = await run(['issuer', 'check', people.url, '--token', half]);
    expect([cut.code, cut.stdout]).toEqual([1, expect.stringContaining('TOKEN_MALFORMED')]);
    expect(cut.stdout + cut.stderr).not.toContain(half);
  });

  test('check: a key that jose would refuse counts for nothing', async () => {
    const weak = await people.sibling('/weak');
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    weak.published = [{ ...publicKey.export({ format: 'jwk' }), kid: 'weak' }];
    const { code, stdout } = await run(['issuer', 'check', weak.url]);
    expect([code, stdout]).toEqual([1, expect.stringMatching(/weak {2}RSA 1024 {2}not used here/)]);
  });

  test.each([
    [600, {}, 1, /clock +(599|600|601) s ahead of the one here: its tokens are refused as not valid yet\n/],
    [-600, {}, 1, /clock +(599|600|601) s behind the one here: short-lived tokens have expired/],
    [-60, {}, 0, /clock +(59|60|61) s behind the one here: tokens expire early\n/],
    [60, {}, 0, /clock +(59|60|61) s ahead of the one here\n/],
    // A cache says how long it has had the answer.
    [-600, { age: '600' }, 0, /clock +the same as here\n/],
  ])('check: a clock %i s ahead, with %o', async (ahead, headers, status, words) => {
    const clock = await people.sibling(`/clock${ahead}`);
    clock.headers = { date: new Date(Date.now() + ahead * 1000).toUTCString(), ...headers };
    const { code, stdout } = await run(['issuer', 'check', clock.url]);
    expect([code, stdout]).toEqual([status, expect.stringMatching(words)]);
  });

  test('check: what is wrong with an issuer, in a sentence', async () => {
    const liar = await people.sibling('/liar');
    liar.document = { issuer: people.url };
    const broken = await people.sibling('/broken');
    broken.discovery = { status: 500 };
    expect(await run(['issuer', 'check', liar.url])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining(`issuer is "${people.url}" and not ${liar.url}`),
    });
    expect(await run(['issuer', 'check', broken.url])).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/HTTP status 500/),
    });
    const json = await run(['issuer', 'check', '--json', `${people.url}/none`]);
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, fault: { code: 'status_not_ok' } });
    expect((await run(['issuer', 'check', 'nonsense'])).code).toBe(2);
  });

  test('list, freeze and unfreeze hold to the configuration', async () => {
    const place = ['--config', config, '--data', data];
    expect((await run(['issuer', 'list', ...place])).stdout).toContain(`people  ${people.url}`);
    const unknown = await run(['issuer', 'freeze', 'poeple', ...place]);
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('there is: people')]);
    expect((await run(['issuer', 'freeze', people.url, ...place])).code).toBe(0);
    expect((await run(['issuer', 'list', ...place])).stdout).toContain('FROZEN people');
    expect((await run(['issuer', 'unfreeze', 'people', ...place])).code).toBe(2); // not as it was given
    expect((await run(['issuer', 'unfreeze', people.url, ...place])).code).toBe(0);
    const nowhere = await run([
      'issuer',
      'freeze',
      'people',
      '--config',
      config,
      '--data',
      join(folder, 'none'),
    ]);
    expect([nowhere.code, nowhere.stderr]).toEqual([2, expect.stringContaining('no data folder')]);
  });
});
