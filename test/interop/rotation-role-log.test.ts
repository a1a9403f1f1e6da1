// Rotation of a log in role log, as docs/rotation.md has it: a second one beside it, and replicas of the CA that are told of
// it by their configuration alone while they serve: no request fails, and what was signed before and after verifies.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { readLeaf } from '../../src/certificate/leaf.ts';
import { send } from '../fakes/client.ts';
import { entryOf } from '../fakes/instance.ts';
import { startIssuer } from '../fakes/issuer.ts';
import { type RunningServer, run, serve } from '../fakes/process.ts';
import { signRelease, trustDocument, verifyRelease } from '../fakes/release.ts';
import { issuedBy, request } from '../fakes/signing-client.ts';

const PUBLIC_URL = 'http://ca.example.org';
const AWHILE = { timeout: 60_000, interval: 20 };

const folder = mkdtempSync(join(tmpdir(), 'mayfly-rotation-role-log-'));
const at = (name: string): string => join(folder, name);
const running: RunningServer[] = [];
afterEach(async () => {
  for (const server of running) await server.stop('SIGKILL');
  rmSync(folder, { recursive: true });
});

async function begin(...args: readonly string[]): Promise<RunningServer> {
  const server = await serve(args);
  running.push(server);
  return server;
}

interface TrustedRoot {
  readonly ctlogs: readonly {
    readonly baseUrl: string;
    readonly publicKey: { readonly validFor: { readonly end?: string } };
    readonly logId: { readonly keyId: string };
  }[];
}

test('CAs in role ca are sent to another log while they serve', { timeout: 120_000 }, async () => {
  const people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
  const issuers = [entryOf({ issuer: people, type: 'email' })];
  const config = at('mayfly.yaml');
  const write = (more: object): void =>
    writeFileSync(
      config,
      stringify({ role: 'ca', 'rate-limits': 'off', 'public-url': PUBLIC_URL, issuers, ...more }),
    );
  // The CA's certificates are made by its first start, and the log wants to know them.
  write({ log: 'none' });
  await (await begin('--config', config, '--data', at('one'))).stop();
  cpSync(at('one'), at('two'), { recursive: true });
  const logAt = async (name: string): Promise<RunningServer> => {
    const roots = at('one/ca/root.pem');
    const server = await begin('--role', 'log', '--data', at(name), '--log-roots', roots);
    writeFileSync(at(`${name}.pem`), (await run(['log', 'key', '--data', at(name)])).stdout);
    return server;
  };
  const named = ({ url }: RunningServer, name: string) => ({
    url: `${url}/log`,
    'public-key': { file: at(`${name}.pem`) },
  });
  const old = await logAt('old');
  write({ log: named(old, 'old') });
  const cas = [
    await begin('--config', config, '--data', at('one')),
    await begin('--config', config, '--data', at('two')),
  ] as const;
  const rootOf = async ({ url }: RunningServer): Promise<TrustedRoot> =>
    (await trustDocument(url, 'trusted_root.json')) as TrustedRoot;
  const logIdAt = async ({ url }: RunningServer): Promise<string> => {
    const { leaf } = issuedBy(await request(url, { token: await people.sign() }));
    return Buffer.from(readLeaf(new Uint8Array(leaf.der)).scts[0]?.logId ?? []).toString('base64');
  };
  const sign = () => Promise.all(cas.map(({ url }) => signRelease(url, PUBLIC_URL, people)));
  const failures: unknown[] = [];
  const seen = new Set<string>();
  let [stopped, issued] = [false, 0];
  const load = cas.flatMap((ca) =>
    [1, 2].map(async () => {
      while (!stopped)
        await logIdAt(ca).then(
          (id) => {
            seen.add(id);
            issued += 1;
          },
          (failure: unknown) => failures.push(failure),
        );
    }),
  );
  const bundles = await sign();

  // 1. A second log beside the first. 2. Told to clients before it signs anything.
  const next = await logAt('next');
  write({ log: named(old, 'old'), 'also-trusted': { logs: [named(next, 'next')] } });
  for (const ca of cas)
    await vi.waitFor(async () => expect((await rootOf(ca)).ctlogs).toHaveLength(2), AWHILE);
  const overlap = await rootOf(cas[0]);
  const idOf = (server: RunningServer): string =>
    overlap.ctlogs.find(({ baseUrl }) => baseUrl.startsWith(server.url))?.logId.keyId ?? '';
  expect(await logIdAt(cas[0])).toBe(idOf(old));
  bundles.push(...(await sign()));

  // 3. It takes the entries.
  const until = new Date(Date.now() + 3_600_000).toISOString();
  write({ log: named(next, 'next'), 'also-trusted': { logs: [{ ...named(old, 'old'), until }] } });
  for (const ca of cas) await vi.waitFor(async () => expect(await logIdAt(ca)).toBe(idOf(next)), AWHILE);
  bundles.push(...(await sign()));
  stopped = true;
  await Promise.all(load);
  expect([failures, seen]).toEqual([[], new Set([idOf(old), idOf(next)])]);
  expect(issued).toBeGreaterThan(20);
  for (const ca of cas) {
    const root = await rootOf(ca);
    const ended = root.ctlogs.map(({ logId, publicKey }) => [logId.keyId, publicKey.validFor.end]);
    expect(new Map(ended as [string, string | undefined][])).toEqual(
      new Map([
        [idOf(old), until],
        [idOf(next), undefined],
      ]),
    );
    for (const bundle of bundles) {
      verifyRelease(bundle, root, people);
      verifyRelease(bundle, overlap, people);
    }
    expect(ca.output.stderr).not.toContain('not in force before a restart');
  }

  // The log before is read as it was; a configuration that cannot be used changes nothing.
  expect((await send(old.url, '/log/checkpoint')).status).toBe(200);
  writeFileSync(at('odd.pem'), '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n');
  write({ log: { url: `${old.url}/log`, 'public-key': { file: at('odd.pem') } } });
  for (const ca of cas) await ca.saying(/the one before stays in force/);
  expect(await logIdAt(cas[1])).toBe(idOf(next));
  await Promise.all([old.stop(), next.stop()]);
  for (const name of ['old', 'next']) {
    const { code, stdout, stderr } = await run(['log', 'fsck', '--data', at(name)]);
    expect([name, code, stdout + stderr]).toEqual([name, 0, expect.any(String)]);
  }
  await people.close();
});
