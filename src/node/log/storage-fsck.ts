// Storage fsck: fsck of a log from inside, wherever its storage is: tiles, issuers, checkpoint, journal, and what was published.

import { type Bytes, base64, equal, utf8 } from '../../encoding/bytes.ts';
import type { PublicKey } from '../../key/public-key.ts';
import { ed25519Key, verifyCheckpoint } from '../../log/checkpoint.ts';
import { EntryExaminer } from '../../log/entry-examiner.ts';
import { type Finding, type FsckReport, fsck, type StoredLog } from '../../log/fsck.ts';
import { issuerPath } from '../../log/issuers.ts';
import { LogDamage } from '../../log/journal.ts';
import { ED25519_NOTE, noteKeyId, parseNote } from '../../log/note.ts';
import type { ObjectStore } from '../../log/object-store.ts';
import { type Published, readPublished } from '../../log/published.ts';
import { sha256 } from '../system/native-digest.ts';
import { nativeVerifier } from '../system/native-verifier.ts';

export interface StorageFsckOptions {
  /** The log's. */
  readonly publicKey: PublicKey;
  /** Of the second signature on checkpoints, where it is known. */
  readonly noteKey?: PublicKey | undefined;
  /** Whether precertificates and chains are held against the entries, too. */
  readonly submissions?: boolean | undefined;
  readonly onProgress?: (entries: number) => void;
}

/** The parts of a log's storage. */
export interface Storage extends Pick<StoredLog, 'lastTiles'> {
  /** What only the log itself reads. */
  readonly guard: Pick<ObjectStore, 'get'>;
  /** The public objects. */
  readonly store: Pick<ObjectStore, 'get'>;
  /** Its records in order. */
  readonly journal: AsyncIterable<Bytes>;
}

export async function fsckStorage(storage: Storage, options: StorageFsckOptions): Promise<FsckReport> {
  const { guard, store, journal, lastTiles } = storage;
  const findings: Finding[] = [];
  const heads: StoredLog['heads'][number][] = [];
  const published = await publishedHead(guard, findings);
  if (published !== undefined) heads.push({ where: 'published', ...published });
  const checkpoint = await store.get('checkpoint');
  const head = checkpoint && (await verifyCheckpoint(nativeVerifier, sha256, options.publicKey, checkpoint));
  if (checkpoint === undefined) findings.push({ where: 'checkpoint', what: 'is missing' });
  else if (head === undefined)
    findings.push({ where: 'checkpoint', what: 'is malformed, or is not signed by this log' });
  else heads.push({ where: 'checkpoint', ...head });
  if (head !== undefined && published !== undefined && head.size > published.size)
    findings.push({ where: 'published', what: `is older than the checkpoint of ${head.size} entries` });

  findings.push(...(await identityFindings(guard, options, head?.origin)));
  if (head !== undefined && checkpoint !== undefined && !hasNoteSignature(checkpoint, head.origin, options))
    findings.push({ where: 'checkpoint', what: 'its Ed25519 signature is missing or wrong' });

  const { onProgress } = options;
  const issuer = (fingerprint: Uint8Array): Promise<Bytes | undefined> => store.get(issuerPath(fingerprint));
  const examiner = new EntryExaminer({ sha256, verifier: nativeVerifier, issuer });
  const report = await fsck(
    { get: (path) => store.get(path), heads, journal, lastTiles },
    {
      sha256,
      faultOf: options.submissions === true ? (entry) => examiner.faultOf(entry) : undefined,
      ...(onProgress === undefined ? {} : { onProgress }),
    },
  );
  return { ...report, findings: [...findings, ...report.findings] };
}

/** The record of who the log is has to be that of the key, and of the checkpoint. */
async function identityFindings(
  guard: Storage['guard'],
  { publicKey }: Pick<StorageFsckOptions, 'publicKey'>,
  origin: string | undefined,
): Promise<Finding[]> {
  const stored = await guard.get('identity');
  if (stored === undefined) return [{ where: 'identity', what: 'is missing' }];
  const [name, logId, end] = Buffer.from(stored).toString('utf8').split('\n');
  if (end !== '') return [{ where: 'identity', what: 'is malformed' }];
  const out: Finding[] = [];
  if (logId !== base64(sha256(publicKey.spki)))
    out.push({ where: 'identity', what: 'is of a log with another key' });
  if (origin !== undefined && name !== origin)
    out.push({ where: 'identity', what: 'names another log than the checkpoint does' });
  return out;
}

function hasNoteSignature(
  checkpoint: Bytes,
  origin: string,
  { noteKey }: Pick<StorageFsckOptions, 'noteKey'>,
): boolean {
  if (noteKey === undefined) return true;
  const keyId = noteKeyId(sha256, origin, ED25519_NOTE, ed25519Key(noteKey.spki));
  const note = parseNote(checkpoint);
  const line = note?.signatures.find((one) => one.name === origin && equal(one.keyId, keyId));
  if (note === undefined || line === undefined) return false;
  return nativeVerifier.verify(noteKey, undefined, utf8(note.text), line.signature) === true;
}

async function publishedHead(guard: Storage['guard'], findings: Finding[]): Promise<Published | undefined> {
  try {
    const published = await readPublished(guard);
    if (published === undefined) findings.push({ where: 'published', what: 'is missing' });
    return published;
  } catch (error) {
    if (!(error instanceof LogDamage)) throw error;
    findings.push({ where: 'published', what: error.message });
    return undefined;
  }
}
