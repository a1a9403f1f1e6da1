// Bucket journal: a journal in a bucket; each commit is the conditional creation of one object, which is also what
// keeps a second writer out.

import { type Bytes, equal } from '../encoding/bytes.ts';
import { spanOf } from '../log/batch.ts';
import { type Journal, type JournalRecord, LogDamage } from '../log/journal.ts';
import type { Bucket } from './bucket.ts';
import type { Fenced, Term } from './term.ts';
import {
  isBefore,
  MARKER_SIZE,
  MOST_ENTRIES,
  markerOf,
  type Place,
  readWalKey,
  SEAL,
  WAL,
  walKey,
} from './wal-key.ts';

/** Objects read or overwritten at once. */
const PARALLEL = 8;

/** The log was ended for good after that many entries: there is nothing to write and nothing to sign any more. */
export class Sealed extends Error {
  override readonly name = 'Sealed';
  readonly size: number;

  constructor(size: number) {
    super(`the log was ended for good after ${size} entries`);
    this.size = size;
  }
}

/** An object of the journal as a listing shows it. */
interface Listed extends Place {
  readonly size: number;
}

/** A record that is not yet a tombstone. */
interface Live {
  readonly key: string;
  /** One past its last index. */
  readonly end: number;
}

export class BucketJournal implements Journal {
  readonly #bucket: Bucket;
  readonly #term: Term;
  readonly #marker: Bytes;
  #live: Live[] = [];
  /** Where the next record goes; undefined before the first recovery. */
  #next: Place | undefined;
  /** What was written there last, if its outcome is unknown; for good when a recovery has to tell. */
  #unsettled: Bytes | undefined;

  constructor(bucket: Bucket, term: Term) {
    this.#bucket = bucket;
    this.#term = term;
    this.#marker = markerOf(term.id);
  }

  /** As Journal.recover. Throws a Sealed for a log that was ended. */
  async *recover(from: number): AsyncIterable<Bytes> {
    this.#term.assert();
    const before = this.#next;
    const listed = await this.#list(from);
    const records = listed.filter(({ size }) => size !== MARKER_SIZE);
    if (records.length === 0 && from > 0)
      throw new LogDamage(
        `the objects ${WAL}... before index ${from} are gone: they may be emptied, never deleted, not by a lifecycle rule either`,
      );
    if (before !== undefined) await this.#expectOwnMarkers(before, listed);
    const live: Live[] = [];
    let end = from;
    const needed: Listed[] = [];
    for (const [i, record] of records.entries()) {
      const next = records[i + 1]?.first;
      if (record.size === 0) {
        if ((next ?? record.first + 1) > from)
          throw new LogDamage(
            `the record at index ${record.first} was let go before its tiles were published`,
          );
      } else if (next !== undefined && next <= from) live.push({ key: walKey(record), end: next });
      else needed.push(record);
    }
    for (let i = 0; i < needed.length; i += PARALLEL) {
      const group = needed.slice(i, i + PARALLEL);
      const read = await Promise.all(group.map((place) => this.#read(place)));
      for (const [j, bytes] of read.entries()) {
        const place = group[j];
        if (place === undefined) continue;
        if (before !== undefined) this.#expectOwn(before, place, bytes);
        end = this.#end(place, bytes);
        live.push({ key: walKey(place), end });
        if (end > from) yield bytes;
      }
    }
    if (end < from)
      throw new LogDamage(
        `the journal ends at index ${end}, but ${from} entries were published: it is older than the log`,
      );
    const tip = listed.at(-1);
    if (tip?.size === MARKER_SIZE && equal(await this.#read(tip), SEAL)) throw new Sealed(tip.first);
    let next: Place = { first: end, markers: tip?.first === end ? tip.markers + 1 : 0 };
    // A term begins with its marker: where a straggler of the term before would write, there is no room any more.
    for (;;) {
      const found = await this.#mark(next);
      if (found === undefined) break;
      if (found.length === MARKER_SIZE) {
        if (before !== undefined) throw this.#fenced(next);
        if (equal(found, SEAL)) throw new Sealed(next.first);
        next = { ...next, markers: next.markers + 1 };
        continue;
      }
      if (before !== undefined) this.#expectOwn(before, next, found);
      const key = walKey(next);
      next = { first: this.#end(next, found), markers: 0 };
      live.push({ key, end: next.first });
      yield found;
    }
    this.#live = live;
    this.#next = { ...next, markers: next.markers + 1 };
    this.#unsettled = undefined;
  }

  async append({ first, count, bytes }: JournalRecord): Promise<void> {
    this.#term.assert();
    const place = this.#next;
    if (place === undefined) throw new Error('the journal has not been recovered');
    if (this.#unsettled !== undefined)
      throw new Error('the journal has to be recovered after a failed write');
    if (first !== place.first) throw new RangeError(`record at ${first} where ${place.first} is next`);
    if (count > MOST_ENTRIES) throw new RangeError(`record of ${count} entries, ${MOST_ENTRIES} at most`);
    this.#unsettled = bytes;
    const key = walKey(place);
    if ((await this.#bucket.put(key, bytes, { absent: true })) === 'refused') {
      // The answer to a request that was done may have been lost.
      const stored = await this.#bucket.get(key);
      if (stored === undefined || !equal(stored.bytes, bytes)) throw this.#fenced(place);
    }
    this.#unsettled = undefined;
    this.#live.push({ key, end: first + count });
    this.#next = { first: first + count, markers: 0 };
  }

  /** Empties objects rather than delete them: a key that were free again would let a paused process write a fork there. */
  async discard(index: number): Promise<void> {
    this.#term.assert();
    for (;;) {
      const group = this.#live.slice(0, PARALLEL).filter(({ end }) => end <= index);
      if (group.length === 0) return;
      await Promise.all(group.map(({ key }) => this.#bucket.put(key, new Uint8Array())));
      this.#live = this.#live.filter((record) => !group.includes(record));
    }
  }

  /**
   * Ends the log for good: nobody writes a record after that, and whoever recovers the journal learns of it. Throws a
   * Fenced when another process was there first.
   */
  async seal(): Promise<void> {
    this.#term.assert();
    const place = this.#next;
    if (place === undefined || this.#unsettled !== undefined)
      throw new Error('the journal has to be recovered before it can be sealed');
    const key = walKey(place);
    if ((await this.#bucket.put(key, SEAL, { absent: true })) !== 'refused') return;
    const stored = await this.#bucket.get(key);
    if (stored === undefined || !equal(stored.bytes, SEAL)) throw this.#fenced(place);
  }

  async close(): Promise<void> {}

  /** From a little before `from`; farther back while there are records that should be tombstones. */
  async #list(from: number): Promise<Listed[]> {
    for (let back = MOST_ENTRIES; ; back *= 8) {
      const listed: Listed[] = [];
      const after = from > back ? walKey({ first: from - back - 1, markers: 0 }) : undefined;
      for await (const { key, size } of this.#bucket.list(WAL, after)) {
        const place = readWalKey(key);
        if (place === undefined) throw new LogDamage(`${key} is no object of a journal`);
        listed.push({ ...place, size });
      }
      const [oldest, second] = listed.filter(({ size }) => size !== MARKER_SIZE);
      const forgotten =
        oldest !== undefined && oldest.size > 0 && second !== undefined && second.first <= from;
      if (after === undefined || !forgotten) return listed;
    }
  }

  async #read(place: Place): Promise<Bytes> {
    const stored = await this.#bucket.get(walKey(place));
    if (stored === undefined || stored.bytes.length === 0)
      throw new LogDamage(`the record at index ${place.first} was let go while it was read`);
    return stored.bytes;
  }

  #end({ first }: Place, bytes: Bytes): number {
    const span = spanOf(bytes);
    if (span?.first !== first) throw new LogDamage(`the journal's record at index ${first} is damaged`);
    return first + span.count;
  }

  /** After the start of the term only what it wrote itself may stand where it writes. */
  #expectOwn(next: Place, place: Place, bytes: Bytes): void {
    if (isBefore(place, next)) return;
    if (place.first === next.first && this.#unsettled !== undefined && equal(this.#unsettled, bytes)) return;
    throw this.#fenced(place);
  }

  async #expectOwnMarkers(next: Place, listed: readonly Listed[]): Promise<void> {
    for (const place of listed) {
      if (place.size !== MARKER_SIZE || isBefore(place, next)) continue;
      if (!equal(await this.#read(place), this.#marker)) throw this.#fenced(place);
    }
  }

  /** Creates the term's marker; returns what stands there instead. */
  async #mark(place: Place): Promise<Bytes | undefined> {
    const key = walKey(place);
    if ((await this.#bucket.put(key, this.#marker, { absent: true })) !== 'refused') return undefined;
    const stored = await this.#bucket.get(key);
    if (stored === undefined || stored.bytes.length === 0)
      throw new LogDamage(`the record at index ${place.first} was let go while it was read`);
    return equal(stored.bytes, this.#marker) ? undefined : stored.bytes;
  }

  #fenced({ first }: Place): Fenced {
    return this.#term.end(`another process has written at index ${first}`);
  }
}
