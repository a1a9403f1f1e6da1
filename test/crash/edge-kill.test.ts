// The Worker's runtime is killed at random moments under load: every SCT that ever came out of it stands in the one tree.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { readLeaf } from '../../src/certificate/leaf.ts';
import type { SignedTreeHead } from '../../src/log/checkpoint.ts';
import { leafIndexOf } from '../../src/log/entry.ts';
import { LogClient, readLogDocument } from '../../src/log/log-client.ts';
import { verifyConsistency } from '../../src/log/proof.ts';
import { sha256 } from '../../src/node/system/native-digest.ts';
import { nativeVerifier } from '../../src/node/system/native-verifier.ts';
import { freePort } from '../fakes/edge.ts';
import { startIssuer } from '../fakes/issuer.ts';
import { type Issued, issuedBy, request } from '../fakes/signing-client.ts';

const ROUNDS = Number(process.env['EDGE_CRASH_ROUNDS'] ?? 3);
const DEV = new URL('../../deploy/workers/dev.ts', import.meta.url).pathname;
const SOON = { timeout: 30_000, interval: 100 };

/** Where processes can be found by their parent. */
const LINUX = existsSync('/proc/self/task');

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

async function start(config: string, data: string, port: number): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    [DEV, '--config', config, '--data', data, '--port', String(port), '--limits', 'off'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let said = '';
  for await (const chunk of child.stdout ?? []) {
    said += String(chunk);
    if (said.includes('is ready at')) return child;
  }
  throw new Error(`dev:edge ended: ${said}`);
}

/** Nothing of it gets to do anything more. */
async function kill(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const pid = child.pid ?? 0;
  for (const one of childrenOf(pid)) if (isRuntime(one)) process.kill(one, 'SIGKILL');
  child.kill('SIGKILL');
  await gone;
}

const isRuntime = (pid: number): boolean => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('workerd');

it.skipIf(!LINUX)(
  `a runtime that is killed ${ROUNDS} times keeps its word`,
  { timeout: 60_000 + ROUNDS * 60_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mayfly-edge-kill-'));
    const people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
    const config = join(folder, 'mayfly.yaml');
    writeFileSync(
      config,
      stringify({ issuers: [{ 'issuer-url': people.url, audiences: ['sigstore'], type: 'email' }] }),
    );
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const issued: Issued[] = [];
    const heads: SignedTreeHead[] = [];
    const object = async (path: string): Promise<Uint8Array<ArrayBuffer> | undefined> => {
      const response = await fetch(`${url}/log/${path}`);
      return response.ok ? new Uint8Array(await response.arrayBuffer()) : undefined;
    };

    const load = async (child: ChildProcess, count: number): Promise<void> => {
      const token = await people.sign({}, { expiresIn: 3600 });
      let killed: Promise<void> | undefined;
      const lane = async (): Promise<void> => {
        while (killed === undefined) {
          const answer = await request(url, { token }).catch(() => undefined); // cut off
          if (answer?.status !== 200) continue;
          issued.push(issuedBy(answer));
          if (issued.length >= count) killed ??= kill(child);
        }
      };
      await Promise.all([lane(), lane(), lane(), lane()]);
      await killed;
    };

    const check = async (): Promise<void> => {
      const log = readLogDocument(await (await fetch(`${url}/.well-known/mayfly/log.json`)).text());
      if (log === undefined) throw new Error('no log');
      const client = new LogClient({ log, get: object, sha256, verifier: nativeVerifier });
      const head = await vi.waitFor(async () => {
        const newest = await client.treeHead();
        expect(newest.size).toBeGreaterThanOrEqual(issued.length);
        return newest;
      }, SOON);
      const indexes = new Set<number>();
      for (const { leaf, authority } of issued) {
        const { scts, precertTbs } = readLeaf(new Uint8Array(leaf.der));
        const [sct] = scts;
        const index = sct && leafIndexOf(sct.extensions);
        if (sct === undefined || index === undefined) throw new Error('no SCT with an index');
        const keyHash = sha256(Buffer.from(authority.spki, 'hex'));
        await client.verifyInclusion(head, index, sct, keyHash, precertTbs);
        indexes.add(index);
      }
      expect(indexes.size).toBe(issued.length);
      for (const before of heads.filter(({ size }) => size > 0)) {
        const query = `first=${before.size}&second=${head.size}`;
        const answer = await fetch(`${url}/log/ct/v1/get-sth-consistency?${query}`);
        const { consistency } = (await answer.json()) as { consistency: string[] };
        const proof = consistency.map((text) => new Uint8Array(Buffer.from(text, 'base64')));
        expect(verifyConsistency(sha256, before.size, before.root, head.size, head.root, proof)).toBe(true);
      }
      heads.push(head);
    };

    try {
      for (let round = 0; round < ROUNDS; round++) {
        const child = await start(config, join(folder, 'data'), port);
        await check();
        await load(child, issued.length + 20 + 70 * round);
      }
      const child = await start(config, join(folder, 'data'), port);
      await check();
      child.kill('SIGTERM');
      await new Promise((resolve) => child.once('exit', resolve));
    } finally {
      await people.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

describe.skipIf(!LINUX)('of what belongs together nothing is left', () => {
  const isThere = (pid: number): boolean => existsSync(`/proc/${pid}`);

  it.each<readonly [what: string, signal: NodeJS.Signals, isRuntimeHit: boolean]>([
    ['a runtime crashes', 'SIGKILL', true],
    ['the command is killed outright', 'SIGKILL', false],
    ['the command is told to end', 'SIGTERM', false],
    ['the command is interrupted', 'SIGINT', false],
  ])('where %s', { timeout: 60_000 }, async (_, signal, isRuntimeHit) => {
    const folder = mkdtempSync(join(tmpdir(), 'mayfly-edge-end-'));
    try {
      const config = join(folder, 'mayfly.yaml');
      writeFileSync(config, 'log: none\n');
      const child = await start(config, join(folder, 'data'), await freePort());
      const gone = new Promise<unknown>((resolve) => child.once('exit', resolve));
      const children = childrenOf(child.pid ?? 0);
      const [runtime] = children.filter(isRuntime);
      if (runtime === undefined) throw new Error('no runtime');
      process.kill(isRuntimeHit ? runtime : (child.pid ?? 0), signal);
      const code = await gone;
      if (isRuntimeHit) expect(code).toBe(1);
      await vi.waitFor(() => expect(children.filter(isThere)).toEqual([]), SOON);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
