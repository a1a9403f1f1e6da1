// A log whose process is killed at random moments under load: every SCT that ever came out of it stands in the tree.

import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { fromBase64 } from '../../src/encoding/bytes.ts';
import { openFileLog } from '../../src/node/log/file-log.ts';
import { COMPILED } from '../fakes/process.ts';
import { type AuditedLog, audit, holds } from '../unit/log/audit.ts';
import { entryOf } from '../unit/log/entries.ts';
import { rootsAt } from '../unit/log/reference.ts';
import { temporaryFolder } from '../unit/log/support.ts';
import { signerOf } from './log-writer.ts';

/** `npm run test:crash` asks for 2,000. */
const ROUNDS = Number(process.env['LOG_CRASH_ROUNDS'] ?? 50);
const SEED = Number(process.env['LOG_CRASH_SEED'] ?? Date.now() % 2 ** 31);

interface Line {
  readonly opening?: true;
  readonly opened?: number;
  readonly checkpoint?: string;
  readonly entry?: number;
  readonly timestamp?: number;
  readonly extensions?: string;
  readonly signature?: string;
}

let state = SEED | 1;
function random(below: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

const WRITER = new URL('./log-writer.ts', import.meta.url).pathname;

/** Runs the writer until it has said `lines` lines, kills it, and returns all that it said. */
async function runAndKill(folder: string, keyFile: string, first: number, lines: number): Promise<Line[]> {
  const child: ChildProcess = spawn(process.execPath, [WRITER, folder, keyFile, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_COMPILE_CACHE: COMPILED },
  });
  const exited = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once('exit', (_, signal) => resolve(signal)),
  );
  const said: Line[] = [];
  if (child.stdout === null) throw new Error('no pipe');
  for await (const line of createInterface({ input: child.stdout })) {
    // The kill may have cut the last line short.
    try {
      said.push(JSON.parse(line) as Line);
    } catch (error) {
      if (!child.killed) throw error;
    }
    if (said.length >= lines) child.kill('SIGKILL');
  }
  expect(await exited).toBe('SIGKILL');
  return said;
}

/** One log is followed for so many rounds: looking at all of it each time costs more with every round. */
const ERA = 100;
/** Logs followed side by side, where there are several: each of them mostly waits for its disk and its next process. */
const AT_ONCE = 4;

describe('a log that is killed', () => {
  it(`keeps its word ${ROUNDS} times (seed ${SEED})`, { timeout: 60_000 + ROUNDS * 10_000 }, async () => {
    let left = ROUNDS;
    const eras = async (): Promise<void> => {
      while (left > 0) {
        const rounds = Math.min(ERA, left);
        left -= rounds;
        await follow(rounds);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, eras));
  });
});

function headOf(checkpoint: string): Pick<AuditedLog, 'size' | 'root'> {
  const [, size, root = ''] = checkpoint.split('\n');
  return { size: Number(size), root };
}

async function follow(rounds: number): Promise<void> {
  const folder = temporaryFolder();
  const keyFile = `${folder}/key.pem`;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  writeFileSync(keyFile, pem);
  const signer = signerOf(pem);
  const logFolder = `${folder}/log`;

  let next = 0;
  /** Leaf by index, once the SCT over it was found good. */
  const promised = new Map<number, Buffer>();
  let before: AuditedLog | undefined;
  for (let round = 0; round < rounds; round++) {
    const said = await runAndKill(logFolder, keyFile, next, 1 + random(200));
    const log = await openFileLog({
      folder: logFolder,
      origin: 'another.example.com',
      signer,
      clock: systemClock,
      segmentSize: 2 ** 18,
    });
    const audited = await audit(log.reader, signer.publicKey);
    await log.close();

    const heads = said.flatMap(({ checkpoint }) =>
      checkpoint === undefined ? [] : [headOf(Buffer.from(checkpoint, 'base64').toString())],
    );
    if (before !== undefined) heads.push(before);
    const roots = rootsAt(
      heads.map(({ size }) => size),
      audited.leaves,
    );
    // A tree that is smaller than one that was signed has no root over it.
    for (const { size, root } of heads)
      expect(Buffer.from(roots.get(size) ?? []).toString('base64'), `size ${size}`).toBe(root);
    for (const { opened, entry, timestamp, extensions, signature } of said) {
      if (opened !== undefined) expect(opened).toBeLessThan(10_000);
      if (entry === undefined || timestamp === undefined) continue;
      const sct = {
        logId: new Uint8Array(32),
        timestamp,
        extensions: fromBase64(extensions ?? '') ?? new Uint8Array(),
        signature: fromBase64(signature ?? '') ?? new Uint8Array(),
      };
      expect(
        holds(audited, signer.publicKey, sct, entryOf(entry).tbs),
        `entry ${entry} in round ${round}`,
      ).toBe(true);
      const index = Buffer.from(sct.extensions).readUIntBE(3, 5);
      expect(promised.has(index)).toBe(false);
      promised.set(index, audited.leaves[index] ?? Buffer.alloc(0));
      next = Math.max(next, entry + 1);
    }
    // What did not come back has a number too.
    next += 8;
    for (const [index, leaf] of promised) expect(audited.leaves[index]?.equals(leaf)).toBe(true);
    if (before !== undefined) expect(audited.timestamp).toBeGreaterThan(before.timestamp);
    before = audited;
  }
  expect(promised.size).toBeGreaterThan(0);
}
