// File store: an object store in a folder; each object a file that appears whole or not at all.

import { dirname } from 'node:path';
import { type Bytes, equal } from '../../encoding/bytes.ts';
import { LogDamage } from '../../log/journal.ts';
import type { ObjectStore } from '../../log/object-store.ts';
import { createAnew, type Disk, makeFolders, syncFolder, writeFully } from '../system/disk.ts';

export class FileStore implements ObjectStore {
  readonly #root: string;
  readonly #disk: Disk;
  readonly #mode: number;
  readonly #folders = new Set<string>();
  #temporaries = 0;

  /** `root` exists. Files get `mode`. */
  constructor(root: string, disk: Disk, mode: number) {
    this.#root = root;
    this.#disk = disk;
    this.#mode = mode;
  }

  get(key: string): Promise<Bytes | undefined> {
    return this.#disk.read(`${this.#root}/${key}`);
  }

  async create(key: string, bytes: Uint8Array): Promise<void> {
    const present = await this.get(key);
    if (present === undefined) return this.replace(key, bytes);
    if (!equal(present, bytes)) throw new LogDamage(`${key} stands in the store with other content`);
    // It may have been renamed into place by a process that died before the name was durable.
    await syncFolder(this.#disk, dirname(`${this.#root}/${key}`));
  }

  async replace(key: string, bytes: Uint8Array): Promise<void> {
    const folder = await this.#folderOf(key);
    this.#temporaries += 1;
    const temporary = `${this.#root}/.${this.#temporaries}.tmp`;
    try {
      const fd = await createAnew(this.#disk, temporary, this.#mode);
      try {
        await writeFully(this.#disk, fd, bytes, 0);
        await this.#disk.sync(fd);
      } finally {
        await this.#disk.close(fd);
      }
      await this.#disk.rename(temporary, `${this.#root}/${key}`);
    } catch (error) {
      await this.#disk.remove(temporary).catch(() => undefined);
      throw error;
    }
    await syncFolder(this.#disk, folder);
  }

  async #folderOf(key: string): Promise<string> {
    const names = key.split('/').slice(0, -1);
    const folder = [this.#root, ...names].join('/');
    if (!this.#folders.has(folder)) {
      await makeFolders(this.#disk, this.#root, names);
      this.#folders.add(folder);
    }
    return folder;
  }
}
