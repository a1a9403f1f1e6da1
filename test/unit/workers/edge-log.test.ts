// The log as an isolate sees it: one question a second, no way back, and 503 where the object does not answer.

import { beforeEach, describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/node/system/native-digest.ts';
import type { Outcome } from '../../../src/problem-wire.ts';
import type { DurableLog } from '../../../src/workers/durable-log.ts';
import { EdgeLog } from '../../../src/workers/edge-log.ts';
import type { LogSnapshot } from '../../../src/workers/log-service.ts';
import { DurableLogRig } from '../../fakes/durable-log-rig.ts';
import { entryOf } from '../log/entries.ts';

let rig: DurableLogRig;
let log: DurableLog;
let asked: number;
let snapshot: () => Promise<Outcome<LogSnapshot>>;
let edge: EdgeLog;

beforeEach(async () => {
  rig = new DurableLogRig();
  log = rig.start();
  asked = 0;
  snapshot = () => log.snapshot();
  await rig.append(log, 3);
  await rig.ring(log);
  const { publicKey } = rig.ledger.signer;
  edge = new EdgeLog({
    find: () => ({
      append: (entry) => log.append(entry),
      edge: (from, to) => log.edge(from, to),
      candidates: (hash) => log.candidates(hash),
      snapshot: () => {
        asked += 1;
        return snapshot();
      },
    }),
    get: async (key) => rig.platform.objects.get(key)?.bytes,
    publicKey,
    logId: sha256(publicKey),
    now: () => rig.clock.value,
  });
});

const unavailable = { code: 'log_unavailable', status: 503 };

describe('the log in an isolate', () => {
  it('asks once a second', async () => {
    for (let i = 0; i < 10; i++) expect((await edge.reader()).size).toBe(3);
    expect(asked).toBe(1);
    rig.clock.value += 1000;
    await Promise.all(Array.from({ length: 10 }, () => edge.reader()));
    expect(asked).toBe(2);
  });

  it('does not go back when answers overtake each other', async () => {
    const early = await log.snapshot();
    await rig.append(log, 2);
    await rig.ring(log);
    expect((await edge.reader()).size).toBe(5);
    snapshot = async () => early;
    rig.clock.value += 1000;
    expect((await edge.reader()).size).toBe(5);
  });

  it('is unavailable where the object does not answer, and there again when it does', async () => {
    await edge.reader();
    rig.clock.value += 1000;
    snapshot = () => Promise.reject(new Error('Durable Object reset because its code was updated.'));
    await expect(edge.reader()).rejects.toMatchObject(unavailable);
    await expect(edge.reader()).rejects.toMatchObject(unavailable);
    snapshot = () => log.snapshot();
    expect((await edge.reader()).size).toBe(3);
  });

  it('is unavailable where an append gets no answer', async () => {
    log.append = () => Promise.reject(new Error('Network connection lost.'));
    await expect(edge.append(entryOf(1))).rejects.toMatchObject(unavailable);
  });

  it('passes on what the object refuses', async () => {
    const entry = { ...entryOf(1), tbs: new Uint8Array(2 ** 16) };
    await expect(edge.append(entry)).rejects.toMatchObject({ code: 'request_too_large', status: 413 });
  });
});
