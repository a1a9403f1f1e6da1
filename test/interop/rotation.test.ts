// Rotation of CA, timestamp authority and log of the real command, under load: no request fails, and whatever was signed
// verifies with @sigstore/verify under the trusted root that is served afterwards.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bundle } from '@sigstore/bundle';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { readLeaf } from '../../src/certificate/leaf.ts';
import { send } from '../fakes/client.ts';
import { entryOf } from '../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import { FREE_PORTS, type RunningServer, run, serve } from '../fakes/process.ts';
import { signRelease, trustDocument, verifyRelease } from '../fakes/release.ts';
import { issuedBy, request } from '../fakes/signing-client.ts';

const EMAIL = 'dana@example.org';
const PUBLIC_URL = 'http://ca.example.org';

let people: FakeIssuer;
let folder: string;
let where: readonly string[];
let server: RunningServer;

beforeAll(async () => {
  people = await startIssuer({ claims: { email: EMAIL, email_verified: true } });
});
afterAll(() => people.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mayfly-rotation-'));
  const config = join(folder, 'mayfly.yaml');
  const issuers = [entryOf({ issuer: people, type: 'email' })];
  // The address is in the log's name and in the trust documents, and it is another after a restart here.
  const settings = { 'rate-limits': 'off', 'public-url': PUBLIC_URL, issuers };
  writeFileSync(config, stringify(settings));
  where = ['--config', config, '--data', join(folder, 'data')];
});
afterEach(async () => {
  await server.stop('SIGKILL');
  rmSync(folder, { recursive: true });
});

const AWHILE = { timeout: 60_000, interval: 20 };

const document = (name: string): Promise<unknown> => trustDocument(server.url, name);

interface TrustDocument {
  readonly certificateAuthorities: readonly {
    readonly certChain: { readonly certificates: readonly { readonly rawBytes: string }[] };
    readonly validFor: { readonly end?: string };
  }[];
  readonly timestampAuthorities: readonly { readonly validFor: { readonly end?: string } }[];
  readonly ctlogs: readonly {
    readonly baseUrl: string;
    readonly publicKey: { readonly validFor: { readonly start: string; readonly end?: string } };
    readonly logId: { readonly keyId: string };
  }[];
}

const trusted = async (): Promise<TrustDocument> => (await document('trusted_root.json')) as TrustDocument;

const sign = (): Promise<Bundle> => signRelease(server.url, PUBLIC_URL, people);
const verify = (bundle: Bundle, root: unknown): void => verifyRelease(bundle, root, people);

/** A command that has to succeed; what it says with --json. */
async function mayfly(...args: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await run([...args, ...where, '--json']);
  expect([code, stderr, stdout]).toEqual([0, '', expect.any(String)]);
  return JSON.parse(stdout) as Record<string, unknown>;
}

interface Seen {
  readonly issuer: string;
  readonly logId: string;
}

async function issueOnce(): Promise<Seen> {
  const answer = await request(server.url, { token: await people.sign() });
  const { leaf, authority, chain } = issuedBy(answer);
  // The chain in the answer is that of the key that signed, whatever is in force by now.
  expect(leaf.x509.verify(authority.x509.publicKey)).toBe(true);
  expect(chain).toHaveLength(3);
  const [sct] = readLeaf(new Uint8Array(leaf.der)).scts;
  return { issuer: authority.x509.subject, logId: Buffer.from(sct?.logId ?? []).toString('base64') };
}

const issuedBySubject = (name: string): Promise<void> =>
  vi.waitFor(async () => expect((await issueOnce()).issuer).toContain(`CN=${name}`), AWHILE);
const chainsTrusted = (count: number): Promise<void> =>
  vi.waitFor(async () => expect((await trusted()).certificateAuthorities).toHaveLength(count), AWHILE);
const logsTrusted = (count: number): Promise<void> =>
  vi.waitFor(async () => expect((await trusted()).ctlogs).toHaveLength(count), AWHILE);

/** Issuing processes; the full tests try it with several, too. */
const WORKERS = process.env['MAYFLY_TESTS_FULL'] === undefined ? [1] : [1, 2];

describe.each(WORKERS)('under load, with %i issuing processes', (workers) => {
  test('CA, root and log are followed by others, one after the other', { timeout: 240_000 }, async () => {
    const config = where[1] ?? '';
    writeFileSync(config, stringify({ ...(parse(readFileSync(config, 'utf8')) as object), workers }));
    server = await serve(where);
    const first = await trusted();
    const bundles = [await sign()];
    const seen: Seen[] = [];
    const failures: unknown[] = [];
    let stopped = false;
    const load = Array.from({ length: 4 }, async () => {
      while (!stopped)
        await issueOnce().then(
          (one) => seen.push(one),
          (failure: unknown) => failures.push(failure),
        );
    });

    // Whoever fetches the documents at any time finds all that was in them before, also while something is being opened.
    const told = new Set<string>();
    const lacking: string[] = [];
    const reading = (async () => {
      while (!stopped) {
        const { certificateAuthorities, ctlogs } = await trusted();
        const now = new Set([
          ...ctlogs.map(({ logId }) => logId.keyId),
          ...certificateAuthorities.map(({ certChain }) => certChain.certificates[0]?.rawBytes ?? ''),
        ]);
        lacking.push(...[...told].filter((one) => !now.has(one)));
        for (const one of now) told.add(one);
      }
    })();

    // A new intermediate: published first, and nobody signs with it yet.
    await mayfly('ca', 'rotate');
    await chainsTrusted(2);
    const overlap = await trusted();
    expect(overlap.certificateAuthorities.map(({ validFor }) => validFor.end)).toEqual([
      undefined,
      undefined,
    ]);
    expect((await send(server.url, '/api/v2/trustBundle')).json).toMatchObject({ chains: [{}, {}] });
    expect((await issueOnce()).issuer).toMatch(/CN=Mayfly intermediate$/);
    bundles.push(await sign());
    await mayfly('ca', 'rotate', '--activate');
    await issuedBySubject('Mayfly intermediate 2');
    bundles.push(await sign());
    const after = await trusted();
    for (const [before, now] of [after.certificateAuthorities, after.timestampAuthorities]) {
      expect(Date.parse(before?.validFor.end ?? '')).toBeGreaterThan(Date.now() + 600_000);
      expect(now?.validFor.end).toBeUndefined();
    }

    // A new root, by itself after a time.
    await mayfly('ca', 'rotate', '--root', '--after', '1s');
    await issuedBySubject('Mayfly intermediate 3');
    bundles.push(await sign());
    expect((await send(server.url, '/log/ct/v1/get-roots')).json).toMatchObject({
      certificates: [{}, {}].map(() => expect.any(String)),
    });

    // A new log.
    const [log] = (await trusted()).ctlogs;
    await mayfly('log', 'rotate');
    await logsTrusted(2);
    expect((await issueOnce()).logId).toBe(log?.logId.keyId);
    bundles.push(await sign());
    await mayfly('log', 'rotate', '--activate');
    const [, next] = (await trusted()).ctlogs;
    await vi.waitFor(async () => expect((await issueOnce()).logId).toBe(next?.logId.keyId), AWHILE);
    await vi.waitFor(
      async () => expect((await trusted()).ctlogs[0]?.publicKey.validFor.end).toBeDefined(),
      AWHILE,
    );
    bundles.push(await sign());
    stopped = true;
    await Promise.all([...load, reading]);
    expect(failures).toEqual([]);
    expect([told.size, lacking]).toEqual([5, []]); // three CAs and two logs
    expect(seen.length).toBeGreaterThan(50);

    const last = await document('trusted_root.json');
    for (const bundle of bundles) verify(bundle, last);
    for (const bundle of bundles.slice(0, 1)) verify(bundle, first);
    for (const bundle of bundles.slice(0, 3)) verify(bundle, overlap); // what was told before it signed
    expect(() => verify(bundles.at(-1) as Bundle, first)).toThrow();

    // The log before is frozen: one tree head for ever, and every SCT that it gave is for an entry in it.
    const old = (await send(server.url, '/log/log.v3.json')).json as {
      readonly state: { readonly readonly: { readonly final_tree_head: { readonly tree_size: number } } };
    };
    const size = old.state.readonly.final_tree_head.tree_size;
    const sth = await send(server.url, '/log/ct/v1/get-sth');
    expect(sth.json).toMatchObject({ tree_size: size });
    const entries = (await send(server.url, `/log/ct/v1/get-entries?start=${size - 1}&end=${size}`)).json;
    expect(entries).toMatchObject({ entries: [{}] });
    await vi.waitFor(async () => {
      const { tree_size: added } = (await send(server.url, '/log/2/ct/v1/get-sth')).json as {
        tree_size: number;
      };
      expect(added).toBeGreaterThan(0);
    }, AWHILE);
    for (const path of ['/log', '/log/2']) {
      const url = `${server.url}${path}`;
      const key = join(folder, 'key.pem');
      const part = path === '/log' ? 'log' : 'log-2';
      writeFileSync(key, (await run(['log', 'key', url])).stdout);
      const { code, stdout, stderr } = await run(['log', 'verify', url, '--key', key]);
      expect([part, code, stderr + stdout]).toEqual([part, 0, expect.any(String)]);
      // A log that is not frozen and signs no more tree heads is an alarm.
      const watch = ['log', 'watch', url, '--key', key, '--identity', 'nobody', '--stale', '1ms', '--once'];
      const watched = await run(watch);
      expect([watched.code, watched.stderr.includes('was retired')]).toEqual(
        part === 'log' ? [0, true] : [1, false],
      );
    }

    // It is so after a restart, too, without the keys that were retired.
    await server.stop();
    for (const name of [
      'ca/intermediate.key',
      'ca/root.key',
      'ca-2/intermediate.key',
      'timestamp/timestamp.key',
      'log/log.key',
      'log/note.key',
    ])
      rmSync(join(folder, 'data', name));
    server = await serve(where);
    expect((await send(server.url, '/log/ct/v1/get-sth')).json).toEqual(sth.json);
    expect((await issueOnce()).issuer).toContain('CN=Mayfly intermediate 3');
    bundles.push(await sign());
    for (const bundle of bundles) verify(bundle, await document('trusted_root.json'));
  });
});

describe('restarted and killed', () => {
  const STEPS: readonly (readonly string[])[] = [
    ['ca', 'rotate'],
    ['ca', 'rotate', '--activate'],
    ['log', 'rotate'],
    ['log', 'rotate', '--activate'],
    ['ca', 'rotate', '--root'],
    ['ca', 'rotate', '--activate'],
  ];

  test('at any step, it goes on where it was, and all that was signed verifies', {
    timeout: 240_000,
  }, async () => {
    server = await serve(where);
    const bundles = [await sign()];
    for (const [i, step] of STEPS.entries()) {
      if (i % 2 === 0) await server.stop('SIGKILL'); // else it is told while it runs, and killed over it
      await mayfly(...step);
      if (i % 2 === 1) await server.stop('SIGKILL');
      server = await serve(where);
      bundles.push(await sign());
      const root = await document('trusted_root.json');
      for (const bundle of bundles) verify(bundle, root);
    }
    expect((await issueOnce()).issuer).toContain('CN=Mayfly intermediate 3');
    expect((await document('log.json')) as object).toMatchObject({
      origin: 'ca.example.org/log/2',
      retired: [{}],
    });
    // A clock that was set back to before the change does not bring the frozen log back.
    await server.stop();
    const record = join(folder, 'data', 'generations.json');
    const { log, ...rest } = JSON.parse(readFileSync(record, 'utf8')) as { log: object[] };
    const later = new Date(Date.now() + 3_600_000).toISOString();
    const ahead = log.map((one, i) => (i === 1 ? { ...one, activates: later } : one));
    writeFileSync(record, JSON.stringify({ ...rest, log: ahead }));
    server = await serve(where);
    expect((await document('log.json')) as object).toMatchObject({ origin: 'ca.example.org/log/2' });
    expect((await trusted()).ctlogs).toHaveLength(2);
    // An older record put back would let a frozen log grow.
    await server.stop();
    writeFileSync(record, JSON.stringify({ ...rest, log: log.slice(0, 1) }));
    const refused = await run(['serve', ...FREE_PORTS, ...where]);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('was retired')]);
  });
});

test('what a key signed after it got lost is trusted no more', { timeout: 60_000 }, async () => {
  server = await serve(where);
  const early = await sign();
  const refused = await run(['ca', 'distrust', 'ca', '--since', 'ever', ...where]);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('in force')]);
  await mayfly('ca', 'rotate', '--root');
  await mayfly('ca', 'rotate', '--activate');
  await mayfly('log', 'rotate');
  await mayfly('log', 'rotate', '--activate');
  await issuedBySubject('Mayfly intermediate 2');
  await vi.waitFor(
    async () => expect((await trusted()).ctlogs[0]?.publicKey.validFor.end).toBeDefined(),
    AWHILE,
  );
  const late = await sign();
  verify(early, await document('trusted_root.json'));
  const hourAgo = new Date(Date.now() - 1_800_000).toISOString();
  await mayfly('ca', 'distrust', 'ca', '--since', hourAgo);
  await vi.waitFor(
    async () => expect((await trusted()).certificateAuthorities[0]?.validFor.end).toBe(hourAgo),
    AWHILE,
  );
  const root = await document('trusted_root.json');
  expect(() => verify(early, root)).toThrow();
  verify(late, root);
  await mayfly('ca', 'distrust', 'ca', '--since', 'ever');
  await mayfly('ca', 'distrust', 'timestamp', '--since', 'ever');
  await mayfly('log', 'distrust', 'log', '--since', 'ever');
  await vi.waitFor(async () => {
    const { certificateAuthorities, timestampAuthorities, ctlogs } = await trusted();
    expect([certificateAuthorities, timestampAuthorities, ctlogs].map(({ length }) => length)).toEqual([
      1, 1, 1,
    ]);
  }, AWHILE);
  expect((await send(server.url, '/api/v2/trustBundle')).json).toMatchObject({ chains: [{}] });
  verify(late, await document('trusted_root.json'));
});

test('a CA that the configuration names is followed by another in the configuration alone', {
  timeout: 60_000,
}, async () => {
  const config = where[1] ?? '';
  const base = parse(readFileSync(config, 'utf8')) as object;
  const made = async (name: string): Promise<{ chain: string; key: string }> => {
    const data = join(folder, name);
    const place = ['--config', config, '--data', data];
    expect((await run(['ca', 'init', '--offline-root', join(folder, `${name}-root`)])).code).toBe(0);
    const [csr, chain] = ['csr', 'pem'].map((ending) => join(folder, `${name}.${ending}`));
    const options = ['--organization', 'Example', '--name', name];
    expect((await run(['ca', 'csr', ...place, ...options, '--out', csr ?? ''])).code).toBe(0);
    const sign = ['ca', 'sign', csr ?? '', '--root', join(folder, `${name}-root`), '--out', chain ?? ''];
    expect((await run(sign)).code).toBe(0);
    return { chain: chain ?? '', key: join(data, 'ca-request', 'intermediate.key') };
  };
  const [old, next] = [await made('old'), await made('next')];
  const write = (more: object): void => writeFileSync(config, stringify({ ...base, ...more }));
  write({ ca: old, 'also-trusted': { cas: [{ chain: { file: next.chain } }] } });
  server = await serve(where);
  const early = await sign();
  const before = await document('trusted_root.json');
  expect((before as TrustDocument).certificateAuthorities).toHaveLength(2);
  await server.stop();
  const until = new Date(Date.now() + 3_600_000).toISOString();
  write({ ca: next, 'also-trusted': { cas: [{ chain: { file: old.chain }, until }] } });
  server = await serve(where);
  const late = await sign();
  expect((await issueOnce()).issuer).toContain('CN=next');
  verify(late, before);
  for (const bundle of [early, late]) verify(bundle, await document('trusted_root.json'));
  expect((await send(server.url, '/api/v2/trustBundle')).json).toMatchObject({ chains: [{}, {}] });
  // It is read again while the instance runs; what cannot stand in a trust document changes nothing.
  write({ ca: next });
  await chainsTrusted(1);
  const spki = '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n';
  write({ ca: next, 'also-trusted': { logs: [{ url: 'https://log.example', 'public-key': spki }] } });
  await server.saying(/also-trusted\.logs\[0\]/);
  expect((await trusted()).ctlogs).toHaveLength(1);
});

test('a key that cannot be read leaves everything as it is, and is told', async () => {
  server = await serve(where);
  await mayfly('ca', 'rotate');
  await chainsTrusted(2);
  const key = join(folder, 'data', 'ca-2', 'intermediate.key');
  writeFileSync(key, 'gone');
  await mayfly('ca', 'rotate', '--activate');
  await server.saying(/cannot be taken up/);
  expect((await issueOnce()).issuer).toMatch(/CN=Mayfly intermediate$/);
  const metrics = await send(new URL(server.metricsUrl).origin, '/metrics');
  expect(metrics.text).toMatch(/^mayfly_rotation_last_success 0$/m);
});

describe('with two issuing processes', () => {
  const MANY = 12; // connections that reach both, all but certainly
  const seenByAll = (): Promise<readonly Seen[]> => Promise.all(Array.from({ length: MANY }, issueOnce));
  const allBy = (name: string): Promise<void> =>
    vi.waitFor(async () => {
      for (const { issuer } of await seenByAll()) expect(issuer).toContain(`CN=${name}`);
    }, AWHILE);
  beforeEach(() => {
    const config = where[1] ?? '';
    const settings = parse(readFileSync(config, 'utf8')) as object;
    writeFileSync(config, stringify({ ...settings, workers: 2 }));
  });

  // Nothing is told of files that change, so that nothing but the signal brings it about.
  const DEAF =
    'data:text/javascript,import fs from "node:fs"; import { syncBuiltinESMExports } from "node:module"; fs.watch = () => { throw new Error("deaf") }; syncBuiltinESMExports()';

  test('CA and log are followed by others at SIGHUP', { timeout: 60_000 }, async () => {
    server = await serve(where, { env: { NODE_OPTIONS: `--import=${JSON.stringify(DEAF)}` } });
    await server.saying(/cannot be watched/);
    await mayfly('ca', 'rotate');
    await mayfly('ca', 'rotate', '--activate');
    await mayfly('log', 'rotate');
    for (const { issuer } of await seenByAll()) expect(issuer).toMatch(/CN=Mayfly intermediate$/);
    server.child.kill('SIGHUP');
    await allBy('Mayfly intermediate 2');
    await logsTrusted(2);
    const [before, next] = (await trusted()).ctlogs;
    for (const { logId } of await seenByAll()) expect(logId).toBe(before?.logId.keyId);
    await mayfly('log', 'rotate', '--activate');
    server.child.kill('SIGHUP');
    await vi.waitFor(async () => {
      for (const { logId } of await seenByAll()) expect(logId).toBe(next?.logId.keyId);
    }, AWHILE);
    await server.saying(/"cause":"signal","ca":"ca-2","timestamp":"timestamp-2","log":"log-2"/);
    expect(server.output.stderr).not.toMatch(/"cause":"file"/);
    const { code } = await server.stop();
    expect(code).toBe(0);
  });

  test('a key that could not be read is taken up by all of them soon after it can', async () => {
    server = await serve(where);
    await mayfly('ca', 'rotate');
    await chainsTrusted(2);
    const key = join(folder, 'data', 'ca-2', 'intermediate.key');
    const text = readFileSync(key, 'utf8');
    writeFileSync(key, 'gone');
    await mayfly('ca', 'rotate', '--activate');
    await server.saying(/cannot be taken up/);
    writeFileSync(key, text);
    await allBy('Mayfly intermediate 2');
    const ended = await server.stop();
    expect([ended.code, ended.stderr]).toEqual([0, expect.not.stringContaining('it is replaced')]);
  });
});
