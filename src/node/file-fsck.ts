// File fsck: fsck of a log's folder, from inside: tiles, issuers, checkpoint, journal, and what was published.

import type { Bytes } from '../encoding/bytes.ts';
import type { PublicKey } from '../key/public-key.ts';
import { verifyCheckpoint } from '../log/checkpoint.ts';
import { type Finding, type FsckReport, fsck, type StoredLog } from '../log/fsck.ts';
import { LogDamage } from '../log/journal.ts';
import { type Published, readPublished } from '../log/published.ts';
import { type Disk, systemDisk } from './disk.ts';
import { lockFolder } from './file-lock.ts';
import { readSegments } from './file-segment.ts';
import { FileStore } from './file-store.ts';
import { sha256 } from './native-digest.ts';
import { nativeVerifier } from './native-verifier.ts';

export interface FolderFsckOptions {
  readonly folder: string;
  /** The log's. */
  readonly publicKey: PublicKey;
  readonly onProgress?: (entries: number) => void;
}

/** Throws a FolderInUse while a process has the log open. Changes nothing. */
export async function fsckFolder({ folder, ...options }: FolderFsckOptions): Promise<FsckReport> {
  const unlock = lockFolder(folder);
  try {
    return await fsckDisk(systemDisk, {
      ...options,
      guard: folder,
      store: `${folder}/public`,
      journal: `${folder}/journal`,
    });
  } finally {
    unlock();
  }
}

export interface DiskFsckOptions extends Omit<FolderFsckOptions, 'folder'> {
  readonly guard: string;
  readonly store: string;
  readonly journal: string;
}

export async function fsckDisk(disk: Disk, options: DiskFsckOptions): Promise<FsckReport> {
  const store = new FileStore(options.store, disk, 0o644);
  const findings: Finding[] = [];
  const heads: StoredLog['heads'][number][] = [];
  const published = await publishedHead(new FileStore(options.guard, disk, 0o600), findings);
  if (published !== undefined) heads.push({ where: 'published', ...published });
  const checkpoint = await store.get('checkpoint');
  const head = checkpoint && (await verifyCheckpoint(nativeVerifier, sha256, options.publicKey, checkpoint));
  if (checkpoint === undefined) findings.push({ where: 'checkpoint', what: 'is missing' });
  else if (head === undefined)
    findings.push({ where: 'checkpoint', what: 'is malformed, or is not signed by this log' });
  else heads.push({ where: 'checkpoint', ...head });
  if (head !== undefined && published !== undefined && head.size > published.size)
    findings.push({ where: 'published', what: `is older than the checkpoint of ${head.size} entries` });

  const log = { get: (path: string) => store.get(path), heads, journal: records(options.journal, disk) };
  const { onProgress } = options;
  const report = await fsck(log, { sha256, ...(onProgress === undefined ? {} : { onProgress }) });
  return { ...report, findings: [...findings, ...report.findings] };
}

async function publishedHead(guard: FileStore, findings: Finding[]): Promise<Published | undefined> {
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

async function* records(folder: string, disk: Disk): AsyncIterable<Bytes> {
  for await (const segment of readSegments(folder, disk, sha256))
    for (const { bytes } of segment.records) yield bytes;
}
