import { duplexPair } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { Charge } from '../../../src/admission/limiter.ts';
import { MemoryLimiter } from '../../../src/admission/memory-limiter.ts';
import { instantOf } from '../../../src/clock.ts';
import { type Bytes, fromUtf8, utf8 } from '../../../src/encoding/bytes.ts';
import type { PrecertEntry } from '../../../src/log/log.ts';
import { type Answerer, Channel } from '../../../src/node/cluster/channel.ts';
import { FrameReader, FrameWriter, type Payload } from '../../../src/node/cluster/frames.ts';
import { ClusterLimiter, ClusterLog, sequencerAnswers } from '../../../src/node/cluster/ports.ts';
import { ClusterMetrics } from '../../../src/node/cluster/summed-metrics.ts';
import { EntryDecoder, EntryEncoder, readSct, writeSct } from '../../../src/node/cluster/wire.ts';
import { createRegistry } from '../../../src/node/signals/metrics.ts';
import { Problem } from '../../../src/problem.ts';

const nothing: Answerer = () => new Uint8Array();

function pair(left: Answerer, right: Answerer): readonly [Channel, Channel] {
  const [one, other] = duplexPair();
  return [new Channel(one, left), new Channel(other, right)];
}

function payloadOf(payload: Payload): Bytes {
  const writer = new FrameWriter();
  writer.frame(1, 2, payload);
  const payloads: Bytes[] = [];
  new FrameReader((_, __, read) => payloads.push(read)).take(writer.take());
  const [only] = payloads;
  if (only === undefined || payloads.length > 1) throw new Error('one frame');
  return only;
}

describe('frames', () => {
  test('come out as they went in, wherever the stream is cut', () => {
    const writer = new FrameWriter();
    const sent = [utf8(''), utf8('a'), new Uint8Array(5_000).fill(3), utf8('last')];
    for (const [i, payload] of sent.entries()) writer.frame(i, 2 ** 32 - 1 - i, payload);
    const bytes = writer.take();
    expect(writer.empty).toBe(true);
    for (const size of [1, 2, 3, 8, 9, 10, 4_096, bytes.length]) {
      const heard: [number, number, number][] = [];
      const reader = new FrameReader((kind, id, payload) => heard.push([kind, id, payload.length]));
      for (let at = 0; at < bytes.length; at += size) reader.take(Buffer.from(bytes.subarray(at, at + size)));
      expect(heard).toEqual(sent.map(({ length }, i) => [i, 2 ** 32 - 1 - i, length]));
    }
  });

  test('that cannot be written leave nothing behind', () => {
    const writer = new FrameWriter();
    writer.frame(1, 1, utf8('before'));
    const broken = (out: FrameWriter): void => {
      out.text('half');
      throw new RangeError('no');
    };
    expect(() => writer.frame(2, 2, broken)).toThrow('no');
    const kinds: number[] = [];
    new FrameReader((kind) => kinds.push(kind)).take(writer.take());
    expect(kinds).toEqual([1]);
  });
});

describe('a channel', () => {
  test('answers in both directions, many at once, whatever their size', async () => {
    const [left, right] = pair(
      (kind, payload) => utf8(`${kind}:${payload.length}`),
      async (_, payload) => payload,
    );
    const big = new Uint8Array(3_000_000).fill(7);
    const small = Array.from({ length: 200 }, (_, i) => left.request(1, utf8(String(i))));
    const [echo, asked] = await Promise.all([left.request(2, big), right.request(9, big)]);
    expect(Buffer.from(echo).equals(big)).toBe(true);
    expect(fromUtf8(asked)).toBe('9:3000000');
    expect((await Promise.all(small)).map(fromUtf8)).toEqual(
      Array.from({ length: 200 }, (_, i) => String(i)),
    );
  });

  test('carries a Problem as one, and of anything else the message', async () => {
    const [left] = pair(nothing, (kind) => {
      throw kind === 1 ? new Problem('log_unavailable', { retryAfter: 7 }) : new Error('a sentence');
    });
    await expect(left.request(1)).rejects.toMatchObject({ code: 'log_unavailable', retryAfter: 7 });
    await expect(left.request(2)).rejects.toThrow('a sentence');
  });

  test('that ends rejects what waits, and what comes after', async () => {
    const [left, right] = pair(nothing, () => new Promise<Uint8Array>(() => {}));
    const waiting = left.request(1);
    right.end();
    await expect(waiting).rejects.toThrow('ended');
    await left.closed;
    await expect(left.request(1)).rejects.toThrow('ended');
  });
});

describe('ports over a channel', () => {
  const side = { log: undefined, readiness: async () => [] };
  const charges: readonly Charge[] = [
    { limit: 'certificates-per-identity', key: 'a', rate: { burst: 3, count: 1, periodMs: 60_000 } },
    { limit: 'certificates-per-issuer', key: 'b', rate: { burst: 9, count: 5, periodMs: 60_000 } },
  ];
  const now = instantOf(1_800_000_000_000);

  test('a limiter says what one in memory says, and gives back', async () => {
    const [limiter, twin] = [new MemoryLimiter(), new MemoryLimiter()];
    const [left] = pair(
      nothing,
      sequencerAnswers({ ...side, limiter }, () => {}),
    );
    const remote = new ClusterLimiter(left);
    for (let i = 0; i < 5; i++) {
      const { refund: _, ...verdict } = {
        refund: undefined,
        ...(await remote.spend('i', charges, undefined, now)),
      };
      const { refund: __, ...wanted } = { refund: undefined, ...twin.spend('i', charges, undefined, now) };
      expect(verdict).toEqual(wanted);
      expect(verdict.allowed).toBe(i < 3);
    }
    const later = instantOf(now + 60_000);
    const verdict = await remote.spend('i', charges, undefined, later);
    if (!verdict.allowed) throw new Error('one has come back by now');
    await verdict.refund();
    expect(await remote.spend('i', charges, undefined, later)).toMatchObject({ allowed: true });
  });

  test('a replay is told, and a sequencer that is gone refuses', async () => {
    const [left, right] = pair(
      nothing,
      sequencerAnswers({ ...side, limiter: new MemoryLimiter() }, () => {}),
    );
    const remote = new ClusterLimiter(left);
    const replay = { mode: 'once', tokenHash: 't', spkiHash: 's', expiresAt: instantOf(now + 1000) } as const;
    expect(await remote.spend('i', [], replay, now)).toMatchObject({ allowed: true });
    expect(await remote.spend('i', [], replay, now)).toEqual({ allowed: false, reason: 'replayed' });
    right.end();
    await left.closed;
    expect(await remote.spend('i', charges, undefined, now)).toEqual({
      allowed: false,
      reason: 'unavailable',
    });
    const entry = { issuerKeyHash: utf8('k'), tbs: utf8('t'), precertificate: utf8('p'), chain: [] };
    await expect(new ClusterLog(left).append(entry)).rejects.toMatchObject({ code: 'log_unavailable' });
  });

  test('entries and SCTs come through as they are, with one object for a chain that comes again', () => {
    const entry = {
      issuerKeyHash: utf8('hash'),
      tbs: utf8('tbs'),
      precertificate: utf8('pre'),
      chain: [utf8('a'), utf8('b')],
    };
    const [encoder, decoder] = [new EntryEncoder(), new EntryDecoder()];
    const pass = (given: PrecertEntry): PrecertEntry =>
      decoder.read(payloadOf((out) => encoder.write(out, given)));
    const [one, two] = [pass(entry), pass(entry)];
    expect(one).toEqual(entry);
    expect(two).toEqual(entry);
    expect(two.chain[0]).toBe(one.chain[0]);
    expect(pass({ ...entry, chain: [utf8('c')] }).chain).toEqual([utf8('c')]);
    expect(pass(entry)).toEqual(entry);
    const sct = {
      logId: utf8('log'),
      timestamp: 1_800_000_000_123,
      extensions: utf8('x'),
      signature: utf8('s'),
    };
    expect(readSct(payloadOf((out) => writeSct(out, sct)))).toEqual(sct);
  });
});

test('what an ended worker has counted stays counted, and its states do not', async () => {
  const registry = createRegistry('1');
  const metrics = new ClusterMetrics(registry);
  const snapshot = [
    { name: 'c_total', help: 'c', type: 'counter', aggregator: 'sum', values: [{ value: 5, labels: {} }] },
    { name: 'g', help: 'g', type: 'gauge', aggregator: 'sum', values: [{ value: 5, labels: {} }] },
  ];
  for (const worker of [1, 2]) metrics.heard(worker, snapshot);
  const both = await metrics.text();
  expect(both).toMatch(/^c_total 10$/m);
  expect(both).toMatch(/^g 10$/m);
  for (const worker of [1, 2]) metrics.ended(worker);
  metrics.heard(1, snapshot);
  const text = await metrics.text();
  expect(text).toMatch(/^c_total 15$/m);
  expect(text).toMatch(/^g 5$/m);
});
