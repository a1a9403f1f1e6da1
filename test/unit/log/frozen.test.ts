import { rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Bytes } from '../../../src/encoding/bytes.ts';
import { logListEntry } from '../../../src/log/description.ts';
import { type FrozenLog, freeze, isFrozen, openFrozenLog } from '../../../src/log/frozen.ts';
import { LogDamage } from '../../../src/log/journal.ts';
import { MemoryLeafIndex } from '../../../src/log/memory.ts';
import type { ObjectStore } from '../../../src/log/object-store.ts';
import { FileStore } from '../../../src/node/log/file-store.ts';
import { systemDisk } from '../../../src/node/system/disk.ts';
import { audit } from './audit.ts';
import { entryOf, openLog, p256Signer, sha256, temporaryFolder } from './support.ts';

const storesOf = (folder: string) => ({
  store: new FileStore(`${folder}/public`, systemDisk, 0o644),
  guard: new FileStore(folder, systemDisk, 0o600),
});

/** Fails every write from number `limit` on. */
function failing(store: ObjectStore, count: () => boolean): ObjectStore {
  const guarded =
    (write: ObjectStore['create']): ObjectStore['create'] =>
    async (key, bytes) => {
      if (!count()) throw new Error('the disk is full');
      return write(key, bytes);
    };
  return {
    get: (key) => store.get(key),
    create: guarded((key, bytes) => store.create(key, bytes)),
    replace: guarded((key, bytes) => store.replace(key, bytes)),
  };
}

const opened = (folder: string): Promise<FrozenLog> =>
  openFrozenLog({ sha256, ...storesOf(folder), leafIndex: new MemoryLeafIndex() });

describe.each([0, 1, 256, 600])('a log of %i entries', (size) => {
  test('is frozen whatever fails on the way, and shows the same without key and journal', async () => {
    const signer = p256Signer();
    const folder = temporaryFolder();
    const { store, guard } = storesOf(folder);
    const entries = Array.from({ length: size }, (_, i) => entryOf(i, 60));
    const scts = [];
    for (let limit = 0; ; limit++) {
      const log = await openLog({ folder, signer });
      if (limit === 0) scts.push(...(await Promise.all(entries.map((entry) => log.log.append(entry)))));
      await log.close();
      let writes = 0;
      const allowed = (): boolean => writes++ < limit;
      const parts = { store: failing(store, allowed), guard: failing(guard, allowed) };
      const done = await freeze(log.reader, parts).then(
        () => true,
        (error: Error) => (error.message.includes('full') ? false : Promise.reject(error)),
      );
      expect(await isFrozen(guard)).toBe(done);
      if (!done) {
        await expect(opened(folder)).rejects.toThrow(LogDamage);
        continue;
      }
      break;
    }
    rmSync(`${folder}/journal`, { recursive: true });
    const { reader, treeHead, close } = await opened(folder);
    const audited = await audit(reader, signer.publicKey);
    expect([audited.size, treeHead.size]).toEqual([size, size]);
    expect(reader.publication.treeHead).toEqual(treeHead);
    for (const [i, leaf] of audited.leaves.entries()) {
      const hash: Bytes = sha256(Buffer.concat([Uint8Array.of(0), leaf]));
      expect(await reader.find(hash, size)).toBe(i);
    }
    const last = size - (size % 256);
    for (let width = 1; width <= size % 256; width += 41) {
      const tile = await reader.tile({ level: 0, index: last / 256, width });
      expect(tile).toHaveLength(width * 32);
      const data = await reader.tile({ level: 'data', index: last / 256, width });
      expect(data?.length).toBeGreaterThan(0);
    }
    expect(await reader.tile({ level: 0, index: last / 256, width: (size % 256) + 1 })).toBeUndefined();
    await expect(reader.published(size)).rejects.toThrow('frozen');
    if (size > 1) expect(await reader.consistency(1, size)).not.toEqual([]);
    await close();
  });
});

test('a final record or a checkpoint of another tree is told', async () => {
  const signer = p256Signer();
  const folder = temporaryFolder();
  const { store, guard } = storesOf(folder);
  const log = await openLog({ folder, signer });
  await log.log.append(entryOf(0));
  await log.publish();
  const early = await store.get('checkpoint');
  await log.log.append(entryOf(1));
  await log.close();
  await freeze(log.reader, { store, guard });
  await (await opened(folder)).close();
  await store.replace('checkpoint', early ?? new Uint8Array());
  await expect(opened(folder)).rejects.toThrow('the final tree has 2 entries, and the checkpoint 1');
  await guard.replace('final', new TextEncoder().encode('{}'));
  await expect(opened(folder)).rejects.toThrow('`final`');
});

test('a log list says that nothing more is taken, and what the last tree is', () => {
  const identity = { origin: 'log.example.com', publicKey: new Uint8Array(), logId: new Uint8Array() };
  const final = { size: 7, root: new Uint8Array(32), timestamp: Date.UTC(2026, 4, 4) };
  expect(logListEntry(identity, 'https://log.example.com/', final)).toMatchObject({
    state: {
      readonly: {
        timestamp: '2026-05-04T00:00:00.000Z',
        final_tree_head: { tree_size: 7, sha256_root_hash: `${'A'.repeat(43)}=` },
      },
    },
  });
});
