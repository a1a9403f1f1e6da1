// File segment: one file of the journal: how records are framed in it, and how it is read back without trusting it.

import type { Bytes } from '../../encoding/bytes.ts';
import type { Sha256 } from '../../encoding/digest.ts';
import { readBatch } from '../../log/batch.ts';
import { LogDamage } from '../../log/journal.ts';
import type { Disk } from '../system/disk.ts';

/*
 * <folder>/<sequence, 12 digits>.segment:
 *   header: "MFSEGv1\n" | marker, 8 random bytes
 *   frames: marker | length, u32 | record
 *   zeros to the end
 * The marker differs from segment to segment, so that nothing a client gets logged can pass for the start of a frame.
 * There is one write at a time: a bad frame with a good one after it was not torn but damaged.
 */
const MAGIC = Buffer.from('MFSEGv1\n');
export const MARKER = 8;
const HEADER = MAGIC.length + MARKER;
export const FRAME = MARKER + 4;
const NAME = /^(\d{12})\.segment$/;

export function segmentName(sequence: number): string {
  return `${String(sequence).padStart(12, '0')}.segment`;
}

export function header(marker: Buffer): Buffer {
  return Buffer.concat([MAGIC, marker]);
}

export function frame(marker: Buffer, record: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(FRAME + record.length);
  marker.copy(out, 0);
  out.writeUInt32BE(record.length, MARKER);
  out.set(record, FRAME);
  return out;
}

export interface StoredRecord {
  readonly bytes: Bytes;
  /** One past the last index in it. */
  readonly end: number;
}

export interface StoredSegment {
  readonly path: string;
  readonly sequence: number;
  readonly records: readonly StoredRecord[];
}

/** The segments of a journal in order, without a torn last record. Writes nothing. Throws a LogDamage for any other fault. */
export async function* readSegments(
  folder: string,
  disk: Disk,
  sha256: Sha256,
): AsyncIterable<StoredSegment> {
  let torn: string | undefined;
  for (const name of (await disk.list(folder)).filter((file) => NAME.test(file)).toSorted()) {
    const path = `${folder}/${name}`;
    const file = await disk.read(path);
    if (file === undefined) throw new LogDamage(`${name} vanished`);
    const { records, clean } = readSegment(name, file, sha256);
    if (torn !== undefined && records.length > 0)
      throw new LogDamage(`${torn}, and it is not the journal's last record`);
    if (!clean) torn = `${name} has a damaged record after its first ${records.length}`;
    yield { path, sequence: Number(NAME.exec(name)?.[1]), records };
  }
}

/** The good records of a segment; `clean` unless something that is not zeros follows them. */
function readSegment(
  name: string,
  bytes: Bytes,
  sha256: Sha256,
): { readonly records: StoredRecord[]; readonly clean: boolean } {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  // A segment gets its name only when its header is durable.
  if (file.length < HEADER || !file.subarray(0, MAGIC.length).equals(MAGIC))
    throw new LogDamage(`${name} does not start as a segment does`);
  const marker = file.subarray(MAGIC.length, HEADER);
  const records: StoredRecord[] = [];
  let at = HEADER;
  for (;;) {
    const record = frameAt(file, marker, at, sha256);
    if (record === undefined) break;
    records.push(record);
    at += FRAME + record.bytes.length;
  }
  for (let next = file.indexOf(marker, at + 1); next >= 0; next = file.indexOf(marker, next + 1)) {
    if (frameAt(file, marker, next, sha256) !== undefined)
      throw new LogDamage(
        `${name} is damaged between a good record at byte ${at} and another at byte ${next}`,
      );
  }
  return { records, clean: file.subarray(at).every((byte) => byte === 0) };
}

function frameAt(file: Buffer, marker: Buffer, at: number, sha256: Sha256): StoredRecord | undefined {
  if (at + FRAME > file.length || !file.subarray(at, at + MARKER).equals(marker)) return undefined;
  const length = file.readUInt32BE(at + MARKER);
  if (at + FRAME + length > file.length) return undefined;
  const bytes = new Uint8Array(file.subarray(at + FRAME, at + FRAME + length));
  const batch = readBatch(sha256, bytes);
  return batch && { bytes, end: batch.after.size };
}
