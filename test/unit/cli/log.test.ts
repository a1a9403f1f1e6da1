import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CommanderError } from 'commander';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { exitCodeOf } from '../../../src/cli/exit-code.ts';
import { logCommand } from '../../../src/cli/log.ts';
import { systemClock } from '../../../src/clock.ts';
import { type Bytes, concat, fromUtf8, hex, utf8 } from '../../../src/encoding/bytes.ts';
import * as der from '../../../src/encoding/der.ts';
import { encodePem } from '../../../src/encoding/pem.ts';
import { describeLog } from '../../../src/log/description.ts';
import { readDataTile } from '../../../src/log/entry.ts';
import { issuerPath } from '../../../src/log/issuers.ts';
import type { OpenLog } from '../../../src/log/open-log.ts';
import { Intake } from '../../../src/log/submission.ts';
import { openLogInstance } from '../../../src/node/keys/log-instance.ts';
import { logFolderOf } from '../../../src/node/log/builtin-log.ts';
import { openFileLog } from '../../../src/node/log/file-log.ts';
import { nativeRandom as random } from '../../../src/node/system/native-random.ts';
import { nativeVerifier as verifier } from '../../../src/node/system/native-verifier.ts';
import { start } from '../../fakes/process.ts';
import { flip, ShownLog } from '../../fakes/shown-log.ts';
import { startWitness } from '../../fakes/witness.ts';
import { extension } from '../certificate/made-chain.ts';
import { hierarchy, nameExtensions, POISON, precertificate, withSct } from '../log/precertificates.ts';
import { p256Signer, sha256, temporaryFolder } from '../log/support.ts';

const SIZE = 300;
const FORGE = 'https://forge.example.com';
const folder = temporaryFolder();
const data = `${folder}/data`;
const ca = hierarchy();
let log: OpenLog;
let shown: ShownLog;
let server: Server;
let url: string;
let keyFile: string;
let certificate: string;
/** What the log shows with its first entries. */
let early: string;
let publicKey: Bytes;

async function submit(log: OpenLog, name: string, issuer = FORGE, ...more: string[]): Promise<Bytes> {
  const intake = new Intake({ sha256, verifier, authorities: [ca.root.der] });
  const leaf = precertificate(ca.issuing, nameExtensions([name, ...more], issuer)).der;
  return withSct(leaf, await log.log.append(await intake.accept([leaf, ...ca.chain])));
}

beforeAll(async () => {
  const instance = await openLogInstance({ folder: data, kind: 'serve', clock: systemClock, random });
  publicKey = instance.logSigner.publicKey;
  log = await openFileLog({
    folder: logFolderOf(data),
    origin: 'log.example.com/cli',
    signer: instance.logSigner,
    cosigner: instance.noteSigner,
    clock: systemClock,
  });
  await submit(log, 'https://example.com/early');
  await log.publish();
  early = fromUtf8(log.reader.checkpoint());
  for (let i = 1; i < SIZE - 2; i++) await submit(log, `https://example.com/${i}`);
  const made = await submit(log, 'https://example.com/mine');
  await submit(log, 'https://example.com/other', 'https://other.example.com', 'https://example.com/second');
  await log.publish();
  certificate = `${folder}/certificate.pem`;
  writeFileSync(certificate, encodePem('CERTIFICATE', made));
  keyFile = `${folder}/log.pem`;
  writeFileSync(keyFile, encodePem('PUBLIC KEY', publicKey));
  shown = new ShownLog(log.reader);
  server = createServer(async (request, response) => {
    const path = request.url ?? '';
    const document = JSON.stringify(describeLog(shown.reader.identity, `${url}/log/`));
    const object =
      path === '/.well-known/mayfly/log.json'
        ? utf8(document)
        : await shown.get(path.replace(/^\/log\//, ''));
    if (object === undefined) response.writeHead(404).end();
    else response.end(object);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}, 60_000);
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await log.close();
});
afterEach(() => shown.lies.clear());

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function mayflyLog(...args: readonly string[]): Promise<Ran> {
  const said = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((chunk) => {
      said[name] += String(chunk);
      return true;
    }),
  );
  process.exitCode = 0;
  try {
    const command = logCommand().exitOverride();
    for (const sub of command.commands) sub.exitOverride();
    await command.parseAsync(args, { from: 'user' });
    return { code: Number(process.exitCode), ...said };
  } catch (failure) {
    if (!(failure instanceof CommanderError)) throw failure;
    return { code: exitCodeOf(failure), ...said };
  } finally {
    process.exitCode = 0;
    for (const spy of spies) spy.mockRestore();
  }
}

const json = ({ stdout }: Ran): Record<string, unknown> => JSON.parse(stdout) as Record<string, unknown>;

describe('mayfly log verify', () => {
  it('recomputes a whole log, and says by which key', async () => {
    const bare = await mayflyLog('verify', url);
    expect(bare).toMatchObject({ code: 0, stderr: '' });
    expect(bare.stdout).toMatch(
      /^300 entries, and all of it is well: root \S{44}\nsigned \S+ by log\.example\.com\/cli, whose key was taken from the log itself/,
    );
    const pinned = await mayflyLog('verify', `${url}/log/`, '--key', keyFile, '--json');
    expect(json(pinned)).toMatchObject({
      ok: true,
      origin: 'log.example.com/cli',
      size: SIZE,
      key_pinned: true,
      findings: [],
    });
  });

  it('holds the log to an earlier checkpoint, and keeps the newest', async () => {
    writeFileSync(`${folder}/early`, early);
    const { code, stdout } = await mayflyLog(
      'verify',
      url,
      '--since',
      `${folder}/early`,
      '--save',
      `${folder}/late`,
    );
    expect([code, stdout]).toEqual([0, expect.stringContaining('all of it is well')]);
    expect(readFileSync(`${folder}/late`, 'utf8')).toBe(fromUtf8(log.reader.checkpoint()));
    shown.lies.set('checkpoint', () => utf8(early));
    const back = await mayflyLog('verify', url, '--since', `${folder}/late`);
    expect(back).toMatchObject({ code: 1, stdout: expect.stringContaining('it has gone back') });
  });

  it('finds that an earlier checkpoint was of another tree', async () => {
    const instance = await openLogInstance({ folder: data, kind: 'serve', clock: systemClock, random });
    const origin = 'log.example.com/cli';
    const other = await openFileLog({
      folder: `${folder}/fork`,
      origin,
      signer: instance.logSigner,
      clock: systemClock,
    });
    for (let i = 0; i < 3; i++) await submit(other, 'https://example.com/hidden');
    await other.publish();
    writeFileSync(`${folder}/forked`, other.reader.checkpoint());
    await other.close();
    const { code, stdout } = await mayflyLog('verify', url, '--since', `${folder}/forked`, '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      findings: [{ where: `${folder}/forked`, what: 'its root is not that of the 3 entries found' }],
    });
  });

  it.each<[string, string, (truth: Bytes | undefined) => Bytes | undefined, string]>([
    ['a hash', 'tile/0/000', flip(40), 'tile/data/000, entry 1: its leaf hash is not the one in tile/0/000'],
    ['an entry', 'tile/data/000', flip(60), 'tile/data/000, entry 0: its leaf hash'],
    ['a partial tile', 'tile/data/001.p/44', () => undefined, 'tile/data/001.p/44: is missing'],
    ['a higher tile', 'tile/1/000.p/1', flip(3), 'tile/1/000.p/1: hash 0 is not that of the tile below'],
    ['an issuer', issuerPath(sha256(ca.issuing.der)), () => undefined, 'is missing; entry 0 refers to it'],
    ['another issuer', issuerPath(sha256(ca.root.der)), flip(9), 'has the SHA-256'],
    ['the checkpoint', 'checkpoint', (b) => flip((b?.length ?? 0) - 150)(b), 'checkpoint: '],
    ['a precertificate', 'tile/data/001.p/44', (b) => b?.with(b.length - 100, 1), 'entry 299: '],
  ])('finds that %s is wrong, and where', async (_, path, lie, finding) => {
    shown.lies.set(path, lie);
    const { code, stdout } = await mayflyLog('verify', url);
    expect(stdout).toContain(finding);
    expect(stdout).toMatch(/\d+ faults? in log\.example\.com\/cli/);
    expect(code).toBe(1);
  });

  it('asks for the cosignatures of witnesses', async () => {
    const witness = await startWitness('witness.example/w1', []);
    const { code, stdout } = await mayflyLog('verify', url, '--witness', witness.vkey);
    await witness.close();
    expect([code, stdout]).toEqual([1, expect.stringContaining('no good cosignature of witness.example/w1')]);
  });

  it('cannot be done where nothing answers, or with another key', async () => {
    expect(await mayflyLog('verify', 'ftp://x')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is not an http(s) URL'),
    });
    writeFileSync(`${folder}/stranger.pem`, p256Signer().pem);
    const stranger = await mayflyLog('verify', url, '--key', `${folder}/stranger.pem`);
    expect(stranger).toMatchObject({ code: 2, stderr: expect.stringContaining('another key than') });
    expect(await mayflyLog('verify', url, '--key', certificate)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('holds no public key'),
    });
    expect((await mayflyLog('verify')).code).toBe(2);
  });
});

describe('mayfly log prove', () => {
  it('proves an entry by its index, and prints what anybody can check again', async () => {
    const proven = json(await mayflyLog('prove', '298', '--url', url, '--json'));
    expect(proven).toMatchObject({
      ok: true,
      leaf_index: 298,
      tree_size: SIZE,
      checkpoint: fromUtf8(log.reader.checkpoint()),
    });
    expect(proven['audit_path']).toHaveLength(5);
    const leaf = Buffer.from(String(proven['leaf_input']), 'base64');
    expect(proven['leaf_hash']).toBe(
      Buffer.from(sha256(Buffer.concat([Buffer.of(0), leaf]))).toString('base64'),
    );
  });

  it('proves that a certificate is where its SCT says', async () => {
    const { code, stdout } = await mayflyLog('prove', certificate, '--url', url, '--key', keyFile);
    expect(stdout).toContain('Entry 298 of log.example.com/cli: https://example.com/mine');
    expect(stdout).toContain('Its SCT verifies');
    expect(stdout).toContain('Proven with 5 hashes');
    expect(code).toBe(0);
  });

  it.each<[string, string, (truth: Bytes | undefined) => Bytes | undefined, string]>([
    ['another entry stands there', 'tile/data/001.p/44', swapLast, 'says that it is another'],
    [
      'the entry is another certificate',
      'tile/data/001.p/44',
      (b) => flip(middleOf(42, b))(b),
      'another certificate',
    ],
    ['the tiles do not lead to the root', 'tile/0/001.p/44', flip(10), 'does not stand at index 298'],
    ['the entry is not shown', 'tile/data/001.p/44', () => undefined, 'does not show'],
  ])('does not when %s', async (_, path, lie, message) => {
    shown.lies.set(path, lie);
    const { code, stdout } = await mayflyLog('prove', certificate, '--url', url);
    expect(stdout).toMatch(/^Not proven: /);
    expect(stdout).toContain(message);
    expect(code).toBe(1);
  });

  it('says when there is no such entry, or no certificate of this log', async () => {
    expect(await mayflyLog('prove', '300', '--url', url)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('none at index 300'),
    });
    const bare = `${folder}/bare.pem`;
    writeFileSync(bare, encodePem('CERTIFICATE', precertificate(ca.issuing).der));
    expect(await mayflyLog('prove', bare, '--url', url)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('carries no SCT of'),
    });
    expect(await mayflyLog('prove', keyFile, '--url', url)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('holds no certificate'),
    });
    expect(await mayflyLog('prove', `${folder}/none`, '--url', url)).toMatchObject({ code: 2 });
  });
});

const partsOf = (tile: Bytes = new Uint8Array()): readonly Uint8Array[] =>
  readDataTile(tile).map(({ bytes }) => bytes);

/** The data tile with its last two entries in each other's place. */
function swapLast(tile: Bytes | undefined): Bytes {
  const parts = partsOf(tile);
  return concat(...parts.slice(0, -2), ...parts.slice(-2).toReversed());
}

/** In the serial number or so of the TBSCertificate of that entry. */
function middleOf(entry: number, tile: Bytes | undefined): number {
  return concat(...partsOf(tile).slice(0, entry)).length + 80;
}

describe('mayfly log watch', () => {
  const watch = (...args: string[]): Promise<Ran> => mayflyLog('watch', url, '--once', ...args);
  const events = ({ stdout }: Ran): Record<string, unknown>[] =>
    stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  it('tells of each certificate for an identity, by any of its names', async () => {
    const mine = await watch('--identity', '*/mine', '*/second', '--json');
    expect(mine.code).toBe(0);
    expect(events(mine)).toMatchObject([
      {
        event: 'issuance',
        log: 'log.example.com/cli',
        index: 298,
        identity: 'https://example.com/mine',
        issuer: FORGE,
      },
      {
        event: 'issuance',
        index: 299,
        identity: 'https://example.com/second',
        issuer: 'https://other.example.com',
      },
    ]);
    const words = await watch('--identity', '*/mine');
    expect(words.stdout).toMatch(
      /^\S+Z {2}entry 298 {2}https:\/\/example\.com\/mine {2}on the word of https:\/\/forge\.example\.com\n$/,
    );
    expect(
      events(await watch('--identity', '*', '--issuer', 'https://other.example.com', '--json')),
    ).toHaveLength(1);
    expect(events(await watch('--identity', '*', '--json'))).toHaveLength(SIZE);
    expect(events(await watch('--identity', 'mine', '--json'))).toEqual([]);
  });

  it('goes on from its state', async () => {
    const state = `${folder}/state.json`;
    shown.lies.set('checkpoint', () => utf8(early));
    expect(events(await watch('--identity', '*', '--json', '--state', state))).toHaveLength(1);
    shown.lies.clear();
    expect(events(await watch('--identity', '*', '--json', '--state', state))).toHaveLength(SIZE - 1);
    expect(events(await watch('--identity', '*', '--json', '--state', state))).toHaveLength(0);
    // A checkpoint of before is an alarm now.
    shown.lies.set('checkpoint', () => utf8(early));
    const back = await watch('--identity', '*', '--json', '--state', state);
    expect(back.code).toBe(1);
    expect(events(back)).toMatchObject([
      { event: 'alarm', alarm: 'rollback', evidence: [fromUtf8(log.reader.checkpoint()), early] },
    ]);
    const kept = readFileSync(state, 'utf8');
    writeFileSync(state, kept.replace(/"key": "..../, '"key": "AAAA'));
    expect(await watch('--identity', '*', '--state', state)).toMatchObject({ code: 2 });
    writeFileSync(state, kept.slice(0, -20));
    expect(await watch('--identity', '*', '--state', state)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('damaged'),
    });
  });

  it('begins where it is told', async () => {
    expect(events(await watch('--identity', '*', '--json', '--from', '290'))).toHaveLength(10);
    expect(events(await watch('--identity', '*', '--json', '--from', 'now'))).toHaveLength(0);
    expect((await watch('--identity', '*', '--from', '301')).code).toBe(2);
    expect((await watch('--identity', '*', '--from', 'soon')).code).toBe(2);
    expect((await watch('--identity', '*', '--stale', 'soon')).code).toBe(2);
  });

  it('raises the alarm on a log that is stale', async () => {
    const stale = await watch('--identity', 'nobody', '--stale', '1ms');
    expect(stale).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^ALARM {2}stale {2}the log has signed no tree head/),
    });
  });

  it('posts what it tells to a webhook, alarms too', async () => {
    const posted: Record<string, unknown>[] = [];
    let status = 204;
    const hook = createServer(async (request, response) => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part);
      posted.push(JSON.parse(Buffer.concat(parts).toString()) as Record<string, unknown>);
      response.writeHead(status).end();
    });
    await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
    const webhook = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/events`;
    const told = await watch('--identity', '*/mine', '--webhook', webhook, '--json', '--stale', '1ms');
    expect(told.code).toBe(1);
    expect(posted).toEqual(events(told));
    expect(posted.map(({ event }) => event)).toEqual(['issuance', 'alarm']);
    status = 500;
    const state = `${folder}/unposted.json`;
    const refused = await watch('--identity', '*/mine', '--webhook', webhook, '--state', state);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('answered with status 500') });
    // What was not taken will be told again.
    expect(existsSync(state)).toBe(false);
    const alarm = await watch('--identity', 'nobody', '--webhook', webhook, '--stale', '1ms');
    expect(alarm).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('ALARM'),
      stderr: expect.stringContaining('webhook'),
    });
    hook.closeAllConnections();
    hook.close();
  });

  it('tells of what nobody can read, as it may be for anybody', async () => {
    const origin = 'strange.example.com';
    const strange = await openFileLog({
      folder: `${folder}/strange`,
      origin,
      signer: p256Signer(),
      clock: systemClock,
    });
    const intake = new Intake({ sha256, verifier, authorities: [ca.root.der] });
    const dns = der.sequence(der.element(der.contextTag(2, true), utf8('example.com')));
    for (const extra of [[POISON], [POISON, extension('2.5.29.17', true, dns)]]) {
      const leaf = precertificate(ca.issuing, { extra }).der;
      await strange.log.append(await intake.accept([leaf, ...ca.chain]));
    }
    await submit(strange, 'https://example.com/me');
    await strange.publish();
    shown.reader = strange.reader;
    const told = await watch('--identity', 'nobody', '--json');
    shown.reader = log.reader;
    await strange.close();
    expect(events(told)).toMatchObject([
      { event: 'unreadable', index: 0, log: origin },
      { event: 'unreadable', index: 1 },
    ]);
  });

  it('follows a log until it is stopped', async () => {
    const running = start(['log', 'watch', url, '--identity', '*/mine', '--interval', '50ms', '--json']);
    await running.saying(/"index":298/);
    const { code, stderr } = await running.stop();
    expect([code, stderr]).toEqual([0, '']);
  });
});

describe('mayfly log fsck', () => {
  it('refuses while the log is open, and says what can be done', async () => {
    expect(await mayflyLog('fsck', '--data', data)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/in use by another process.*mayfly log verify URL/s),
    });
    expect(await mayflyLog('fsck', '--data', `${folder}/nothing`)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no log in'),
    });
  });

  it('finds a good copy good, and a damaged one damaged, and leaves both alone', async () => {
    const copy = `${folder}/copy`;
    cpSync(data, copy, { recursive: true });
    const good = await mayflyLog('fsck', '--data', copy);
    expect(good).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^300 entries, and all of it is well: root \S{44}\n$/),
    });
    expect((await mayflyLog('fsck', '--data', copy, '--key', keyFile)).code).toBe(0);
    const tile = `${logFolderOf(copy)}/public/tile/0/000`;
    const bytes = readFileSync(tile);
    writeFileSync(tile, bytes.with(100, (bytes[100] ?? 0) ^ 1));
    const bad = await mayflyLog('fsck', '--data', copy, '--json');
    expect(bad.code).toBe(1);
    expect(json(bad)).toMatchObject({ ok: false, size: SIZE });
    expect(json(bad)['findings']).toContainEqual({
      where: 'tile/data/000, entry 3',
      what: 'its leaf hash is not the one in tile/0/000',
    });
    const words = await mayflyLog('fsck', '--data', copy);
    expect(words.stdout).toContain('tile/data/000, entry 3: its leaf hash is not the one in tile/0/000');
    writeFileSync(`${folder}/other.pem`, p256Signer().pem);
    const other = await mayflyLog('fsck', '--data', copy, '--key', `${folder}/other.pem`);
    expect(other.stdout).toContain('identity: is of a log with another key');
    rmSync(copy, { recursive: true });
  });
});

describe('mayfly log key', () => {
  it('prints the key of the folder, and what witnesses are told', async () => {
    expect((await mayflyLog('key', '--data', data)).stdout).toBe(readFileSync(keyFile, 'utf8'));
    expect((await mayflyLog('key', url)).stdout).toBe(readFileSync(keyFile, 'utf8'));
    const [note, head] = (await mayflyLog('key', '--data', data, '--vkey')).stdout.split('\n');
    expect(note).toMatch(/^log\.example\.com\/cli\+[0-9a-f]{8}\+A\S{43}$/);
    const idOf = (type: number, key: Uint8Array): string =>
      hex(sha256(Buffer.concat([Buffer.from('log.example.com/cli\n'), Buffer.of(type), key])).subarray(0, 4));
    expect(head).toContain(`+${idOf(5, sha256(publicKey))}+`);
    const material = Buffer.from(note?.split('+').slice(2).join('+') ?? '', 'base64');
    expect(note).toContain(`+${idOf(1, material.subarray(1))}+`);
  });
});
