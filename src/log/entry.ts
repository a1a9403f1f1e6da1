// Entry: one logged precertificate as bytes: leaf, SCT input, and its place in a data tile.

import type { Bytes } from '../encoding/bytes.ts';
import { putUint, TlsReader } from '../encoding/tls.ts';
import type { PrecertEntry } from './log.ts';
import { HASH_SIZE } from './merkle.ts';
import { TILE_WIDTH, type TileAddress } from './tile.ts';

/** Indexes are 40 bits (static-ct-api, "leaf_index"). */
export const MAX_INDEX = 2 ** 40 - 1;

/*
 * An entry is laid out once and never copied:
 *
 *   00 | 00 00 | timestamp entry_type issuer_key_hash TBS extensions | precertificate | fingerprints
 *   ^    ^       ^
 *   |    |       TileLeaf (static-ct-api), from here to the end
 *   |    MerkleTreeLeaf (RFC 6962 section 3.4), to the end of extensions; the same bytes are the input of the SCT's
 *   |    signature, since version and signature_type are both 0 as well (section 3.2)
 *   leaf hash prefix (section 2.1)
 */
const HASH_PREFIX = 1;
const LEAF_PREFIX = 2;
const HEAD = HASH_PREFIX + LEAF_PREFIX;
const PRECERT_ENTRY = 1;
const EXTENSIONS_SIZE = 8;

/** The three views into one laid-out entry. */
export interface EntryBytes {
  /** 0x00 || MerkleTreeLeaf: hash this for the leaf hash. */
  readonly hashInput: Uint8Array;
  /** MerkleTreeLeaf, and what the SCT signs. */
  readonly leaf: Uint8Array;
  readonly tileLeaf: Uint8Array;
}

/** Bytes that the layout of `entry` takes. */
export function entrySize(entry: PrecertEntry): number {
  return (
    HEAD +
    8 +
    2 +
    32 +
    3 +
    entry.tbs.length +
    2 +
    EXTENSIONS_SIZE +
    3 +
    entry.precertificate.length +
    2 +
    32 * entry.chain.length
  );
}

/** CtExtensions with `leaf_index` alone: type 0, length 5, 40-bit index. */
export function leafIndexExtension(index: number): Bytes {
  const out = new Uint8Array(EXTENSIONS_SIZE);
  putUint(out, 1, 5, 2);
  putUint(out, 3, index, 5);
  return out;
}

/** The index that SCT extensions carry; undefined when they carry none or are malformed. */
export function leafIndexOf(extensions: Uint8Array): number | undefined {
  try {
    const reader = new TlsReader(extensions);
    while (!reader.done) {
      const type = reader.uint(1);
      const data = reader.vector(2);
      if (type === 0) return data.length === 5 ? new TlsReader(data).uint(5) : undefined;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return undefined;
}

function putVector(out: Uint8Array, offset: number, content: Uint8Array, size: number): number {
  const start = putUint(out, offset, content.length, size);
  out.set(content, start);
  return start + content.length;
}

/** Lays the entry out at `offset` of a zeroed buffer; returns its views and where it ends. */
export function writeEntry(
  out: Uint8Array,
  offset: number,
  entry: PrecertEntry,
  fingerprints: readonly Uint8Array[],
  timestamp: number,
  index: number,
): EntryBytes & { readonly end: number } {
  let at = putUint(out, offset + HEAD, timestamp, 8);
  at = putUint(out, at, PRECERT_ENTRY, 2);
  out.set(entry.issuerKeyHash, at);
  at = putVector(out, at + 32, entry.tbs, 3);
  at = putVector(out, at, leafIndexExtension(index), 2);
  const leafEnd = at;
  at = putVector(out, at, entry.precertificate, 3);
  at = putUint(out, at, 32 * fingerprints.length, 2);
  for (const fingerprint of fingerprints) {
    out.set(fingerprint, at);
    at += 32;
  }
  return { ...views(out, offset, leafEnd, at), end: at };
}

function views(bytes: Uint8Array, start: number, leafEnd: number, end: number): EntryBytes {
  return {
    hashInput: bytes.subarray(start, leafEnd),
    leaf: bytes.subarray(start + HASH_PREFIX, leafEnd),
    tileLeaf: bytes.subarray(start + HEAD, end),
  };
}

/** One element of a data tile, read back. */
export interface TileLeaf {
  readonly timestamp: number;
  readonly issuerKeyHash: Uint8Array;
  readonly tbs: Uint8Array;
  /** CtExtensions. */
  readonly extensions: Uint8Array;
  readonly index: number;
  readonly precertificate: Uint8Array;
  /** SHA-256 of each certificate of the chain as submitted. */
  readonly chain: readonly Uint8Array[];
  /** The TimestampedEntry: MerkleTreeLeaf without its first two bytes. */
  readonly timestampedEntry: Uint8Array;
}

/** Reads one TileLeaf at the reader's place. RangeError when it is malformed or no precertificate. */
export function readTileLeaf(reader: TlsReader, bytes: Uint8Array): TileLeaf {
  const start = reader.offset;
  const timestamp = reader.uint(8);
  const type = reader.uint(2);
  if (type !== PRECERT_ENTRY) throw new RangeError(`entry type ${type} where precert_entry belongs`);
  const issuerKeyHash = reader.bytes(32);
  const tbs = reader.vector(3);
  const extensions = reader.vector(2);
  const timestampedEntry = bytes.subarray(start, reader.offset);
  const index = leafIndexOf(extensions);
  if (index === undefined) throw new RangeError('an entry without leaf_index');
  const precertificate = reader.vector(3);
  const list = new TlsReader(reader.vector(2));
  const chain: Uint8Array[] = [];
  while (!list.done) chain.push(list.bytes(32));
  return { timestamp, issuerKeyHash, tbs, extensions, index, precertificate, chain, timestampedEntry };
}

/** MerkleTreeLeaf of an entry read back from a data tile. */
export function merkleTreeLeaf({ timestampedEntry }: TileLeaf): Bytes {
  const out = new Uint8Array(LEAF_PREFIX + timestampedEntry.length);
  out.set(timestampedEntry, LEAF_PREFIX);
  return out;
}

/** Reads a laid-out entry at the reader's place, as `writeEntry` made it. */
export function readEntry(reader: TlsReader, bytes: Uint8Array): EntryBytes & { readonly entry: TileLeaf } {
  const start = reader.offset;
  if (reader.uint(HEAD) !== 0) throw new RangeError('an entry without its leading zeros');
  const entry = readTileLeaf(reader, bytes);
  const leafEnd = start + HEAD + entry.timestampedEntry.length;
  return { ...views(bytes, start, leafEnd, reader.offset), entry };
}

/** The elements of a data tile, each with its bytes. */
export function readDataTile(tile: Uint8Array): { readonly entry: TileLeaf; readonly bytes: Uint8Array }[] {
  const reader = new TlsReader(tile);
  const out: { entry: TileLeaf; bytes: Uint8Array }[] = [];
  while (!reader.done) {
    const start = reader.offset;
    const entry = readTileLeaf(reader, tile);
    out.push({ entry, bytes: tile.subarray(start, reader.offset) });
  }
  return out;
}

/** The partial tile of that width in the full tile it became. RangeError when a data tile is malformed. */
export function beginningOf(full: Bytes, { level, width }: Pick<TileAddress, 'level' | 'width'>): Bytes {
  if (width === TILE_WIDTH) return full;
  if (level !== 'data') return full.slice(0, width * HASH_SIZE);
  const reader = new TlsReader(full);
  for (let i = 0; i < width; i++) readTileLeaf(reader, full);
  return full.slice(0, reader.offset);
}
