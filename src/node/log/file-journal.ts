// File journal: a journal in preallocated, append-only segment files; one write and one fdatasync for each record.

import { randomBytes } from 'node:crypto';
import type { Bytes } from '../../encoding/bytes.ts';
import type { Sha256 } from '../../encoding/digest.ts';
import type { Journal, JournalRecord } from '../../log/journal.ts';
import { createAnew, type Disk, syncFolder, writeFully } from '../system/disk.ts';
import {
  FRAME,
  frame,
  header,
  MARKER,
  readSegments,
  type StoredSegment,
  segmentName,
} from './file-segment.ts';

export interface FileJournalOptions {
  /** Exists; the journal's alone. */
  readonly folder: string;
  readonly disk: Disk;
  readonly sha256: Sha256;
  /** Bytes of a segment file; 8 MiB unless set. */
  readonly segmentSize?: number | undefined;
}

interface Segment {
  readonly sequence: number;
  readonly path: string;
  readonly fd: number;
  readonly marker: Buffer;
  readonly size: number;
  /** Where the next frame goes. */
  end: number;
}

/** A segment that is written no more. */
interface Closed {
  readonly path: string;
  /** One past the last index in it. */
  readonly end: number;
}

export class FileJournal implements Journal {
  readonly #options: FileJournalOptions;
  readonly #segmentSize: number;
  #closed: Closed[] = [];
  #tail: Segment | undefined;
  /** The segment after the tail, made ready while there is time. */
  #spare: Promise<Segment> | undefined;
  /** One past the last index in the journal; undefined while it holds none. */
  #next: number | undefined;
  /** While a write is under way, and for good when it failed. */
  #failed = false;

  constructor(options: FileJournalOptions) {
    this.#options = options;
    this.#segmentSize = options.segmentSize ?? 2 ** 23;
  }

  async *recover(from: number): AsyncIterable<Bytes> {
    const { folder, disk, sha256 } = this.#options;
    await this.close();
    this.#closed = [];
    this.#next = undefined;
    this.#failed = false;
    let last: StoredSegment | undefined;
    for await (const segment of readSegments(folder, disk, sha256)) {
      const { path, records } = segment;
      if (records.length === 0 && last !== undefined) {
        await disk.remove(path);
        continue;
      }
      if (last !== undefined) this.#closed.push({ path: last.path, end: this.#next ?? 0 });
      last = segment;
      for (const { bytes, end } of records) {
        if (end > from) yield bytes;
        this.#next = end;
      }
    }
    // Written anew: after a failed sync the system may have shown pages that no disk holds.
    this.#tail = await this.#createSegment(
      last?.sequence ?? 1,
      last?.records.map(({ bytes }) => bytes) ?? [],
    );
  }

  async append({ first, count, bytes }: JournalRecord): Promise<void> {
    const { disk } = this.#options;
    if (this.#next !== undefined && first !== this.#next)
      throw new RangeError(`record at ${first} where ${this.#next} is next`);
    let tail = this.#tail;
    if (tail === undefined) throw new Error('the journal has not been recovered');
    if (this.#failed) throw new Error('the journal has to be recovered after a failed write');
    this.#failed = true;
    if (tail.end + FRAME + bytes.length > tail.size) tail = await this.#roll(tail, bytes.length);
    await writeFully(disk, tail.fd, frame(tail.marker, bytes), tail.end);
    await disk.syncData(tail.fd);
    this.#failed = false;
    tail.end += FRAME + bytes.length;
    this.#next = first + count;
    if (tail.end > tail.size / 2) this.#prepare(tail);
  }

  async discard(index: number): Promise<void> {
    const { disk } = this.#options;
    while (this.#closed[0] !== undefined && this.#closed[0].end <= index) {
      const [gone] = this.#closed.splice(0, 1);
      if (gone !== undefined) await disk.remove(gone.path);
    }
  }

  async close(): Promise<void> {
    const open = [this.#tail, await this.#spare?.catch(() => undefined)];
    this.#tail = undefined;
    this.#spare = undefined;
    for (const segment of open) if (segment !== undefined) await this.#options.disk.close(segment.fd);
  }

  #prepare(tail: Segment): void {
    if (this.#spare !== undefined) return;
    const spare = this.#createSegment(tail.sequence + 1, []);
    this.#spare = spare;
    // Whoever awaits it meets the error; the next append tries again.
    spare.catch(() => {
      if (this.#spare === spare) this.#spare = undefined;
    });
  }

  async #roll(tail: Segment, needed: number): Promise<Segment> {
    this.#prepare(tail);
    let next = await this.#spare;
    this.#spare = undefined;
    if (next === undefined) throw new Error('no segment was made ready');
    if (next.end + FRAME + needed > next.size) {
      await this.#options.disk.close(next.fd);
      next = await this.#createSegment(tail.sequence + 1, [], needed);
    }
    this.#closed.push({ path: tail.path, end: this.#next ?? 0 });
    this.#tail = next;
    await this.#options.disk.close(tail.fd);
    return next;
  }

  /** A segment that holds `records`, durable under its name, replacing any file of that name. */
  async #createSegment(sequence: number, records: readonly Bytes[], needed = 0): Promise<Segment> {
    const { folder, disk } = this.#options;
    const path = `${folder}/${segmentName(sequence)}`;
    const temporary = `${folder}/.${sequence}.tmp`;
    const marker = randomBytes(MARKER);
    const content = Buffer.concat([header(marker), ...records.map((record) => frame(marker, record))]);
    const size = Math.max(this.#segmentSize, content.length + (needed === 0 ? 0 : FRAME + needed));
    const fd = await createAnew(disk, temporary, 0o600);
    try {
      await writeFully(disk, fd, content, 0);
      // Real zeros, not a hole: a sync into written blocks has no metadata to wait for.
      const zeros = new Uint8Array(2 ** 18);
      for (let at = content.length; at < size; at += zeros.length)
        await writeFully(disk, fd, zeros.subarray(0, size - at), at);
      await disk.sync(fd);
      await disk.rename(temporary, path);
      await syncFolder(disk, folder);
    } catch (error) {
      await disk.close(fd);
      throw error;
    }
    return { sequence, path, fd, marker, size, end: content.length };
  }
}
