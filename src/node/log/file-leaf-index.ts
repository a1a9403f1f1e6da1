// File leaf index: a leaf index in an SQLite file that costs no syncs, since it can be made again from the tiles.

import { readFileSync, rmSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Bytes } from '../../encoding/bytes.ts';
import type { LeafIndex } from '../../log/leaf-index.ts';
import { Problem } from '../../problem.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS leaf (prefix INTEGER, position INTEGER, PRIMARY KEY (prefix, position)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
`;

export class FileLeafIndex implements LeafIndex {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #select: StatementSync;
  readonly #put: StatementSync;
  #size: number;

  private constructor(database: DatabaseSync) {
    this.#database = database;
    this.#insert = database.prepare('INSERT OR IGNORE INTO leaf VALUES (?, ?)');
    this.#select = database.prepare('SELECT position FROM leaf WHERE prefix = ? ORDER BY position LIMIT 16');
    this.#put = database.prepare('INSERT OR REPLACE INTO state VALUES (?, ?)');
    this.#size = Number(database.prepare("SELECT value FROM state WHERE key = 'size'").get()?.['value'] ?? 0);
  }

  /** Opens the index, or begins a new one where there is none that can be trusted. */
  static open(path: string): FileLeafIndex {
    try {
      const index = FileLeafIndex.#open(path);
      if (index !== undefined) return index;
    } catch (error) {
      // SQLite found the file damaged; the tiles hold all that was in it.
      if (!(error instanceof Error && 'errcode' in error)) throw error;
    }
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    const index = FileLeafIndex.#open(path);
    if (index === undefined) throw new Error(`${path} cannot be made anew`);
    return index;
  }

  static #open(path: string): FileLeafIndex | undefined {
    const database = new DatabaseSync(path);
    try {
      database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -8192');
      database.exec(SCHEMA);
      const open = database.prepare("SELECT value FROM state WHERE key = 'open'").get()?.['value'];
      if (open === undefined || open === null || open === bootId()) {
        const index = new FileLeafIndex(database);
        index.#put.run('open', bootId());
        return index;
      }
    } catch (error) {
      database.close();
      throw error;
    }
    // Open when the machine went down: without syncs there is no telling what reached the disk.
    database.close();
    return undefined;
  }

  get size(): number {
    return this.#size;
  }

  async add(first: number, hashes: readonly Bytes[]): Promise<void> {
    const size = first + hashes.length;
    this.#database.exec('BEGIN');
    try {
      for (const [i, hash] of hashes.entries()) this.#insert.run(prefixOf(hash), first + i);
      this.#put.run('size', size);
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
    this.#size = size;
  }

  async candidates(hash: Bytes): Promise<readonly number[]> {
    if (!this.#database.isOpen)
      throw new Problem('log_unavailable', { message: 'the log is being closed', retryAfter: 1 });
    return this.#select.all(prefixOf(hash)).map((row) => Number(row['position']));
  }

  async clear(): Promise<void> {
    this.#database.exec("DELETE FROM leaf; DELETE FROM state WHERE key = 'size'");
    this.#size = 0;
  }

  async close(): Promise<void> {
    this.#put.run('open', null);
    this.#database.close();
  }
}

/** 48 bits: the most that stay exact as a number; the caller compares the rest. */
function prefixOf(hash: Uint8Array): number {
  return Buffer.from(hash.buffer, hash.byteOffset, 6).readUIntBE(0, 6);
}

/** Differs after each start of the machine. Where the system tells none, no unclean file is trusted. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return `process ${process.pid}`;
  }
}
