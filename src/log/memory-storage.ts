// Memory storage: a journal and a store that vanish with the process, for ephemeral instances.

import { type Bytes, equal } from '../encoding/bytes.ts';
import type { Journal, JournalRecord } from './journal.ts';
import { LogDamage } from './journal.ts';
import type { ObjectStore } from './object-store.ts';

export class MemoryJournal implements Journal {
  #records: JournalRecord[] = [];

  async *recover(from: number): AsyncIterable<Bytes> {
    for (const { first, count, bytes } of this.#records) if (first + count > from) yield bytes;
  }

  append(record: JournalRecord): Promise<void> {
    this.#records.push(record);
    return Promise.resolve();
  }

  discard(index: number): Promise<void> {
    this.#records = this.#records.filter(({ first, count }) => first + count > index);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export class MemoryStore implements ObjectStore {
  readonly #objects = new Map<string, Bytes>();

  get(key: string): Promise<Bytes | undefined> {
    return Promise.resolve(this.#objects.get(key));
  }

  create(key: string, bytes: Uint8Array): Promise<void> {
    const known = this.#objects.get(key);
    if (known !== undefined && !equal(known, bytes)) {
      return Promise.reject(new LogDamage(`${key} is there already, with other bytes`));
    }
    return this.replace(key, bytes);
  }

  replace(key: string, bytes: Uint8Array): Promise<void> {
    this.#objects.set(key, Uint8Array.from(bytes));
    return Promise.resolve();
  }
}
