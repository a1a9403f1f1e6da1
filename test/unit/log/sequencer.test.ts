import { describe, expect, it } from 'vitest';
import { leafIndexOf } from '../../../src/log/entry.ts';
import type { JournalRecord } from '../../../src/log/journal.ts';
import { MemoryJournal, MemoryLeafIndex, MemoryStore } from '../../../src/log/memory.ts';
import { type LogOptions, type OpenLog, openLog } from '../../../src/log/open-log.ts';
import { audit, holds } from './audit.ts';
import { entryOf, ManualClock, ManualSchedule, p256Signer, sha256 } from './support.ts';

/** Holds each write until it is let through, and remembers how large it was. */
class GatedJournal extends MemoryJournal {
  readonly counts: number[] = [];
  readonly #waiting: (() => void)[] = [];

  override async append(record: JournalRecord): Promise<void> {
    this.counts.push(record.count);
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return super.append(record);
  }

  release(): void {
    this.#waiting.shift()?.();
  }
}

const signer = p256Signer();

function open(journal: MemoryJournal, options: Partial<LogOptions> = {}): Promise<OpenLog> {
  return openLog(
    { origin: 'log.example.com', signer, clock: new ManualClock(), ...options },
    {
      sha256,
      schedule: new ManualSchedule().schedule,
      journal,
      store: new MemoryStore(),
      guard: new MemoryStore(),
      leafIndex: new MemoryLeafIndex(),
    },
  );
}

const many = (log: OpenLog, count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => log.log.append(entryOf(from + i, 100)));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('group commit', () => {
  it('takes at once whatever came during the write before', async () => {
    const journal = new GatedJournal();
    const log = await open(journal);
    const first = many(log, 1);
    await turn();
    const second = many(log, 30, 1);
    await turn();
    // One write at a time, however many wait.
    expect(journal.counts).toEqual([1]);
    journal.release();
    await Promise.all(first);
    await turn();
    expect(journal.counts).toEqual([1, 30]);
    journal.release();
    const scts = await Promise.all(second);
    expect(scts.map(({ extensions }) => leafIndexOf(extensions))).toEqual(scts.map((_, i) => i + 1));
  });

  it('promises nothing before the write is done', async () => {
    const journal = new GatedJournal();
    const signed: number[] = [];
    const log = await open(journal, {
      signer: {
        ...signer,
        sign: (message) => {
          signed.push(message[1] ?? -1);
          return signer.sign(message);
        },
      },
    });
    signed.length = 0;
    const append = many(log, 3);
    await turn();
    await turn();
    expect(signed).toEqual([]);
    expect([log.size, log.reader.size]).toEqual([0, 0]);
    journal.release();
    await turn();
    journal.release();
    await Promise.all(append);
    expect(signed).toEqual([0, 0, 0]);
  });

  it('keeps commits within bounds of entries and of bytes', async () => {
    const journal = new GatedJournal();
    const log = await open(journal, { limits: { batchEntries: 4, batchBytes: 2000 } });
    const all = [...many(log, 11), log.log.append(entryOf(99, 3000))];
    for (let i = 0; i < 12; i++) {
      await turn();
      journal.release();
    }
    await Promise.all(all);
    expect(journal.counts.reduce((a, b) => a + b)).toBe(12);
    expect(Math.max(...journal.counts)).toBe(4);
    // One that is above the bound goes alone.
    expect(journal.counts.at(-1)).toBe(1);
  });

  it('turns away what is beyond its queue or beyond what may wait for publication', async () => {
    const journal = new GatedJournal();
    const log = await open(journal, { limits: { queue: 2 } });
    const busy = many(log, 1);
    await turn();
    const queued = many(log, 2, 1);
    await expect(log.log.append(entryOf(9))).rejects.toMatchObject({
      code: 'log_unavailable',
      retryAfter: 1,
    });
    for (let i = 0; i < 2; i++) {
      journal.release();
      await turn();
    }
    await Promise.all([...busy, ...queued]);

    const small = await open(new MemoryJournal(), { limits: { unpublishedBytes: 1000 } });
    await Promise.all(many(small, 3));
    await expect(small.log.append(entryOf(9))).rejects.toMatchObject({ code: 'log_unavailable' });
  });

  it('answers everything it took before it closes', async () => {
    const journal = new GatedJournal();
    const log = await open(journal, {
      signer: {
        ...signer,
        sign: async (message) => {
          await turn();
          return signer.sign(message);
        },
      },
    });
    const taken = [...many(log, 1), ...many(log, 5, 1)];
    let closed = false;
    const closing = log.close().then(() => {
      closed = true;
    });
    await expect(log.log.append(entryOf(9))).rejects.toMatchObject({ code: 'draining' });
    for (let i = 0; i < 2; i++) {
      await turn();
      expect(closed).toBe(false);
      journal.release();
    }
    expect(await Promise.all(taken)).toHaveLength(6);
    await closing;
    expect(log.reader.size).toBe(6);
  });
});

describe('the log key', () => {
  it('may answer later, or fail: then the entry stands without its SCT', async () => {
    let fail = false;
    const errors: unknown[] = [];
    const sign = async (message: Uint8Array): Promise<Uint8Array<ArrayBuffer>> => {
      if (fail) throw new Error('the key is away');
      return signer.sign(message);
    };
    const log = await open(new MemoryJournal(), {
      signer: { ...signer, sign },
      onError: (e) => errors.push(e),
    });
    const [before] = await Promise.all(many(log, 1));
    fail = true;
    await expect(log.log.append(entryOf(1, 100))).rejects.toMatchObject({ code: 'log_unavailable' });
    await expect(log.publish()).rejects.toThrow('away');
    expect(errors).toHaveLength(1);
    fail = false;
    await Promise.all(many(log, 1, 2));
    await log.publish();
    const audited = await audit(log.reader, signer.publicKey);
    expect(audited.size).toBe(3);
    expect(before && holds(audited, signer.publicKey, before, entryOf(0, 100).tbs)).toBe(true);
  });
});
