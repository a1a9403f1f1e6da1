// Two sequencers on one bucket: the one that leads is paused under load, killed or stopped, and the other takes over; what a
// paused one can still do when it wakes is nothing, and every SCT that ever came out stands in the one tree there is.

import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { fromBase64, fromUtf8 } from '../../src/encoding/bytes.ts';
import { openS3Log } from '../../src/node/log/s3-log.ts';
import { sha256 } from '../../src/node/system/native-digest.ts';
import { later } from '../../src/node/system/timer.ts';
import { Bucket } from '../../src/s3/bucket.ts';
import { startS3 } from '../fakes/s3.ts';
import { describeWith } from '../fakes/skip.ts';
import { audit, holds } from '../unit/log/audit.ts';
import { entryOf } from '../unit/log/entries.ts';
import { mth } from '../unit/log/reference.ts';
import { temporaryFolder } from '../unit/log/support.ts';
import { untilReady } from '../unit/s3/support.ts';
import { signerOf } from './log-writer.ts';

/** 100 in `npm run test:full`. */
const ROUNDS = Number(process.env['S3_TAKEOVER_ROUNDS'] ?? (process.env['MAYFLY_TESTS_FULL'] ? 100 : 10));
const SEED = Number(process.env['S3_TAKEOVER_SEED'] ?? Date.now() % 2 ** 31);

let state = SEED | 1;
function random(below: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

interface Line {
  readonly started?: true;
  readonly leads?: true;
  readonly error?: string;
  readonly checkpoint?: string;
  readonly entry?: number;
  readonly timestamp?: number;
  readonly extensions?: string;
  readonly signature?: string;
}

const WRITER = new URL('./s3-writer.ts', import.meta.url).pathname;

/** A writer's process, and all that it said. */
class Writer {
  readonly child: ChildProcess;
  readonly said: Line[] = [];
  readonly exited: Promise<unknown>;
  #told = Promise.withResolvers<void>();

  constructor(args: readonly string[]) {
    this.child = spawn(process.execPath, [WRITER, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.exited = new Promise((resolve) => this.child.once('close', resolve));
    if (this.child.stdout === null) throw new Error('no pipe');
    createInterface({ input: this.child.stdout }).on('line', (text) => {
      try {
        this.said.push(JSON.parse(text) as Line);
      } catch (error) {
        if (this.child.signalCode === null && !this.child.killed) throw error;
      }
      this.#told.resolve();
      this.#told = Promise.withResolvers();
    });
  }

  /** Waits until one of the lines from `from` on is such. */
  async until(found: (line: Line) => boolean, from = 0, count = 1): Promise<void> {
    while (this.said.slice(from).filter(found).length < count) await this.#told.promise;
  }

  /** Indexes of SCTs in the lines from `from` up to `to`. */
  indexes(from: number, to = this.said.length): number[] {
    return this.said.slice(from, to).flatMap((line) => {
      const index = indexOf(line);
      return index === undefined ? [] : [index];
    });
  }
}

function indexOf({ extensions }: Line): number | undefined {
  return extensions === undefined ? undefined : Buffer.from(extensions, 'base64').readUIntBE(3, 5);
}

const isSct = (line: Line): boolean => line.entry !== undefined;
const begins = (line: Line): boolean => line.leads === true;

describeWith('go', 'two sequencers on one bucket', () => {
  it(`one leads at a time, ${ROUNDS} rounds (seed ${SEED})`, {
    timeout: 60_000 + ROUNDS * 20_000,
  }, async () => {
    const server = await startS3();
    const { endpoint, bucket, region, credentials } = server;
    const place = { endpoint, bucket, region, prefix: 'log/', credentials };
    const keyFile = `${temporaryFolder()}/key.pem`;
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    writeFileSync(keyFile, pem);

    const writers: Writer[] = [];
    const start = async (): Promise<Writer> => {
      const writer = new Writer([keyFile, JSON.stringify(place), String(writers.length * 1_000_000)]);
      writers.push(writer);
      await writer.until(({ started }) => started === true);
      return writer;
    };
    const monitor = watchPublic(new Bucket({ ...place, sha256, schedule: later, fetch }));
    try {
      let leader = await start();
      await leader.until(isSct);
      let other = await start();
      // It waits: no term of its own while the leader lives.
      expect(other.said.some(begins)).toBe(false);
      for (let round = 0; round < ROUNDS; round++) {
        await leader.until(isSct, leader.said.length, 1 + random(200));
        const mark = other.said.length;
        const way = (['SIGSTOP', 'SIGSTOP', 'SIGKILL', 'SIGTERM'] as const)[round % 4] ?? 'SIGSTOP';
        leader.child.kill(way);
        await other.until(begins, mark);
        await other.until(isSct, mark, 1 + random(50));
        const first = Math.min(...other.indexes(mark));
        if (way === 'SIGSTOP') {
          const before = leader.said.length;
          leader.child.kill('SIGCONT');
          await leader.until(({ error }) => error?.includes('leads the log no more') === true, before);
          // What it promises after waking was in the tree before the other one began.
          for (const index of leader.indexes(before)) expect(index).toBeLessThan(first);
        } else {
          await leader.exited;
          leader = await start();
        }
        [leader, other] = [other, leader];
      }
      for (const { child } of [leader, other]) child.kill('SIGTERM');
      await Promise.all(writers.map(({ exited }) => exited));

      const signer = signerOf(pem);
      const log = await openS3Log({
        origin: 'another.example.com',
        signer,
        clock: systemClock,
        bucket: place,
      });
      await untilReady(log);
      const audited = await audit(log.reader, signer.publicKey);
      await log.close();
      await monitor.stop();
      const promised = new Set<number>();
      for (const line of writers.flatMap(({ said }) => said)) {
        const { entry, timestamp, extensions, signature } = line;
        if (entry === undefined || timestamp === undefined) continue;
        const sct = {
          logId: new Uint8Array(32),
          timestamp,
          extensions: fromBase64(extensions ?? '') ?? new Uint8Array(),
          signature: fromBase64(signature ?? '') ?? new Uint8Array(),
        };
        expect(holds(audited, signer.publicKey, sct, entryOf(entry, 100).tbs), `entry ${entry}`).toBe(true);
        const index = indexOf(line) ?? -1;
        expect(promised.has(index)).toBe(false);
        promised.add(index);
      }
      expect(promised.size).toBeGreaterThan(ROUNDS);
      const roots = new Map<string, string>();
      for (const checkpoint of [
        ...monitor.seen,
        ...writers.flatMap(({ said }) => said.flatMap((line) => textOf(line.checkpoint))),
      ]) {
        const [, size = '', root = ''] = checkpoint.split('\n');
        const known =
          roots.get(size) ?? Buffer.from(mth(audited.leaves.slice(0, Number(size)))).toString('base64');
        roots.set(size, known);
        expect(Number(size)).toBeLessThanOrEqual(audited.size);
        expect(root).toBe(known);
      }
      expect(monitor.seen.length).toBeGreaterThan(ROUNDS);
    } finally {
      for (const { child } of writers) child.kill('SIGKILL');
      await Promise.all(writers.map(({ exited }) => exited));
      await monitor.stop().finally(() => server.stop());
    }
  });
});

function textOf(checkpoint: string | undefined): string[] {
  return checkpoint === undefined ? [] : [Buffer.from(checkpoint, 'base64').toString()];
}

interface Monitor {
  /** Every checkpoint that stood in the bucket when it was looked at. */
  readonly seen: readonly string[];
  /** Throws when a checkpoint or the guard ever went back. */
  stop(): Promise<void>;
}

/** Looks at what stands in the bucket, as a monitor that reads it would. */
function watchPublic(bucket: Bucket): Monitor {
  const seen: string[] = [];
  let open = true;
  const watch = async (): Promise<void> => {
    let size = 0;
    let guard = [0, 0];
    while (open) {
      const checkpoint = await bucket.get('public/checkpoint');
      const published = await bucket.get('published');
      if (checkpoint !== undefined) {
        const text = fromUtf8(checkpoint.bytes);
        if (text !== seen.at(-1)) seen.push(text);
        expect(Number(text.split('\n')[1])).toBeGreaterThanOrEqual(size);
        size = Number(text.split('\n')[1]);
      }
      if (published !== undefined) {
        const [entries = 0, , timestamp = 0] = fromUtf8(published.bytes).split('\n').map(Number);
        expect(entries).toBeGreaterThanOrEqual(guard[0] ?? 0);
        expect(timestamp).toBeGreaterThanOrEqual(guard[1] ?? 0);
        guard = [entries, timestamp];
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const watching = watch();
  watching.catch(() => undefined);
  return {
    seen,
    stop: () => {
      open = false;
      return watching;
    },
  };
}
