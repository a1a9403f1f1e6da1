// File log: the built-in log in a folder of this machine, or in memory, for as long as the process lives.

import { mkdirSync } from 'node:fs';
import { MemoryJournal, MemoryLeafIndex, MemoryStore } from '../../log/memory.ts';
import { type LogOptions, type OpenLog, openLog } from '../../log/open-log.ts';
import type { Schedule } from '../../log/schedule.ts';
import { type Disk, makeFolders, systemDisk } from '../system/disk.ts';
import { lockFolder } from '../system/file-lock.ts';
import { sha256 } from '../system/native-digest.ts';
import { later } from '../system/timer.ts';
import { FileJournal } from './file-journal.ts';
import { FileLeafIndex } from './file-leaf-index.ts';
import { FileStore } from './file-store.ts';

export interface FileLogOptions extends LogOptions {
  /** Created when missing; the log's alone. */
  readonly folder: string;
  readonly disk?: Disk | undefined;
  readonly schedule?: Schedule | undefined;
  /** Bytes of a journal segment; 8 MiB unless set. */
  readonly segmentSize?: number | undefined;
}

/**
 * Opens the log in a folder, or founds it. Throws a FolderInUse when another process has it, and a LogDamage when what is
 * stored contradicts itself, the key, or what was published.
 */
export async function openFileLog(options: FileLogOptions): Promise<OpenLog> {
  const { folder, disk = systemDisk, schedule = later, segmentSize } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const unlock = lockFolder(folder);
  const journal = new FileJournal({ folder: `${folder}/journal`, disk, sha256, segmentSize });
  let leafIndex: FileLeafIndex | undefined;
  try {
    leafIndex = FileLeafIndex.open(`${folder}/leaf-index`);
    await makeFolders(disk, folder, ['journal']);
    await makeFolders(disk, folder, ['public']);
    const opened = await openLog(options, {
      sha256,
      schedule,
      journal,
      store: new FileStore(`${folder}/public`, disk, 0o644),
      guard: new FileStore(folder, disk, 0o600),
      leafIndex,
    });
    return {
      log: opened.log,
      reader: opened.reader,
      get ready() {
        return opened.ready;
      },
      get size() {
        return opened.size;
      },
      publish: () => opened.publish(),
      async close() {
        await opened.close().finally(unlock);
      },
    };
  } catch (error) {
    await journal.close();
    await leafIndex?.close();
    unlock();
    throw error;
  }
}

/** A log that ends with the process. */
export function openMemoryLog(options: LogOptions): Promise<OpenLog> {
  return openLog(options, {
    sha256,
    schedule: later,
    journal: new MemoryJournal(),
    store: new MemoryStore(),
    guard: new MemoryStore(),
    leafIndex: new MemoryLeafIndex(),
  });
}
