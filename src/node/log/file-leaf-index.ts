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

/**
 * Leaves that are held in memory until so many are written together. Hashes fall anywhere in the file: 256 at a time changed
 * nearly a page of it each; of thousands, sorted, several share one. A process that is killed reads them from the tiles again.
 */
const HELD = 4096;

export class FileLeafIndex implements LeafIndex {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #select: StatementSync;
  readonly #put: StatementSync;
  /** Positions by prefix, which the file does not have yet. */
  readonly #held = new Map<number, number[]>();
  #size: number;
  /** As `size`, of the file. */
  #written: number;

  private constructor(database: DatabaseSync) {
    this.#database = database;
    this.#insert = database.prepare('INSERT OR IGNORE INTO leaf VALUES (?, ?)');
    this.#select = database.prepare('SELECT position FROM leaf WHERE prefix = ? ORDER BY position LIMIT 16');
    this.#put = database.prepare('INSERT OR REPLACE INTO state VALUES (?, ?)');
    this.#size = Number(database.prepare("SELECT value FROM state WHERE key = 'size'").get()?.['value'] ?? 0);
    this.#written = this.#size;
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
    if (this.#size - this.#written >= HELD) this.#write();
    for (const [i, hash] of hashes.entries()) {
      const prefix = prefixOf(hash);
      const positions = this.#held.get(prefix);
      if (positions === undefined) this.#held.set(prefix, [first + i]);
      else positions.push(first + i);
    }
    this.#size = first + hashes.length;
  }

  /** Throws what SQLite says when it cannot; nothing is lost then. */
  #write(): void {
    this.#database.exec('BEGIN');
    try {
      for (const [prefix, positions] of [...this.#held].sort(([a], [b]) => a - b))
        for (const position of positions) this.#insert.run(prefix, position);
      this.#put.run('size', this.#size);
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
    this.#written = this.#size;
    this.#held.clear();
  }

  async candidates(hash: Bytes): Promise<readonly number[]> {
    if (!this.#database.isOpen)
      throw new Problem('log_unavailable', { message: 'the log is being closed', retryAfter: 1 });
    const prefix = prefixOf(hash);
    const written = this.#select.all(prefix).map((row) => Number(row['position']));
    return [...written, ...(this.#held.get(prefix) ?? [])];
  }

  async clear(): Promise<void> {
    this.#database.exec("DELETE FROM leaf; DELETE FROM state WHERE key = 'size'");
    this.#held.clear();
    this.#size = 0;
    this.#written = 0;
  }

  async close(): Promise<void> {
    try {
      this.#write();
      this.#put.run('open', null);
    } finally {
      this.#database.close();
    }
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
