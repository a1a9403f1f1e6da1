// Memory: a journal and an object store that end with the process, for throw-away instances.

import { type Bytes, equal } from '../encoding/bytes.ts';
import { type Journal, type JournalRecord, LogDamage } from './journal.ts';
import type { ObjectStore } from './object-store.ts';

export class MemoryJournal implements Journal {
  #records: JournalRecord[] = [];

  async *recover(from: number): AsyncIterable<Bytes> {
    for (const { first, count, bytes } of this.#records) if (first + count > from) yield bytes;
  }

  async append(record: JournalRecord): Promise<void> {
    this.#records.push(record);
  }

  async discard(index: number): Promise<void> {
    this.#records = this.#records.filter(({ first, count }) => first + count > index);
  }

  async close(): Promise<void> {}
}

export class MemoryStore implements ObjectStore {
  readonly #objects = new Map<string, Bytes>();

  async get(key: string): Promise<Bytes | undefined> {
    return this.#objects.get(key);
  }

  async create(key: string, bytes: Uint8Array): Promise<void> {
    const present = this.#objects.get(key);
    if (present !== undefined && !equal(present, bytes))
      throw new LogDamage(`${key} stands in the store with other content`);
    this.#objects.set(key, Uint8Array.from(bytes));
  }

  async replace(key: string, bytes: Uint8Array): Promise<void> {
    this.#objects.set(key, Uint8Array.from(bytes));
  }
}
