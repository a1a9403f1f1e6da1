// The journal in a bucket as two terms see it: who came last writes, and the other one cannot.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeBatch } from '../../../src/log/batch.ts';
import type { Journal, JournalRecord } from '../../../src/log/journal.ts';
import { EMPTY, type Frontier, rootOf, type TreeHead } from '../../../src/log/merkle.ts';
import { nativeRandom } from '../../../src/node/system/native-random.ts';
import { later } from '../../../src/node/system/timer.ts';
import { Bucket } from '../../../src/s3/bucket.ts';
import { BucketJournal } from '../../../src/s3/bucket-journal.ts';
import { Fenced, Term } from '../../../src/s3/term.ts';
import { type S3Server, startS3 } from '../../fakes/s3.ts';
import { describeWith } from '../../fakes/skip.ts';
import { entryOf, sha256 } from '../log/support.ts';

type Tree = Frontier & TreeHead;
const NONE: Tree = { ...EMPTY, root: rootOf(sha256, EMPTY) };

/** The next record of a tree, of entries from `n` on. */
function recordAfter(
  tree: Tree,
  count: number,
  n = tree.size,
): { readonly record: JournalRecord; readonly tree: Tree } {
  const submissions = Array.from({ length: count }, (_, i) => ({
    entry: entryOf(n + i, 20),
    fingerprints: [],
  }));
  const { batch, frontier } = makeBatch(sha256, tree, submissions, 1_800_000_000_000, () => undefined);
  return { record: { first: batch.first, count, bytes: batch.bytes }, tree: frontier };
}

const read = async (journal: Journal, from = 0): Promise<string[]> =>
  (await Array.fromAsync(journal.recover(from))).map((bytes) => Buffer.from(bytes).toString('hex'));
const hexOf = ({ bytes }: JournalRecord): string => Buffer.from(bytes).toString('hex');

describeWith('go', 'a journal in a bucket', () => {
  let server: S3Server;
  let count = 0;
  beforeAll(async () => {
    server = await startS3();
  });
  afterAll(() => server.stop());

  function begin(fetcher: typeof fetch = fetch) {
    const bucket = new Bucket({
      ...server,
      prefix: `journal-${count}/`,
      sha256,
      schedule: later,
      fetch: fetcher,
      patience: { operation: 0 },
    });
    const term = new Term(Uint8Array.from(nativeRandom(16)));
    return { bucket, term, journal: new BucketJournal(bucket, term) };
  }

  it('keeps the earlier term out though the later one has written no entry yet', async () => {
    count += 1;
    const [old, next] = [begin(), begin()];
    await read(old.journal);
    const one = recordAfter(NONE, 3);
    await old.journal.append(one.record);
    expect(await read(next.journal)).toEqual([hexOf(one.record)]);
    const two = recordAfter(one.tree, 1);
    await expect(old.journal.append(two.record)).rejects.toBeInstanceOf(Fenced);
    expect(old.term.isOver).toBe(true);
    await expect(read(old.journal)).rejects.toBeInstanceOf(Fenced);
    await expect(old.journal.discard(3)).rejects.toBeInstanceOf(Fenced);
    await next.journal.append(two.record);
    expect(await read(begin().journal)).toEqual([hexOf(one.record), hexOf(two.record)]);
  });

  it('keeps an earlier term out that reads again before it writes', async () => {
    count += 1;
    const [old, next] = [begin(), begin()];
    await read(old.journal);
    await read(next.journal);
    await expect(read(old.journal)).rejects.toBeInstanceOf(Fenced);
    await next.journal.append(recordAfter(NONE, 1).record);
  });

  it.each(['before', 'after', 'late'] as const)('reads its own write of unknown outcome: %s', async (way) => {
    count += 1;
    let broken = false;
    let late: (() => Promise<unknown>) | undefined;
    const { journal, term, bucket } = begin(async (url, init) => {
      if (!broken || init?.method !== 'PUT') return fetch(url, init);
      broken = false;
      const sent = { ...init, signal: null };
      if (way === 'after') await fetch(url, sent);
      if (way === 'late') late = () => fetch(url, sent);
      throw new TypeError('the connection is gone');
    });
    await read(journal);
    broken = true;
    const one = recordAfter(NONE, 2);
    await expect(journal.append(one.record)).rejects.toThrow('does not answer');
    await expect(journal.append(one.record)).rejects.toThrow('has to be recovered');
    expect(await read(journal)).toEqual(way === 'after' ? [hexOf(one.record)] : []);
    await late?.();
    const two = way === 'after' ? recordAfter(one.tree, 1) : recordAfter(NONE, 1, 9);
    await journal.append(two.record);
    expect(term.isOver).toBe(false);
    expect(await read(begin().journal)).toEqual([
      ...(way === 'after' ? [hexOf(one.record)] : []),
      hexOf(two.record),
    ]);
    expect(await bucket.get('wal/0000000000000')).toBeDefined();
  });
});
