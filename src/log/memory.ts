// Memory: a journal and an object store that end with the process, for throw-away instances.

import { type Bytes, equal, hex } from '../encoding/bytes.ts';
import { type Journal, type JournalRecord, LogDamage } from './journal.ts';
import type { LeafIndex } from './leaf-index.ts';
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

export class MemoryLeafIndex implements LeafIndex {
  readonly #indexes = new Map<string, number>();
  size = 0;

  async add(first: number, hashes: readonly Bytes[]): Promise<void> {
    for (const [i, hash] of hashes.entries()) {
      const key = hex(hash);
      if (!this.#indexes.has(key)) this.#indexes.set(key, first + i);
    }
    this.size = first + hashes.length;
  }

  async candidates(hash: Bytes): Promise<readonly number[]> {
    const index = this.#indexes.get(hex(hash));
    return index === undefined ? [] : [index];
  }

  async clear(): Promise<void> {
    this.#indexes.clear();
    this.size = 0;
  }

  async close(): Promise<void> {}
}
