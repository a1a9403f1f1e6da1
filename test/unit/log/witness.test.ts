import { afterEach, describe, expect, it } from 'vitest';
import { fromUtf8 } from '../../../src/encoding/bytes.ts';
import { ed25519Key } from '../../../src/log/checkpoint.ts';
import { readCosignerKey } from '../../../src/log/cosignature.ts';
import type { OpenLog } from '../../../src/log/open-log.ts';
import { Witness } from '../../../src/log/witness.ts';
import { Witnesses, type WitnessReport } from '../../../src/log/witnesses.ts';
import { nativeVerifier as verifier } from '../../../src/node/system/native-verifier.ts';
import { fetchPoster as poster } from '../../../src/web/fetch-poster.ts';
import { type FakeWitness, startWitness } from '../../fakes/witness.ts';
import { audit } from './audit.ts';
import {
  ed25519Signer,
  entryOf,
  ManualClock,
  ORIGIN,
  openLog,
  p256Signer,
  sha256,
  temporaryFolder,
} from './support.ts';

const signer = p256Signer();
const cosigner = ed25519Signer();
const LOG = { origin: ORIGIN, ed25519: ed25519Key(cosigner.publicKey) };
const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one.close();
});

async function fake(name = 'witness.example/w1', logs = [LOG]): Promise<FakeWitness> {
  const witness = await startWitness(name, logs);
  opened.push(witness);
  return witness;
}

const clientOf = (witness: Pick<FakeWitness, 'url' | 'vkey' | 'keyName'>): Witness =>
  new Witness({
    name: witness.keyName,
    url: `${witness.url}/`,
    key: readCosignerKey(sha256, witness.vkey),
    poster,
    verifier,
  });

/** Time that passes when told to, and then does what is due. */
class Time {
  now = 0;
  #tasks: { readonly at: number; readonly run: () => void }[] = [];

  readonly schedule = (run: () => void, milliseconds: number): (() => void) => {
    const task = { at: this.now + milliseconds, run };
    this.#tasks.push(task);
    return () => {
      this.#tasks = this.#tasks.filter((other) => other !== task);
    };
  };

  pass(milliseconds: number): void {
    this.now += milliseconds;
    const due = this.#tasks.filter(({ at }) => at <= this.now);
    this.#tasks = this.#tasks.filter((task) => !due.includes(task));
    for (const { run } of due) run();
  }
}

interface Rig {
  readonly log: OpenLog;
  readonly time: Time;
  readonly clock: ManualClock;
  readonly reports: WitnessReport[];
  readonly errors: unknown[];
  /** Resolves once that many reports have come in all. */
  reported(count: number): Promise<void>;
  /** Appends, and signs a checkpoint. */
  sign(count?: number): Promise<void>;
  checkpoint(): string;
}

async function rig(witnesses: readonly FakeWitness[], folder = temporaryFolder()): Promise<Rig> {
  const [time, clock] = [new Time(), new ManualClock()];
  const reports: WitnessReport[] = [];
  const errors: unknown[] = [];
  let waiting: (() => void)[] = [];
  const log = await openLog({
    folder,
    signer,
    cosigner,
    clock,
    witnesses: () =>
      new Witnesses({
        witnesses: witnesses.map(clientOf),
        schedule: time.schedule,
        monotonic: () => time.now,
        onReport: (report) => {
          reports.push(report);
          for (const check of waiting) check();
        },
        onError: (error) => errors.push(error),
      }),
  });
  opened.push(log);
  let entries = log.size;
  return {
    log,
    time,
    clock,
    reports,
    errors,
    reported: (count) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (reports.length < count) return;
          waiting = waiting.filter((other) => other !== check);
          resolve();
        };
        waiting.push(check);
        check();
      }),
    async sign(count = 1) {
      await Promise.all(Array.from({ length: count }, () => log.log.append(entryOf(entries++, 20))));
      await log.publish();
    },
    checkpoint: () => fromUtf8(log.reader.checkpoint()),
  };
}

describe('a cosigner key', () => {
  it.each([
    ['', 'is no verifier key'],
    ['w+00000000', 'is no verifier key'],
    ['w+00000000+*', 'is no verifier key'],
    ['two words+00000000+BAAA', 'is no verifier key'],
    [`w+00000000+${Buffer.alloc(33, 4).toString('base64')}`, 'does not fit the key'],
    [`w+00000000+${Buffer.alloc(33, 1).toString('base64')}`, 'only Ed25519 cosignatures'],
    [`w+00000000+${Buffer.alloc(1313, 6).toString('base64')}`, 'only Ed25519 cosignatures'],
    [`w+00000000+${Buffer.alloc(32, 4).toString('base64')}`, 'only Ed25519 cosignatures'],
  ])('is not %j', (text, message) => {
    expect(() => readCosignerKey(sha256, text)).toThrow(message);
  });
});

describe('witnesses', () => {
  it('cosign the checkpoint before the public sees it', async () => {
    const [one, two] = [await fake('witness.example/w1'), await fake('witness.example/w2')];
    const { log, sign, checkpoint, reports } = await rig([one, two]);
    await sign(3);
    await log.reader.published(2);
    expect([one, two].map((witness) => witness.hasCosigned(checkpoint()))).toEqual([true, true]);
    expect(reports.map(({ result, size }) => [result, size])).toEqual([
      ['cosigned', 3],
      ['cosigned', 3],
    ]);
    // Only known cosigners are let onto the note, and the log's own signatures stay.
    expect(checkpoint()).not.toContain('witness.example/other');
    expect((await audit(log.reader, signer.publicKey)).size).toBe(3);
    expect(one.requests).toEqual([{ old: 0, size: 3, proof: 0, status: 200 }]);
  });

  it('are told how the tree has grown from what each saw last', async () => {
    const witness = await fake();
    const { sign, log, time } = await rig([witness]);
    for (const [i, count] of [1, 6, 300, 1].entries()) {
      if (i > 0) time.pass(1000);
      await sign(count);
      await log.reader.published(log.size - 1);
    }
    expect(witness.requests.map(({ old, size, status }) => [old, size, status])).toEqual([
      [0, 1, 200],
      [1, 7, 200],
      [7, 307, 200],
      [307, 308, 200],
    ]);
  });

  it('say what they have seen, where the log has forgotten it', async () => {
    const witness = await fake();
    const folder = temporaryFolder();
    const before = await rig([witness], folder);
    await before.sign(5);
    await before.log.reader.published(4);
    await before.log.close();
    opened.pop();
    const after = await rig([witness], folder);
    await after.reported(1);
    after.time.pass(1000);
    await after.sign(4);
    await after.log.reader.published(8);
    expect(witness.hasCosigned(after.checkpoint())).toBe(true);
    expect(witness.requests.map(({ old, size, status }) => [old, size, status])).toEqual([
      [0, 5, 200],
      [0, 5, 409],
      [5, 5, 200],
      [5, 9, 200],
    ]);
  });

  it('start again where they have lost their memory', async () => {
    const witness = await fake();
    const { sign, log, time, checkpoint } = await rig([witness]);
    await sign(2);
    await log.reader.published(1);
    witness.forget();
    time.pass(1000);
    await sign(2);
    await log.reader.published(3);
    expect(witness.hasCosigned(checkpoint())).toBe(true);
    expect(witness.requests.map(({ old, status }) => [old, status])).toEqual([
      [0, 200],
      [2, 409],
      [0, 200],
    ]);
  });

  it('are asked for the newest checkpoint only, at most once a second', async () => {
    const witness = await fake();
    const { sign, log, time, reports, reported } = await rig([witness]);
    await sign();
    await log.reader.published(0);
    for (let i = 0; i < 5; i++) await sign();
    expect(log.reader.size).toBe(1);
    time.pass(999);
    expect(witness.requests).toHaveLength(1);
    time.pass(1);
    await reported(2);
    await log.reader.published(5);
    expect(reports.map(({ size }) => size)).toEqual([1, 6]);
    expect(witness.requests.map(({ old, size }) => [old, size])).toEqual([
      [0, 1],
      [1, 6],
    ]);
  });

  it('who are slow hold up nothing for long, and are added when they are done', async () => {
    const [slow, quick] = [await fake('witness.example/slow'), await fake('witness.example/quick')];
    const release = slow.hold();
    const { sign, log, time, reported, checkpoint } = await rig([slow, quick]);
    const arrived = slow.nextRequest();
    await sign();
    await Promise.all([arrived, reported(1)]);
    expect(log.reader.size).toBe(0);
    time.pass(2000);
    await log.reader.published(0);
    expect([slow, quick].map((witness) => witness.hasCosigned(checkpoint()))).toEqual([false, true]);
    release();
    await reported(2);
    expect([slow, quick].map((witness) => witness.hasCosigned(checkpoint()))).toEqual([true, true]);
  });

  it('who are away hold up nothing, and are asked again after a while', async () => {
    const witness = await fake();
    const { sign, log, time, reports, reported, checkpoint } = await rig([witness]);
    witness.behaviour = { status: 503 };
    await sign();
    await log.reader.published(0);
    expect(reports.map(({ result }) => result)).toEqual(['refused']);
    // It is left alone: checkpoints are shown at once.
    await sign();
    await log.reader.published(1);
    expect(witness.requests).toHaveLength(1);
    expect(witness.hasCosigned(checkpoint())).toBe(false);
    witness.behaviour = 'serve';
    time.pass(5000);
    await sign();
    await reported(2);
    await log.reader.published(2);
    expect(witness.hasCosigned(checkpoint())).toBe(true);
  });

  it('and what they said of a tree stays with it when its head is signed anew', async () => {
    const witness = await fake();
    const { sign, log, time, clock, reported, checkpoint } = await rig([witness]);
    await sign();
    await log.reader.published(0);
    witness.behaviour = { status: 500 };
    time.pass(1000);
    clock.value += 60_000;
    await log.publish();
    await reported(2);
    while (log.reader.publication.treeHead.timestamp < clock.value) await log.publish();
    expect(witness.hasCosigned(checkpoint())).toBe(true);
  });

  it.each<[string, (witness: FakeWitness) => void, WitnessReport['result']]>([
    ['with another key', (w) => (w.behaviour = 'other-key'), 'malformed'],
    ['with nothing', (w) => (w.behaviour = { status: 200 }), 'malformed'],
    ['with no note lines', (w) => (w.behaviour = { status: 200, body: 'fine\n' }), 'malformed'],
    ['with a conflict without size', (w) => (w.behaviour = { status: 409, body: 'no' }), 'malformed'],
    ['with the same conflict each time', (w) => (w.behaviour = { status: 409, body: '0\n' }), 'inconsistent'],
    ['that the proof is wrong', (w) => (w.behaviour = { status: 422 }), 'inconsistent'],
    ['that it does not know the log', (w) => (w.behaviour = { status: 404 }), 'refused'],
    ['that it does not trust the key', (w) => (w.behaviour = { status: 403 }), 'refused'],
    ['that it has seen more', (w) => w.remember(ORIGIN, 99, new Uint8Array(32)), 'ahead'],
    ['that it has seen another tree', (w) => w.remember(ORIGIN, 1, new Uint8Array(32)), 'inconsistent'],
    ['that it has seen another small tree', (w) => w.remember(ORIGIN, 2, new Uint8Array(32)), 'inconsistent'],
    ['too much', (w) => (w.behaviour = { status: 200, body: 'x'.repeat(2 ** 17) }), 'unreachable'],
  ])('who answer %s add nothing, and the operator hears', async (_, change, result) => {
    const witness = await fake();
    change(witness);
    const { sign, log, reports, checkpoint } = await rig([witness]);
    await sign(2);
    await log.reader.published(1);
    expect(reports).toMatchObject([{ name: witness.keyName, result, size: 2 }]);
    expect(checkpoint()).not.toContain(witness.keyName);
  });

  it('who are not there at all add nothing', async () => {
    const witness = await fake();
    const { sign, log, reports } = await rig([witness]);
    await witness.close();
    await sign();
    await log.reader.published(0);
    expect(reports).toMatchObject([{ result: 'unreachable' }]);
  });

  it('do not keep a log from closing, which then shows all that it has', async () => {
    const witness = await fake();
    witness.hold();
    const folder = temporaryFolder();
    const { sign, log, reports } = await rig([witness], folder);
    const arrived = witness.nextRequest();
    await sign();
    await arrived;
    expect(log.reader.size).toBe(0);
    await log.close();
    opened.pop();
    expect(log.reader.size).toBe(1);
    expect(reports).toEqual([]);
    const again = await openLog({ folder, signer, cosigner, clock: new ManualClock() });
    expect(again.reader.size).toBe(1);
    await again.close();
  });
});
