// File fsck: fsck of a log that lies in a folder.

import type { Bytes } from '../../encoding/bytes.ts';
import type { FsckReport } from '../../log/fsck.ts';
import { type Disk, systemDisk } from '../system/disk.ts';
import { lockFolder } from '../system/file-lock.ts';
import { sha256 } from '../system/native-digest.ts';
import { readSegments } from './file-segment.ts';
import { FileStore } from './file-store.ts';
import { fsckStorage, type StorageFsckOptions } from './storage-fsck.ts';

export interface FolderFsckOptions extends StorageFsckOptions {
  readonly folder: string;
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

export interface DiskFsckOptions extends StorageFsckOptions {
  readonly guard: string;
  readonly store: string;
  readonly journal: string;
}

export function fsckDisk(disk: Disk, options: DiskFsckOptions): Promise<FsckReport> {
  return fsckStorage(
    {
      guard: new FileStore(options.guard, disk, 0o600),
      store: new FileStore(options.store, disk, 0o644),
      journal: records(options.journal, disk),
    },
    options,
  );
}

async function* records(folder: string, disk: Disk): AsyncIterable<Bytes> {
  for await (const segment of readSegments(folder, disk, sha256))
    for (const { bytes } of segment.records) yield bytes;
}
