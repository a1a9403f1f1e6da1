import { rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { Bytes } from '../../../src/encoding/bytes.ts';
import { FileLeafIndex } from '../../../src/node/log/file-leaf-index.ts';
import { audit } from '../log/audit.ts';
import { mth } from '../log/reference.ts';
import { entryOf, openLog, p256Signer, sha256, temporaryFolder } from '../log/support.ts';

const hashes = (from: number, to: number): Bytes[] =>
  Array.from({ length: to - from }, (_, i) => sha256(Uint8Array.of((from + i) >> 8, from + i, 1)));
const hash = (n: number): Bytes => hashes(n, n + 1)[0] ?? sha256(Uint8Array.of());

describe('a leaf index in a file', () => {
  it('finds what was added, before and after it was closed', async () => {
    const path = `${temporaryFolder()}/index`;
    let index = FileLeafIndex.open(path);
    await index.add(0, hashes(0, 100));
    await index.add(100, hashes(100, 120));
    for (let turn = 0; turn < 2; turn++) {
      expect(index.size).toBe(120);
      for (const n of [0, 99, 100, 119]) expect(await index.candidates(hash(n))).toEqual([n]);
      expect(await index.candidates(sha256(Uint8Array.of(9, 9, 9)))).toEqual([]);
      await index.close();
      index = FileLeafIndex.open(path);
    }
    await index.clear();
    expect([index.size, await index.candidates(hash(0))]).toEqual([0, []]);
    await index.close();
  });

  it('finds what it has written and what it holds, and each entry of several with one hash', async () => {
    const index = FileLeafIndex.open(`${temporaryFolder()}/index`);
    for (let at = 0; at < 4608; at += 256) await index.add(at, hashes(at, at + 256));
    await index.add(4608, [hash(7), hash(4607), hash(4607)]);
    expect(index.size).toBe(4611);
    expect(await index.candidates(hash(7))).toEqual([7, 4608]);
    expect(await index.candidates(hash(4095))).toEqual([4095]);
    expect(await index.candidates(hash(4096))).toEqual([4096]);
    expect(await index.candidates(hash(4607))).toEqual([4607, 4609, 4610]);
    await index.close();
  });

  it('of a process that was killed has what was written, and takes the rest again', async () => {
    const path = `${temporaryFolder()}/index`;
    const killed = FileLeafIndex.open(path);
    for (let at = 0; at < 4608; at += 256) await killed.add(at, hashes(at, at + 256));
    const next = FileLeafIndex.open(path);
    expect(next.size).toBe(4096);
    await next.add(4096, hashes(4096, 4610));
    expect([next.size, await next.candidates(hash(5)), await next.candidates(hash(4609))]).toEqual([
      4610,
      [5],
      [4609],
    ]);
    await next.close();
  });

  it('keeps what it holds when the file cannot be written', async () => {
    const path = `${temporaryFolder()}/index`;
    const index = FileLeafIndex.open(path);
    await index.add(0, hashes(0, 4096));
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    await expect(index.add(4096, hashes(4096, 4097))).rejects.toThrow('locked');
    expect([index.size, await index.candidates(hash(4095))]).toEqual([4096, [4095]]);
    other.exec('ROLLBACK');
    other.close();
    await index.add(4096, hashes(4096, 4097));
    expect([index.size, await index.candidates(hash(4096))]).toEqual([4097, [4096]]);
    await index.close();
  });

  it('is not trusted where the machine went down while it was open', async () => {
    const path = `${temporaryFolder()}/index`;
    const index = FileLeafIndex.open(path);
    await index.add(0, hashes(0, 3));
    await index.close();
    const database = new DatabaseSync(path);
    database.exec("UPDATE state SET value = 'another boot' WHERE key = 'open'");
    database.close();
    const after = FileLeafIndex.open(path);
    expect(after.size).toBe(0);
    await after.close();
  });

  it('begins anew where the file is rubbish', async () => {
    const path = `${temporaryFolder()}/index`;
    writeFileSync(path, Buffer.alloc(10_000, 7));
    const index = FileLeafIndex.open(path);
    await index.add(0, hashes(0, 3));
    expect(index.size).toBe(3);
    await index.close();
  });

  it('is made again from the tree when it is gone', async () => {
    const folder = temporaryFolder();
    const signer = p256Signer();
    let log = await openLog({ folder, signer });
    await Promise.all(Array.from({ length: 700 }, (_, i) => log.log.append(entryOf(i, 10))));
    await log.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${folder}/leaf-index${suffix}`, { force: true });
    log = await openLog({ folder, signer });
    const { leaves } = await audit(log.reader, signer.publicKey);
    for (const n of [0, 255, 256, 511, 699])
      expect(await log.reader.find(mth(leaves.slice(n, n + 1)), 700)).toBe(n);
    await log.close();
  });
});
