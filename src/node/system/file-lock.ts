// File lock: one process on a folder at a time; the system itself lets go of it when the process dies.

import { readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** Another process holds the folder. */
export class FolderInUse extends Error {
  override readonly name = 'FolderInUse';
}

/**
 * Locks `folder` until the function returned is called or the process ends, however it ends. Throws a FolderInUse when
 * another process, or this one, holds it. Node has no flock(2); an open exclusive SQLite transaction is an fcntl(2) lock.
 */
export function lockFolder(folder: string): () => void {
  const holder = `${folder}/lock.pid`;
  const database = new DatabaseSync(`${folder}/lock`);
  try {
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    if (!(cause instanceof Error && /locked/.test(cause.message))) throw cause;
    throw new FolderInUse(`${folder} is in use by another process${pidIn(holder)}`, { cause });
  }
  writeFileSync(holder, `${process.pid}\n`);
  return () => database.close();
}

function pidIn(path: string): string {
  try {
    return ` (pid ${readFileSync(path, 'utf8').trim()})`;
  } catch {
    return '';
  }
}
