// File log: the built-in log in a folder of this machine, or in its memory.

import { mkdirSync } from 'node:fs';
import { MemoryJournal, MemoryStore } from '../log/memory-storage.ts';
import { type LogOptions, type OpenLog, openLog } from '../log/open-log.ts';
import type { Schedule } from '../log/schedule.ts';
import { type Disk, makeFolders, systemDisk } from './disk.ts';
import { FileJournal } from './file-journal.ts';
import { lockFolder } from './file-lock.ts';
import { FileStore } from './file-store.ts';
import { sha256 } from './native-digest.ts';

type Options = Omit<LogOptions, 'schedule'> & { readonly schedule?: Schedule };

export interface FileLogOptions extends Options {
  /** Created when missing; the log's alone. */
  readonly folder: string;
  readonly disk?: Disk;
  readonly segmentSize?: number;
}

const later: Schedule = (task, milliseconds) => {
  const timer = setTimeout(task, milliseconds).unref();
  return () => clearTimeout(timer);
};

/**
 * Opens the log in a folder, or founds it. Throws a FolderInUse when another process has it, and a LogDamage when what is
 * stored contradicts itself, the key, or what was published.
 */
export async function openFileLog(options: FileLogOptions): Promise<OpenLog> {
  const { folder, disk = systemDisk, segmentSize } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const unlock = lockFolder(folder);
  try {
    await makeFolders(disk, folder, ['journal']);
    await makeFolders(disk, folder, ['public']);
    const size = segmentSize === undefined ? {} : { segmentSize };
    const opened = await openLog(
      { schedule: later, ...options },
      {
        sha256,
        journal: new FileJournal({ folder: `${folder}/journal`, disk, sha256, ...size }),
        store: new FileStore(`${folder}/public`, disk, 0o644),
        guard: new FileStore(folder, disk, 0o600),
      },
    );
    return {
      ...opened,
      get ready() {
        return opened.ready;
      },
      async close() {
        await opened.close();
        unlock();
      },
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

/** A log that is gone at exit. */
export function openMemoryLog(options: Options): Promise<OpenLog> {
  const storage = {
    sha256,
    journal: new MemoryJournal(),
    store: new MemoryStore(),
    guard: new MemoryStore(),
  };
  return openLog({ schedule: later, ...options }, storage);
}
