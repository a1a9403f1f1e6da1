// A disk in memory that forgets, at a crash, what was not synced, and that fails when told to.

import { constants } from 'node:fs';
import type { Disk } from '../../src/node/system/disk.ts';

const { O_EXCL } = constants;

interface File {
  /** What a crash cannot take. */
  durable: Uint8Array<ArrayBuffer>;
  current: Uint8Array<ArrayBuffer>;
  /** Writes since the last sync. */
  pending: ('emptied' | { readonly at: number; readonly bytes: Uint8Array })[];
}

export type Operation =
  | 'open'
  | 'write'
  | 'syncData'
  | 'sync'
  | 'rename'
  | 'remove'
  | 'list'
  | 'read'
  | 'makeFolder';

/** Asked before each operation: 'before' fails it undone, 'after' fails it done, 'half' does half a write and fails. */
export type Fault = (operation: Operation, path: string) => 'before' | 'after' | 'half' | undefined;

/** 0 <= x < 1. */
export type Chance = () => number;

export class FakeDisk implements Disk {
  /** Names as processes see them, and as a crash leaves them. */
  #names = new Map<string, File>();
  #durableNames = new Map<string, File>();
  readonly #open = new Map<number, { readonly path: string; readonly file: File | undefined }>();
  #next = 3;
  fault: Fault = () => undefined;

  async open(path: string, flags: number, _mode: number): Promise<number> {
    return this.#run('open', path, () => {
      const writing = flags !== 0;
      let file = this.#names.get(path);
      if (file !== undefined && (flags & O_EXCL) !== 0) throw failure('EEXIST', path);
      if (writing) {
        file ??= { durable: new Uint8Array(), current: new Uint8Array(), pending: [] };
        file.current = new Uint8Array();
        file.pending.push('emptied');
        this.#names.set(path, file);
      }
      this.#open.set(this.#next, { path, file });
      return this.#next++;
    });
  }

  async close(fd: number): Promise<void> {
    if (!this.#open.delete(fd)) throw new Error(`file descriptor ${fd} is not open`);
  }

  async write(fd: number, bytes: Uint8Array, position: number): Promise<number> {
    const { path, file } = this.#opened(fd);
    const put = (part: Uint8Array): void => {
      if (file === undefined) throw new Error(`${path} is a folder`);
      apply(file, 'current', position, part);
      file.pending.push({ at: position, bytes: Uint8Array.from(part) });
    };
    if (this.fault('write', path) === 'half') {
      put(bytes.subarray(0, bytes.length >> 1));
      throw failure('ENOSPC', path);
    }
    // Short writes are lawful at any time.
    const part = bytes.length > 100_000 ? bytes.subarray(0, 100_000) : bytes;
    return this.#run('write', path, () => {
      put(part);
      return part.length;
    });
  }

  syncData(fd: number): Promise<void> {
    return this.#sync('syncData', fd);
  }

  sync(fd: number): Promise<void> {
    return this.#sync('sync', fd);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#run('rename', to, () => {
      const file = this.#names.get(from);
      if (file === undefined) throw failure('ENOENT', from);
      this.#names.delete(from);
      this.#names.set(to, file);
    });
  }

  async remove(path: string): Promise<void> {
    this.#run('remove', path, () => this.#names.delete(path));
  }

  async list(folder: string): Promise<string[]> {
    return this.#run('list', folder, () =>
      [...this.#names.keys()]
        .filter((path) => path.startsWith(`${folder}/`) && !path.slice(folder.length + 1).includes('/'))
        .map((path) => path.slice(folder.length + 1)),
    );
  }

  async makeFolder(path: string): Promise<void> {
    this.#run('makeFolder', path, () => undefined);
  }

  async read(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#run('read', path, () => this.#names.get(path)?.current.slice());
  }

  /** What the next process finds: all that was synced, and of the rest whatever chance kept. */
  crash(chance: Chance): FakeDisk {
    const after = new FakeDisk();
    const files = new Map<File, File>();
    const survivor = (file: File): File => {
      const known = files.get(file);
      if (known !== undefined) return known;
      const left: File = { durable: file.durable.slice(), current: new Uint8Array(), pending: [] };
      for (const change of file.pending) {
        // Pages reach the disk in any order, and a write may reach it in part.
        const roll = chance();
        if (change === 'emptied') left.durable = roll < 0.5 ? new Uint8Array() : left.durable;
        else if (roll < 0.4) apply(left, 'durable', change.at, change.bytes);
        else if (roll < 0.7)
          apply(
            left,
            'durable',
            change.at,
            change.bytes.subarray(0, Math.floor(chance() * change.bytes.length)),
          );
      }
      left.current = left.durable.slice();
      files.set(file, left);
      return left;
    };
    for (const path of new Set([...this.#names.keys(), ...this.#durableNames.keys()])) {
      const file = (chance() < 0.5 ? this.#names : this.#durableNames).get(path);
      if (file !== undefined) after.#names.set(path, survivor(file));
    }
    after.#durableNames = new Map(after.#names);
    return after;
  }

  /** The same files, for another try. */
  copy(): FakeDisk {
    const after = new FakeDisk();
    for (const [path, { current }] of this.#names)
      after.#names.set(path, { durable: current.slice(), current: current.slice(), pending: [] });
    after.#durableNames = new Map(after.#names);
    return after;
  }

  get paths(): string[] {
    return [...this.#names.keys()].toSorted();
  }

  /** Changes a stored file behind everyone's back. */
  tamper(
    path: string,
    change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> | undefined,
  ): void {
    const file = this.#names.get(path);
    if (file === undefined) throw new Error(`there is no ${path}`);
    const changed = change(file.current.slice());
    for (const names of [this.#names, this.#durableNames]) {
      if (changed === undefined) names.delete(path);
      else names.set(path, { durable: changed.slice(), current: changed.slice(), pending: [] });
    }
  }

  async #sync(operation: 'sync' | 'syncData', fd: number): Promise<void> {
    const { path, file } = this.#opened(fd);
    // A failed sync may leave pages that look clean and are on no disk.
    const fault = this.fault(operation, path);
    if (fault !== undefined && fault !== 'after' && file !== undefined) file.pending = [];
    if (fault === 'before' || fault === 'half') throw failure('EIO', path);
    if (file !== undefined) {
      for (const change of file.pending) {
        if (change === 'emptied') file.durable = new Uint8Array();
        else apply(file, 'durable', change.at, change.bytes);
      }
      file.pending = [];
    } else {
      for (const names of [this.#names, this.#durableNames]) {
        for (const name of names.keys()) {
          if (!name.startsWith(`${path}/`) || name.slice(path.length + 1).includes('/')) continue;
          const now = this.#names.get(name);
          if (now === undefined) this.#durableNames.delete(name);
          else this.#durableNames.set(name, now);
        }
      }
    }
    if (fault === 'after') throw failure('EIO', path);
  }

  #opened(fd: number): { readonly path: string; readonly file: File | undefined } {
    const opened = this.#open.get(fd);
    if (opened === undefined) throw failure('EBADF', String(fd));
    return opened;
  }

  #run<T>(operation: Operation, path: string, action: () => T): T {
    const fault = this.fault(operation, path);
    if (fault === 'before' || fault === 'half') throw failure('EIO', path);
    const result = action();
    if (fault === 'after') throw failure('EIO', path);
    return result;
  }
}

function apply(file: File, which: 'durable' | 'current', at: number, bytes: Uint8Array): void {
  if (file[which].length < at + bytes.length) {
    const longer = new Uint8Array(at + bytes.length);
    longer.set(file[which]);
    file[which] = longer;
  }
  file[which].set(bytes, at);
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
