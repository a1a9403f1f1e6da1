// Edge log: the log as a stateless Worker has it: appends go to its Durable Object, reads to R2, and to the object for
// the right edge alone.

import type { Bytes } from '../encoding/bytes.ts';
import type { Log, PrecertEntry, Sct } from '../log/log.ts';
import { HASH_SIZE } from '../log/merkle.ts';
import { Reader } from '../log/reader.ts';
import { parseTilePath, TILE_WIDTH } from '../log/tile.ts';
import { Problem } from '../problem.ts';
import { type Outcome, unwrap } from '../problem-wire.ts';
import { sha256 } from './crypto.ts';
import type { LogService, LogSnapshot } from './log-service.ts';

/** The log's object; each call finds it anew. */
export type FindLog = () => Pick<LogService, 'append' | 'snapshot' | 'edge' | 'candidates'>;

/** An object of the bucket, from a cache where it may be; undefined when there is none. */
export type GetPublic = (key: string) => Promise<Bytes | undefined>;

export interface EdgeLogOptions {
  readonly find: FindLog;
  readonly get: GetPublic;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Bytes;
  readonly logId: Bytes;
  readonly now: () => number;
  /** Told why the object did not answer; what failed inside it, it tells itself. */
  readonly onError?: ((cause: unknown) => void) | undefined;
}

/** Milliseconds that an isolate shows the same checkpoint. */
const FRESH = 1000;

export class EdgeLog implements Log {
  readonly #options: EdgeLogOptions;
  #latest: { readonly snapshot: LogSnapshot; readonly reader: Reader; readonly at: number } | undefined;

  constructor(options: EdgeLogOptions) {
    this.#options = options;
  }

  /** SubjectPublicKeyInfo, DER. */
  get publicKey(): Bytes {
    return this.#options.publicKey;
  }

  append(entry: PrecertEntry): Promise<Sct> {
    return ask(() => this.#options.find().append(entry), this.#options.onError);
  }

  /** Shows the newest checkpoint, or one that was it a second ago. Throws Problem `log_unavailable`. */
  async reader(): Promise<Reader> {
    const { now, find, onError } = this.#options;
    const latest = this.#latest;
    if (latest !== undefined && Math.abs(now() - latest.at) < FRESH) return latest.reader;
    // One request asks; those that come meanwhile make do with what there is, and wait for nobody.
    if (latest !== undefined) this.#latest = { ...latest, at: now() };
    try {
      return this.#adopt(await ask(() => find().snapshot(), onError));
    } catch (error) {
      if (this.#latest !== undefined) this.#latest = { ...this.#latest, at: Number.NEGATIVE_INFINITY };
      throw error;
    }
  }

  /** Answers may overtake each other, and the public must not see a log shrink. */
  #adopt(snapshot: LogSnapshot): Reader {
    const before = this.#latest;
    const { timestamp } = snapshot.publication.treeHead;
    const isOld = before !== undefined && before.snapshot.publication.treeHead.timestamp >= timestamp;
    const [newest, reader] = isOld ? [before.snapshot, before.reader] : [snapshot, this.#readerOf(snapshot)];
    this.#latest = { snapshot: newest, reader, at: this.#options.now() };
    return reader;
  }

  #readerOf(snapshot: LogSnapshot): Reader {
    const { publicKey, logId, get, find, onError } = this.#options;
    const { size } = snapshot.publication.treeHead;
    return new Reader({
      sha256,
      identity: { origin: snapshot.origin, publicKey, logId },
      publisher: {
        current: snapshot.publication,
        published: async () => {
          throw new Problem('log_unavailable', { message: 'publication is not awaited here' });
        },
      },
      source: {
        edge: { data: () => undefined, hashes: (level, from, to) => edgeHashes(snapshot, level, from, to) },
      },
      store: {
        async get(key) {
          const stored = await get(key);
          if (stored !== undefined) return stored;
          const address = parseTilePath(key);
          if (address?.level !== 'data') return undefined;
          const from = address.index * TILE_WIDTH;
          return ask(() => find().edge(from, Math.min(from + TILE_WIDTH, size)), onError);
        },
      },
      leafIndex: {
        size: snapshot.indexed,
        candidates: (hash) => ask(() => find().candidates(hash), onError),
      },
    });
  }
}

function edgeHashes(
  { hashes, publication }: LogSnapshot,
  level: number,
  from: number,
  to: number,
): Bytes | undefined {
  const tile = hashes[level] ?? new Uint8Array();
  const count = Math.floor(publication.treeHead.size / TILE_WIDTH ** level);
  const base = count - (count % TILE_WIDTH);
  if (from < base || to > count) return undefined;
  return tile.slice((from - base) * HASH_SIZE, (to - base) * HASH_SIZE);
}

/** An object that is overloaded, restarting or out of reach is a log that cannot be written now. */
async function ask<T>(
  call: () => Promise<Outcome<T>>,
  onError: ((cause: unknown) => void) | undefined,
): Promise<T> {
  let outcome: Outcome<T>;
  try {
    outcome = await call();
  } catch (cause) {
    onError?.(cause);
    throw new Problem('log_unavailable', { cause });
  }
  return unwrap(outcome);
}
