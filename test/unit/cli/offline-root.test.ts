// The way of a certificate from an offline root to an instance, with the real commands.

import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { send } from '../../fakes/client.ts';
import { entryOf } from '../../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { FREE_PORTS, type RunningServer, run, serve } from '../../fakes/process.ts';
import { type Issued, issue } from '../../fakes/signing-client.ts';

let people: FakeIssuer;
let folder: string;
let root: string;
let where: readonly string[];
let server: RunningServer | undefined;

beforeAll(async () => {
  people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
});
afterAll(() => people.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mayfly-offline-'));
  root = join(folder, 'root');
  const config = join(folder, 'mayfly.yaml');
  writeFileSync(config, stringify({ issuers: [entryOf({ issuer: people, type: 'email' })] }));
  where = ['--config', config, '--data', join(folder, 'data')];
});
afterEach(async () => {
  await server?.stop();
  server = undefined;
  rmSync(folder, { recursive: true });
});

const file = (name: string): string => join(folder, name);
const modeOf = (path: string): number => statSync(path).mode & 0o777;

/** Runs `mayfly ca` with --json. */
async function ca(...args: readonly string[]): Promise<[code: number | null, told: Record<string, unknown>]> {
  const { code, stdout, stderr } = await run(['ca', ...args, '--json']);
  expect(stderr).toBe('');
  return [code, JSON.parse(stdout) as Record<string, unknown>];
}

async function done(...args: readonly string[]): Promise<Record<string, unknown>> {
  const [code, told] = await ca(...args);
  expect([code, told['ok'], told]).toEqual([0, true, told]);
  return told;
}

const ask = async (): Promise<Issued> => issue(server?.url ?? '', { token: await people.sign() });

/** Request, signature, import; resolves with what the import told. */
async function certified(name: string, ...importing: readonly string[]): Promise<Record<string, unknown>> {
  const request = file(`${name}.csr`);
  const chain = file(`${name}.pem`);
  const { keySha256 } = await done('csr', ...where, '--out', request);
  await done('sign', request, '--root', root, '--expect-key', String(keySha256), '--out', chain);
  return done('import', chain, ...where, ...importing);
}

test('a new instance under an offline root, and a rotation under it', { timeout: 60_000 }, async () => {
  writeFileSync(file('secret'), 'correct horse\n');
  const secret = ['--passphrase-file', file('secret')];
  await done(
    'init',
    '--offline-root',
    root,
    '--organization',
    'Example',
    '--name',
    'Example root',
    ...secret,
  );
  expect([modeOf(root), modeOf(join(root, 'root.key'))]).toEqual([0o700, 0o600]);
  expect(readFileSync(join(root, 'root.key'), 'utf8')).toContain('ENCRYPTED PRIVATE KEY');
  const [twice] = await ca('init', '--offline-root', root);
  expect(twice).toBe(2);

  const { keySha256 } = await done('csr', ...where, '--out', file('one.csr'));
  const again = await done('csr', ...where);
  expect([again['again'], again['keySha256'], again['request']]).toEqual([
    true,
    keySha256,
    readFileSync(file('one.csr'), 'utf8'),
  ]);
  const early = await run(['serve', ...FREE_PORTS, ...where]);
  expect([early.code, early.stderr]).toEqual([1, expect.stringContaining('mayfly ca import')]);

  const signing = ['sign', file('one.csr'), '--root', root];
  expect((await ca(...signing))[0]).toBe(2); // no passphrase
  await done(...signing, ...secret, '--out', file('one.pem'));
  const told = await done('import', file('one.pem'), ...where);
  expect(told).toMatchObject({ as: 'in-force', chain: [{ issuer: 'O=Example, CN=Example root' }, {}] });
  expect(readdirSync(join(folder, 'data')).sort()).toEqual(['ca', 'instance.json', 'log', 'timestamp']);
  expect(readdirSync(join(folder, 'data', 'ca')).sort()).toEqual([
    'intermediate.key',
    'intermediate.pem',
    'root.pem',
  ]);

  server = await serve(where);
  const { leaf, authority, chain } = await ask();
  const [, , top = ''] = chain;
  const issuing = authority.x509;
  expect(leaf.x509.verify(issuing.publicKey)).toBe(true);
  expect(issuing.verify(new X509Certificate(top).publicKey)).toBe(true);
  expect(top.trim()).toBe(readFileSync(join(root, 'root.pem'), 'utf8').trim());
  const { json } = await send(server.url, '/.well-known/mayfly/trusted_root.json');
  expect(json).toMatchObject({ timestampAuthorities: [{}] });

  // The next intermediate, by itself after a moment.
  await done('csr', ...where, '--out', file('two.csr'));
  await done('sign', file('two.csr'), '--root', root, ...secret, '--out', file('two.pem'));
  const next = await done('import', file('two.pem'), ...where, '--after', '1s');
  expect(next).toMatchObject({ as: 'next', ca: [{ state: 'in force' }, { part: 'ca-2', state: 'next' }] });
  await vi.waitFor(
    async () => expect((await ask()).authority.x509.subject).toContain('CN=Mayfly intermediate 2'),
    { timeout: 20_000, interval: 50 },
  );
  const { chain: shown } = await done('show', ...where);
  expect(shown).toMatchObject([{ subject: 'O=Mayfly, CN=Mayfly intermediate 2' }, {}]);
});

test('the root signs nothing but a sound request for another name and key', { timeout: 60_000 }, async () => {
  await done('init', '--offline-root', root);
  await done('csr', ...where, '--out', file('good.csr'));
  const good = readFileSync(file('good.csr'), 'utf8');
  const refused = async (text: string, ...more: readonly string[]): Promise<unknown> => {
    writeFileSync(file('bad.csr'), text);
    const [code, { message }] = await ca(
      'sign',
      file('bad.csr'),
      '--root',
      root,
      '--out',
      file('no.pem'),
      ...more,
    );
    expect([code, message]).toEqual([1, expect.any(String)]);
    expect(readdirSync(folder)).not.toContain('no.pem');
    return message;
  };
  expect(await refused('hello')).toContain('PKCS#10');
  const der = Buffer.from(good.replace(/-----.*/g, ''), 'base64');
  der.writeUInt8(der.readUInt8(der.length - 1) ^ 1, der.length - 1); // of the signature
  const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  expect(await refused(forged)).toContain('not signed by the key');
  expect(await refused(good, '--expect-key', 'ab'.repeat(32))).toContain('not the one that was expected');
  await done('csr', ...where, '--discard');
  await done(
    'csr',
    ...where,
    '--organization',
    'Mayfly',
    '--name',
    'Mayfly offline root',
    '--out',
    file('same.csr'),
  );
  expect(await refused(readFileSync(file('same.csr'), 'utf8'))).toContain('the name of the root');
});

test('an import takes the chain of the key that was asked for, whole and in order', {
  timeout: 60_000,
}, async () => {
  await done('init', '--offline-root', root);
  await done('csr', ...where, '--out', file('one.csr'));
  await done('sign', file('one.csr'), '--root', root, '--out', file('one.pem'));
  const [first = '', last = ''] = readFileSync(file('one.pem'), 'utf8').split(
    /(?<=-----END CERTIFICATE-----\n)/,
  );
  const other = file('other');
  mkdirSync(other);
  const there = ['--config', where[1] ?? '', '--data', other];
  await done('csr', ...there, '--out', file('two.csr'));
  await done('sign', file('two.csr'), '--root', root, '--out', file('two.pem'));
  const refused = async (pem: string): Promise<unknown> => {
    writeFileSync(file('bad.pem'), pem);
    const [code, { message, code: name }] = await ca('import', file('bad.pem'), ...where);
    expect([code, message]).toEqual([name === undefined ? 2 : 1, expect.any(String)]);
    return name ?? message;
  };
  expect(await refused(readFileSync(file('two.pem'), 'utf8'))).toBe('key_mismatch');
  expect(await refused(last + first)).toBe('chain_order');
  expect(await refused('hello')).toBe('chain_empty');
  expect(await refused(first)).toBe('link_broken');
  const stranger = file('stranger');
  await done('init', '--offline-root', stranger);
  expect(await refused(first + readFileSync(join(stranger, 'root.pem'), 'utf8'))).toBe('link_broken');
  await done('import', file('one.pem'), ...where);
  expect(await refused(first + last)).toContain('no request waits');
});

test('a CA that the configuration names is followed by one of the data folder', {
  timeout: 60_000,
}, async () => {
  await done('init', '--offline-root', root);
  const config = file('existing.yaml');
  const key = file('existing.key');
  const [made] = await Promise.all([run(['ca', 'init', '--offline-root', file('keys'), '--curve', 'P-256'])]);
  expect(made.code).toBe(0);
  writeFileSync(key, readFileSync(join(file('keys'), 'root.key')), { mode: 0o600 });
  const issuers = [entryOf({ issuer: people, type: 'email' })];
  writeFileSync(config, stringify({ issuers, ca: { chain: file('existing.pem'), key } }));
  where = ['--config', config, '--data', join(folder, 'data')];
  // There is no chain yet: what is imported becomes the one that the configuration names.
  expect(await certified('first')).toMatchObject({ as: 'in-force', files: [file('existing.pem')] });
  server = await serve(where);
  const before = (await ask()).authority.x509;
  expect(before.subject).toContain('CN=Mayfly intermediate');

  const request = file('next.csr');
  await done('csr', ...where, '--new-key', '--out', request);
  await done('sign', request, '--root', root, '--out', file('next.pem'));
  const imported = await run(['ca', 'import', file('next.pem'), ...where]);
  // What comes next can be pasted.
  expect(imported).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`Then: mayfly ca rotate ${where.join(' ')} --activate\n`),
  });
  await done('rotate', ...where, '--activate');
  await vi.waitFor(
    async () => expect((await ask()).authority.x509.publicKey.equals(before.publicKey)).toBe(false),
    { timeout: 20_000, interval: 50 },
  );
  // The one before stays trusted, also where the configuration forgets it.
  await server.stop();
  writeFileSync(config, stringify({ issuers }));
  server = await serve(where);
  const { json } = await send(server.url, '/.well-known/mayfly/trusted_root.json');
  expect(json).toMatchObject({
    certificateAuthorities: [
      {
        certChain: { certificates: [{ rawBytes: before.raw.toString('base64') }, {}] },
        validFor: { end: expect.any(String) },
      },
      {},
    ],
  });
  expect(readdirSync(join(folder, 'data'))).not.toContain('ca');
});
