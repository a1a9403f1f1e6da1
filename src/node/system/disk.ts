// Disk: the few file operations that durability stands on; an argument, so that tests can make each of them fail.

import * as fs from 'node:fs';
import { promisify } from 'node:util';

export interface Disk {
  open(path: string, flags: number, mode: number): Promise<number>;
  close(fd: number): Promise<void>;
  /** Bytes written, which may be fewer than given. */
  write(fd: number, bytes: Uint8Array, position: number): Promise<number>;
  /** Content and size. */
  syncData(fd: number): Promise<void>;
  /** Everything, also of a directory. */
  sync(fd: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  list(folder: string): Promise<string[]>;
  makeFolder(path: string): Promise<void>;
  /** Undefined when there is no such file. */
  read(path: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

const write = promisify(fs.write) as unknown as (
  fd: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
) => Promise<{ bytesWritten: number }>;

/** Bytes that reach the page cache sooner than another thread could be woken for them; the wait is in the sync that follows. */
const SMALL_WRITE = 2 ** 16;

// Opening, closing and renaming touch names in memory and are over sooner than another thread could be woken for them;
// what waits for the disk is a sync, and syncs have threads of their own.
export const systemDisk: Disk = {
  open: async (path, flags, mode) => fs.openSync(path, flags, mode),
  close: async (fd) => fs.closeSync(fd),
  write: async (fd, bytes, position) =>
    bytes.length <= SMALL_WRITE
      ? fs.writeSync(fd, bytes, 0, bytes.length, position)
      : (await write(fd, bytes, 0, bytes.length, position)).bytesWritten,
  syncData: promisify(fs.fdatasync),
  sync: promisify(fs.fsync),
  rename: async (from, to) => fs.renameSync(from, to),
  remove: (path) => fs.promises.rm(path, { force: true }),
  list: (folder) => fs.promises.readdir(folder),
  makeFolder: async (path) => void (await fs.promises.mkdir(path, { recursive: true, mode: 0o755 })),
  read: async (path) => {
    try {
      return await fs.promises.readFile(path);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  },
};

export function isMissing(error: unknown): boolean {
  return hasCode(error, 'ENOENT');
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR } = fs.constants;
const CREATE = O_CREAT | O_EXCL | O_RDWR;

/**
 * A new file under a temporary name; returns its descriptor. What a crash left under that name is unlinked and not emptied: where it
 * cut a rename in two, the file may stand under the name that it was given as well.
 */
export async function createAnew(disk: Disk, path: string, mode: number): Promise<number> {
  try {
    return await disk.open(path, CREATE, mode);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
  await disk.remove(path);
  return disk.open(path, CREATE, mode);
}

/** Writes all of `bytes`, however often the system has to be asked. */
export async function writeFully(disk: Disk, fd: number, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const written = await disk.write(fd, done === 0 ? bytes : bytes.subarray(done), position + done);
    if (written <= 0) throw new Error('the disk took no more bytes');
    done += written;
  }
}

/** Makes the names in a folder durable. */
export async function syncFolder(disk: Disk, folder: string): Promise<void> {
  const fd = await disk.open(folder, O_RDONLY, 0);
  try {
    await disk.sync(fd);
  } finally {
    await disk.close(fd);
  }
}

/** Creates folders down to `path`, under `root` which exists, each name durable. */
export async function makeFolders(disk: Disk, root: string, names: readonly string[]): Promise<void> {
  let folder = root;
  for (const name of names) {
    const child = `${folder}/${name}`;
    await disk.makeFolder(child);
    await syncFolder(disk, folder);
    folder = child;
  }
}
