import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { encodePem } from '../../../src/encoding/pem.ts';
import { entryOf } from '../../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { FREE_PORTS, run, serve } from '../../fakes/process.ts';
import { issue } from '../../fakes/signing-client.ts';
import { makePair } from '../certificate/made-chain.ts';

let people: FakeIssuer;
let folder: string;
let config: string;

beforeAll(async () => {
  people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
  folder = mkdtempSync(join(tmpdir(), 'mayfly-cli-ca-'));
  config = join(folder, 'people.yaml');
  writeFileSync(config, stringify({ log: 'none', issuers: [entryOf({ issuer: people, type: 'email' })] }));
});
afterAll(async () => {
  await people.close();
  rmSync(folder, { recursive: true });
});

const now = Date.now();
const YEAR = 365 * 86_400_000;
const validity = { notBefore: now - 86_400_000, notAfter: now + YEAR };
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;

interface Written {
  readonly chain: string;
  readonly key: string;
}

/** A CA of that key with its chain and key on disk. */
function written(name: string, key: KeyObject, pem: string | Buffer): Written {
  const { chain } = makePair({ ...validity, key }, validity);
  const paths = { chain: join(folder, `${name}-chain.pem`), key: join(folder, `${name}.key`) };
  writeFileSync(paths.chain, chain.map((der) => encodePem('CERTIFICATE', der)).join(''));
  writeFileSync(paths.key, pem, { mode: 0o600 });
  return paths;
}

const PASSPHRASE = 'correct horse';
const encrypted = { cipher: 'aes-256-cbc', passphrase: PASSPHRASE };

test.each<[string, KeyObject, string | Buffer, boolean]>([
  ['PKCS#8', ec, ec.export({ type: 'pkcs8', format: 'pem' }), false],
  ['SEC 1', ec, ec.export({ type: 'sec1', format: 'pem' }), false],
  ['PKCS#1', rsa, rsa.export({ type: 'pkcs1', format: 'pem' }), false],
  ['encrypted PKCS#8', ec, ec.export({ type: 'pkcs8', format: 'pem', ...encrypted }), true],
])('an existing CA with its key in %s', async (name, key, pem, locked) => {
  const { chain, key: file } = written(name.replace(/\W/g, ''), key, pem);
  const passphrase = join(folder, 'passphrase');
  writeFileSync(passphrase, `${PASSPHRASE}\n`, { mode: 0o600 });
  const args = ['--config', config, '--ephemeral', '--ca-chain', chain, '--ca-key', file];
  if (name === 'SEC 1') {
    // The configuration says the same.
    const own = join(folder, 'ca.yaml');
    const issuers = [entryOf({ issuer: people, type: 'email' })];
    writeFileSync(own, stringify({ log: 'none', ca: { chain, key: file }, issuers }));
    args.splice(0, args.length, '--config', own, '--ephemeral');
  }
  if (locked) {
    const { code, stderr } = await run(['serve', ...FREE_PORTS, ...args]);
    expect([code, stderr]).toEqual([1, expect.stringContaining(file)]);
    args.push('--ca-key-passphrase-file', passphrase);
  }
  const server = await serve(args);
  const { leaf, authority } = await issue(server.url, { token: await people.sign() });
  expect(authority.x509.subject).toContain('O=Test');
  expect(leaf.x509.verify(authority.x509.publicKey)).toBe(true);
  expect(server.output.stderr).not.toContain(PASSPHRASE);
  expect((await server.stop()).code).toBe(0);
});

test.each<[string, () => Written, RegExp]>([
  [
    'with the key of another',
    () =>
      written(
        'other',
        ec,
        generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({
          type: 'pkcs8',
          format: 'pem',
        }),
      ),
    /other-chain\.pem/,
  ],
  ['whose key is text', () => written('text', ec, 'hello'), /text\.key/],
  [
    'that has expired',
    () => {
      const { chain } = makePair({ notBefore: now - 2 * YEAR, notAfter: now - YEAR, key: ec }, validity);
      const paths = written('expired', ec, ec.export({ type: 'pkcs8', format: 'pem' }));
      writeFileSync(paths.chain, chain.map((der) => encodePem('CERTIFICATE', der)).join(''));
      return paths;
    },
    /expired/,
  ],
])('a CA %s is refused, and nothing is made', async (_, make, words) => {
  const { chain, key } = make();
  const before = readdirSync(folder);
  const args = ['--config', config, '--ca-chain', chain, '--ca-key', key];
  const { code, stderr } = await run(['serve', ...FREE_PORTS, ...args], { cwd: folder });
  expect(code).toBe(1);
  expect(stderr).toMatch(words);
  expect(stderr).not.toMatch(/^\s+at |PRIVATE KEY/m);
  expect(readdirSync(folder)).toEqual(before);
});

test.each<[string, readonly string[], RegExp]>([
  ['a CA without a log', ['--role', 'ca', '--log', 'builtin'], /role ca needs to know the log/],
  [
    'a key of gRPC that is none',
    ['--grpc-tls-certificate', 'tls.pem', '--grpc-tls-key', 'tls.key'],
    /the TLS files of gRPC .* cannot be used/,
  ],
  [
    'the same with workers',
    ['--workers', '2', '--grpc-tls-certificate', 'tls.pem', '--grpc-tls-key', 'tls.key'],
    /the TLS files of gRPC .* cannot be used/,
  ],
])('%s is refused before the first start makes anything', async (_, args, words) => {
  writeFileSync(join(folder, 'tls.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  writeFileSync(join(folder, 'tls.key'), '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n');
  const before = readdirSync(folder);
  const { code, stderr } = await run(['serve', ...FREE_PORTS, '--config', config, ...args], { cwd: folder });
  expect([code, stderr]).toEqual([args.includes('--role') ? 78 : 1, expect.stringMatching(words)]);
  expect(readdirSync(folder)).toEqual(before);
});
