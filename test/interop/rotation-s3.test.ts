// Rotation of a log in a bucket (a real versitygw) with the real command, under load: no request fails, what was signed
// verifies, the log before stays whole and readable, and an instance that stands by goes along.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { readLeaf } from '../../src/certificate/leaf.ts';
import { send } from '../fakes/client.ts';
import { entryOf } from '../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import { type RunningServer, run, serve } from '../fakes/process.ts';
import { signRelease, trustDocument, verifyRelease } from '../fakes/release.ts';
import { type S3Server, startS3 } from '../fakes/s3.ts';
import { issuedBy, request } from '../fakes/signing-client.ts';
import { describeWith } from '../fakes/skip.ts';

const PUBLIC_URL = 'http://ca.example.org';
const AWHILE = { timeout: 60_000, interval: 20 };

interface TrustedLog {
  readonly baseUrl: string;
  readonly publicKey: { readonly validFor: { readonly end?: string } };
  readonly logId: { readonly keyId: string };
}

describeWith('go', 'a log in a bucket', () => {
  let s3: S3Server;
  let people: FakeIssuer;
  let folder: string;
  let config: string;
  let running: RunningServer[];
  let buckets = 0;
  beforeAll(async () => {
    s3 = await startS3();
    people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
  }, 300_000);
  afterAll(async () => {
    await people.close();
    await s3.stop();
  });
  beforeEach(() => {
    running = [];
    folder = mkdtempSync(join(tmpdir(), 'mayfly-rotation-s3-'));
    config = join(folder, 'mayfly.yaml');
    writeFileSync(join(folder, 'secret'), `${s3.credentials.secretAccessKey}\n`);
    const bucket = {
      endpoint: s3.endpoint,
      bucket: s3.bucket,
      prefix: `rotated-${buckets++}/`,
      'access-key-id': s3.credentials.accessKeyId,
      'secret-access-key': { file: join(folder, 'secret') },
    };
    const issuers = [entryOf({ issuer: people, type: 'email' })];
    const settings = { 'rate-limits': 'off', 'public-url': PUBLIC_URL, issuers, log: { s3: bucket } };
    writeFileSync(config, stringify(settings));
  });
  afterEach(async () => {
    for (const server of running) await server.stop('SIGKILL');
    rmSync(folder, { recursive: true });
  });

  const dataOf = (name: string): string => join(folder, name);
  /** The next log, to the data folder of an instance that stands by, as docs/rotation.md says. */
  const bring = (name: string): void => {
    for (const part of ['log-2', 'generations.json'])
      cpSync(join(dataOf('data'), part), join(dataOf(name), part), { recursive: true });
  };
  async function begin(name: string): Promise<RunningServer> {
    const server = await serve(['--config', config, '--data', dataOf(name)]);
    running.push(server);
    return server;
  }
  /** A command that has to succeed; what it says with --json. */
  async function mayfly(name: string, ...args: readonly string[]): Promise<Record<string, unknown>> {
    const place = ['--config', config, '--data', dataOf(name), '--json'];
    const { code, stdout, stderr } = await run([...args, ...place]);
    expect([code, stderr, stdout]).toEqual([0, '', expect.any(String)]);
    return JSON.parse(stdout) as Record<string, unknown>;
  }
  async function logIdOf(server: RunningServer): Promise<string> {
    const { leaf } = issuedBy(await request(server.url, { token: await people.sign() }));
    const [sct] = readLeaf(new Uint8Array(leaf.der)).scts;
    return Buffer.from(sct?.logId ?? []).toString('base64');
  }
  async function logsOf(server: RunningServer): Promise<readonly TrustedLog[]> {
    const root = await trustDocument(server.url, 'trusted_root.json');
    return (root as { readonly ctlogs: readonly TrustedLog[] }).ctlogs;
  }
  const logsTrusted = (server: RunningServer, count: number): Promise<void> =>
    vi.waitFor(async () => expect(await logsOf(server)).toHaveLength(count), AWHILE);
  const firstEnded = (server: RunningServer): Promise<void> =>
    vi.waitFor(async () => expect((await logsOf(server))[0]?.publicKey.validFor.end).toBeDefined(), AWHILE);
  const readiness = async (server: RunningServer): Promise<number> =>
    (await send(server.url, '/readyz')).status;
  const treeOf = async (server: RunningServer, path: string): Promise<{ readonly tree_size: number }> =>
    (await send(server.url, `${path}/ct/v1/get-sth`)).json as { readonly tree_size: number };
  /** Issuances and reads of the first log, four at a time, until it is told to stop: resolves with what failed. */
  function load(server: RunningServer): { readonly seen: string[]; stop(): Promise<readonly unknown[]> } {
    const seen: string[] = [];
    const failures: unknown[] = [];
    let stopped = false;
    const issuing = Array.from({ length: 4 }, async () => {
      while (!stopped)
        await logIdOf(server).then(
          (id) => seen.push(id),
          (failure: unknown) => failures.push(failure),
        );
    });
    const reading = (async () => {
      while (!stopped) {
        for (const path of [
          '/log/checkpoint',
          '/log/ct/v1/get-sth',
          '/log/ct/v1/get-entries?start=0&end=0',
        ]) {
          const { status } = await send(server.url, path);
          if (status !== 200) failures.push(`${path}: ${status}`);
        }
      }
    })();
    return {
      seen,
      async stop() {
        stopped = true;
        await Promise.all([...issuing, reading]);
        return failures;
      },
    };
  }

  test('is followed by another in the same bucket, and no request fails', { timeout: 120_000 }, async () => {
    const server = await begin('data');
    const sign = () => signRelease(server.url, PUBLIC_URL, people);
    const bundles = [await sign()];
    await vi.waitFor(async () => expect((await treeOf(server, '/log')).tree_size).toBeGreaterThan(0), AWHILE);
    const [first] = await logsOf(server);
    const loaded = load(server);
    await mayfly('data', 'log', 'rotate');
    await logsTrusted(server, 2);
    expect(await logIdOf(server)).toBe(first?.logId.keyId);
    bundles.push(await sign());
    await mayfly('data', 'log', 'rotate', '--activate');
    const [, next] = await logsOf(server);
    await vi.waitFor(async () => expect(await logIdOf(server)).toBe(next?.logId.keyId), AWHILE);
    bundles.push(await sign());
    await firstEnded(server);
    bundles.push(await sign());
    expect(await loaded.stop()).toEqual([]);
    expect(new Set(loaded.seen)).toEqual(new Set([first?.logId.keyId, next?.logId.keyId]));
    const root = await trustDocument(server.url, 'trusted_root.json');
    for (const bundle of bundles) verifyRelease(bundle, root, people);

    // Frozen, whole from outside and from inside; the next one lies beside it.
    const sth = await treeOf(server, '/log');
    const state = { readonly: { final_tree_head: { tree_size: sth.tree_size } } };
    expect((await send(server.url, '/log/log.v3.json')).json).toMatchObject({ state });
    await vi.waitFor(
      async () => expect((await treeOf(server, '/log/2')).tree_size).toBeGreaterThan(0),
      AWHILE,
    );
    for (const path of ['/log', '/log/2']) {
      const key = join(folder, 'key.pem');
      writeFileSync(key, (await run(['log', 'key', `${server.url}${path}`])).stdout);
      const verified = await run(['log', 'verify', `${server.url}${path}`, '--key', key]);
      expect([path, verified.code, verified.stderr + verified.stdout]).toEqual([path, 0, expect.any(String)]);
    }
    await server.stop();
    expect(await mayfly('data', 'log', 'fsck', '--log', '1')).toMatchObject({ size: sth.tree_size });
    expect(await mayfly('data', 'log', 'fsck')).toMatchObject({ ok: true });

    // A restart needs no key of it.
    for (const name of ['log.key', 'note.key']) rmSync(join(dataOf('data'), 'log', name));
    const again = await begin('data');
    expect(await treeOf(again, '/log')).toEqual(sth);
    expect(await logIdOf(again)).toBe(next?.logId.keyId);
    const late = await signRelease(again.url, PUBLIC_URL, people);
    const lastRoot = await trustDocument(again.url, 'trusted_root.json');
    for (const bundle of [...bundles, late]) verifyRelease(bundle, lastRoot, people);

    // Without the record of what is in force nothing is written to the log that is over.
    await again.stop();
    rmSync(join(dataOf('data'), 'generations.json'));
    const refused = await run(['serve', '--config', config, '--data', dataOf('data')]);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('generations.json')]);
  });

  test('takes an instance along that stands by, which takes the next one over', {
    timeout: 120_000,
  }, async () => {
    const leader = await begin('data');
    cpSync(dataOf('data'), dataOf('other'), { recursive: true });
    const standBy = await begin('other');
    cpSync(dataOf('data'), dataOf('untold'), { recursive: true });
    const untold = await begin('untold');
    expect([await readiness(leader), await readiness(standBy)]).toEqual([200, 503]);
    await logIdOf(leader);
    await vi.waitFor(async () => expect((await treeOf(leader, '/log')).tree_size).toBe(1), AWHILE);
    const loaded = load(leader);
    await mayfly('data', 'log', 'rotate');
    bring('other');
    await logsTrusted(leader, 2);
    await logsTrusted(standBy, 2);
    // The one that stands by hears of it first, and waits for the one that leads.
    await mayfly('other', 'log', 'rotate', '--activate');
    const [first, next] = await logsOf(leader);
    expect(await logIdOf(leader)).toBe(first?.logId.keyId);
    await mayfly('data', 'log', 'rotate', '--activate');
    await vi.waitFor(async () => expect(await logIdOf(leader)).toBe(next?.logId.keyId), AWHILE);
    await firstEnded(leader);
    await firstEnded(standBy);
    expect(await loaded.stop()).toEqual([]);
    expect([await readiness(leader), await readiness(standBy)]).toEqual([200, 503]);
    expect(await treeOf(standBy, '/log')).toEqual(await treeOf(leader, '/log'));
    // One that was not told is told in the end.
    await untold.saying(/the next is not in this data folder/);
    expect(await logsOf(untold)).toHaveLength(1);
    bring('untold');
    await firstEnded(untold);
    await untold.stop();
    await leader.stop('SIGKILL');
    await vi.waitFor(async () => expect(await readiness(standBy)).toBe(200), AWHILE);
    expect(await logIdOf(standBy)).toBe(next?.logId.keyId);
    expect(standBy.output.stderr).not.toContain('not in this data folder');
  });

  test('is ended by the instance that takes over when its leader is gone in the middle', {
    timeout: 120_000,
  }, async () => {
    const leader = await begin('data');
    cpSync(dataOf('data'), dataOf('other'), { recursive: true });
    const standBy = await begin('other');
    cpSync(dataOf('data'), dataOf('unaware'), { recursive: true });
    await mayfly('data', 'log', 'rotate');
    await logsTrusted(leader, 2);
    const [first, next] = await logsOf(leader);
    leader.child.kill('SIGSTOP');
    await mayfly('data', 'log', 'rotate', '--activate');
    bring('other');
    // It leads the first log when no sign of life has come for a while, and goes on to the next from there.
    await vi.waitFor(async () => expect(await readiness(standBy)).toBe(200), AWHILE);
    await vi.waitFor(async () => expect(await logIdOf(standBy)).toBe(next?.logId.keyId), AWHILE);
    await firstEnded(standBy);
    // What was paused wakes, finds the log over, and stands by for the next.
    leader.child.kill('SIGCONT');
    await firstEnded(leader);
    expect(await treeOf(leader, '/log')).toEqual(await treeOf(standBy, '/log'));
    expect(await readiness(leader)).toBe(503);
    expect(first?.logId.keyId).not.toBe(next?.logId.keyId);
    // One that was not told says so, and writes nothing to the log that is over.
    const late = await begin('unaware').catch((error: unknown) => String(error));
    expect(late).toContain('was retired and takes no more entries');
    expect(await mayfly('data', 'log', 'fsck', '--log', '1')).toMatchObject({ ok: true });
    expect(await mayfly('data', 'log', 'fsck')).toMatchObject({ ok: true });
  });
});
