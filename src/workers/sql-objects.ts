// SQL objects: the small records that only the log itself reads, in the SQLite of its Durable Object.

import { type Bytes, equal } from '../encoding/bytes.ts';
import { LogDamage } from '../log/journal.ts';
import type { ObjectStore } from '../log/object-store.ts';
import type { SqlDatabase } from './sql.ts';

export class SqlObjects implements ObjectStore {
  readonly #storage: Pick<SqlDatabase, 'sql' | 'sync'>;

  constructor(storage: Pick<SqlDatabase, 'sql' | 'sync'>) {
    this.#storage = storage;
    storage.sql.exec(
      'CREATE TABLE IF NOT EXISTS object (key TEXT PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID',
    );
  }

  async get(key: string): Promise<Bytes | undefined> {
    const query = 'SELECT bytes FROM object WHERE key = ?';
    const [row] = this.#storage.sql.exec<{ bytes: ArrayBuffer }>(query, key).toArray();
    return row && new Uint8Array(row.bytes);
  }

  async create(key: string, bytes: Uint8Array): Promise<void> {
    const present = await this.get(key);
    if (present !== undefined && !equal(present, bytes))
      throw new LogDamage(`${key} stands in the store with other content`);
    await this.replace(key, bytes);
  }

  async replace(key: string, bytes: Uint8Array): Promise<void> {
    this.#storage.sql.exec('INSERT OR REPLACE INTO object VALUES (?, ?)', key, bytes);
    await this.#storage.sync();
  }
}
