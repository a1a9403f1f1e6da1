// WAL key: where the record of a commit lies in the bucket, named by its first index so that each index is taken once.

/** Below it the records lie. */
export const WAL = 'wal/';

/** Entries of one commit at most: so far before an index the record that holds it may begin. */
export const MOST_ENTRIES = 1024;

/**
 * A place in the order of writes: the first index, and how many markers of terms stand at it already. A marker says that
 * a new term began there, and takes the place that a process of an earlier term would write to next.
 */
export interface Place {
  readonly first: number;
  readonly markers: number;
}

/** 13 digits hold every leaf index (static-ct-api: up to 2^40 - 1), so that keys sort as numbers do. */
export function walKey({ first, markers }: Place): string {
  const suffix = markers === 0 ? '' : `.${String(markers).padStart(6, '0')}`;
  return `${WAL}${String(first).padStart(13, '0')}${suffix}`;
}

/** Undefined for a key that is none. */
export function readWalKey(key: string): Place | undefined {
  const found = /^wal\/(\d{13})(?:\.(\d{6}))?$/.exec(key);
  return found === null ? undefined : { first: Number(found[1]), markers: Number(found[2] ?? 0) };
}

export function isBefore(a: Place, b: Place): boolean {
  return a.first < b.first || (a.first === b.first && a.markers < b.markers);
}

const MAGIC = Uint8Array.of(0x4d, 0x46, 0x54, 0x31); // MFT1

/** Bytes of a marker; no record of a commit is so short. */
export const MARKER_SIZE = 20;

/**
 * What ends a log for good: it takes the place of the next record, and looks like the marker of a term, so that whoever
 * leads, or will lead, finds it where it would go on.
 */
export const SEAL: Uint8Array<ArrayBuffer> = markerOf(new TextEncoder().encode('the log is over.'));

/** Of the term with these 16 bytes. */
export function markerOf(term: Uint8Array): Uint8Array<ArrayBuffer> {
  const marker = new Uint8Array(MARKER_SIZE);
  marker.set(MAGIC);
  marker.set(term, MAGIC.length);
  return marker;
}
