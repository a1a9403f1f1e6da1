// Batch: the entries of one commit as the journal keeps them: what was, what came, what is, and a checksum over all.

import { type Bytes, concat, equal, utf8 } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import { TlsReader, uint } from '../encoding/tls.ts';
import { type EntryBytes, entrySize, readEntry, type TileLeaf, writeEntry } from './entry.ts';
import type { JournalRecord } from './journal.ts';
import type { PrecertEntry } from './log.ts';
import { type Emit, type Frontier, grow, HASH_SIZE, rootOf, type TreeHead } from './merkle.ts';

const MAGIC = utf8('MFB1');
// magic, first index, previous root, count, timestamp, root after
const HEADER = MAGIC.length + 8 + HASH_SIZE + 4 + 8 + HASH_SIZE;
const ROOT_AFTER = HEADER - HASH_SIZE;

export interface Batch {
  readonly first: number;
  readonly previousRoot: Bytes;
  /** Of every entry in the batch, milliseconds since the epoch. */
  readonly timestamp: number;
  /** The tree with the batch in it. */
  readonly after: TreeHead;
  readonly entries: readonly EntryBytes[];
  /** The record for the journal. */
  readonly bytes: Bytes;
}

/** What is to be appended: the entry and the SHA-256 of each certificate of its chain. */
export interface Submission {
  readonly entry: PrecertEntry;
  readonly fingerprints: readonly Bytes[];
}

/** Lays out, hashes and sums up one commit; writes and signs nothing. */
export function makeBatch(
  sha256: Sha256,
  before: Frontier & TreeHead,
  submissions: readonly Submission[],
  timestamp: number,
  emit: Emit,
): { readonly batch: Batch; readonly frontier: Frontier & TreeHead } {
  let size = HEADER + HASH_SIZE;
  for (const { entry } of submissions) size += entrySize(entry);
  const bytes = new Uint8Array(size);
  const entries: EntryBytes[] = [];
  const leaves: Bytes[] = [];
  let at = HEADER;
  for (const [i, { entry, fingerprints }] of submissions.entries()) {
    const written = writeEntry(bytes, at, entry, fingerprints, timestamp, before.size + i);
    entries.push(written);
    leaves.push(sha256(written.hashInput));
    at = written.end;
  }
  const grown = grow(sha256, before, leaves, emit);
  const frontier = { ...grown, root: rootOf(sha256, grown) };
  bytes.set(
    concat(
      MAGIC,
      uint(before.size, 8),
      before.root,
      uint(submissions.length, 4),
      uint(timestamp, 8),
      frontier.root,
    ),
  );
  bytes.set(sha256(bytes.subarray(0, at)), at);
  const after = { size: frontier.size, root: frontier.root };
  return {
    batch: { first: before.size, previousRoot: before.root, timestamp, after, entries, bytes },
    frontier,
  };
}

/** The entries that a record says it holds; undefined when it is no record. Nothing of it is verified. */
export function spanOf(bytes: Bytes): Pick<JournalRecord, 'first' | 'count'> | undefined {
  if (bytes.length < HEADER || !equal(bytes.subarray(0, MAGIC.length), MAGIC)) return undefined;
  const reader = new TlsReader(bytes.subarray(MAGIC.length, HEADER));
  const first = reader.uint(8);
  reader.bytes(HASH_SIZE);
  return { first, count: reader.uint(4) };
}

/** A record read back; each entry with its fields. */
export interface StoredBatch extends Batch {
  readonly entries: readonly (EntryBytes & { readonly entry: TileLeaf })[];
}

/** Undefined when the checksum or the form is wrong: torn or damaged. Roots are the caller's to recompute. */
export function readBatch(sha256: Sha256, bytes: Bytes): StoredBatch | undefined {
  const end = bytes.length - HASH_SIZE;
  if (end < HEADER || !equal(bytes.subarray(0, MAGIC.length), MAGIC)) return undefined;
  if (!equal(sha256(bytes.subarray(0, end)), bytes.subarray(end))) return undefined;
  const reader = new TlsReader(bytes.subarray(0, end));
  reader.bytes(MAGIC.length);
  const first = reader.uint(8);
  const previousRoot = reader.bytes(HASH_SIZE).slice();
  const count = reader.uint(4);
  const timestamp = reader.uint(8);
  const root = bytes.slice(ROOT_AFTER, HEADER);
  reader.bytes(HASH_SIZE);
  const entries: (EntryBytes & { entry: TileLeaf })[] = [];
  for (let i = 0; i < count; i++) entries.push(readEntry(reader, bytes));
  if (!reader.done) return undefined;
  return { first, previousRoot, timestamp, after: { size: first + count, root }, entries, bytes };
}
