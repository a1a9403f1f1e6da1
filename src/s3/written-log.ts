// Written log: a log in a bucket as the process that leads has it open, for one term.

import type { Sha256 } from '../encoding/digest.ts';
import type { LeafIndex } from '../log/leaf-index.ts';
import type { ObjectStore } from '../log/object-store.ts';
import { type LogOptions, openLog, type RunningLog } from '../log/open-log.ts';
import type { Schedule } from '../log/schedule.ts';
import type { Bucket } from './bucket.ts';
import { BucketJournal } from './bucket-journal.ts';
import { BucketStore } from './bucket-store.ts';
import { LastTileObjects } from './last-tile-objects.ts';
import { PUBLIC } from './public-objects.ts';
import type { Term } from './term.ts';
import { MOST_ENTRIES } from './wal-key.ts';

export interface WrittenLogParts {
  readonly sha256: Sha256;
  readonly schedule: Schedule;
  readonly bucket: Bucket;
  /** It outlives the term. */
  readonly leafIndex: LeafIndex;
}

export interface WrittenLog {
  readonly term: Term;
  readonly running: RunningLog;
  readonly journal: BucketJournal;
  readonly store: ObjectStore;
  readonly guard: ObjectStore;
}

/** R2 takes one write a second to an object, and `checkpoint` is one. */
const PUBLICATION_DELAY = 1000;
const BATCH_BYTES = 2 ** 22;

/** Throws what openLog does, and a Sealed for a log that has been ended. */
export async function openTerm(
  term: Term,
  options: LogOptions,
  { sha256, schedule, bucket, leafIndex }: WrittenLogParts,
  onError: (error: unknown) => void,
): Promise<WrittenLog> {
  const guard = new BucketStore({ bucket, folder: '', term, guarded: new Map([['published', 'ends-term']]) });
  const store = new BucketStore({
    bucket,
    folder: PUBLIC,
    term,
    guarded: new Map([['checkpoint', async () => void (await guard.get('published'))]]),
  });
  // Seen before `published` is replaced: a straggler that passes that guard must not pass this one later.
  await store.get('checkpoint');
  const journal = new BucketJournal(bucket, term);
  const running = await openLog(
    {
      publicationDelay: PUBLICATION_DELAY,
      ...options,
      limits: { batchEntries: MOST_ENTRIES, batchBytes: BATCH_BYTES, ...options.limits },
      onError,
    },
    {
      sha256,
      schedule,
      journal,
      store,
      guard,
      leafIndex: lasting(leafIndex),
      remembered: guard,
      lastTiles: new LastTileObjects({ bucket, store, term, onError }),
    },
  );
  return { term, running, journal, store, guard };
}

/** The same, left open by who closes it. */
function lasting(index: LeafIndex): LeafIndex {
  return {
    get size() {
      return index.size;
    },
    add: (first, hashes) => index.add(first, hashes),
    candidates: (hash) => index.candidates(hash),
    clear: () => index.clear(),
    close: () => Promise.resolve(),
  };
}
