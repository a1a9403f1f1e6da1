import { rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { Bytes } from '../../../src/encoding/bytes.ts';
import { FileLeafIndex } from '../../../src/node/log/file-leaf-index.ts';
import { audit } from '../log/audit.ts';
import { mth } from '../log/reference.ts';
import { entryOf, openLog, p256Signer, sha256, temporaryFolder } from '../log/support.ts';

const hashes = (from: number, to: number): Bytes[] =>
  Array.from({ length: to - from }, (_, i) => sha256(Uint8Array.of(from + i, 1)));

describe('a leaf index in a file', () => {
  it('finds what was added, before and after it was closed', async () => {
    const path = `${temporaryFolder()}/index`;
    let index = FileLeafIndex.open(path);
    await index.add(0, hashes(0, 100));
    await index.add(100, hashes(100, 120));
    for (let turn = 0; turn < 2; turn++) {
      expect(index.size).toBe(120);
      for (const n of [0, 99, 100, 119])
        expect(await index.candidates(hashes(n, n + 1)[0] ?? sha256(Uint8Array.of()))).toEqual([n]);
      expect(await index.candidates(sha256(Uint8Array.of(9, 9, 9)))).toEqual([]);
      await index.close();
      index = FileLeafIndex.open(path);
    }
    await index.clear();
    expect([index.size, await index.candidates(sha256(Uint8Array.of(0, 1)))]).toEqual([0, []]);
    await index.close();
  });

  it('survives the process, but not a machine that went down while it was open', async () => {
    const path = `${temporaryFolder()}/index`;
    const killed = FileLeafIndex.open(path);
    await killed.add(0, hashes(0, 3));
    const next = FileLeafIndex.open(path);
    expect(next.size).toBe(3);
    await next.close();
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
