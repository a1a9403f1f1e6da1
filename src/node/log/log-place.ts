// Log place: where a built-in log lies, in the data folder or in a bucket, as one that has been retired is read there.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FINAL_KEY, freeze } from '../../log/frozen.ts';
import type { LeafIndex } from '../../log/leaf-index.ts';
import type { ObjectStore } from '../../log/object-store.ts';
import type { Reader } from '../../log/reader.ts';
import { systemDisk } from '../system/disk.ts';
import { type BuiltinLogOptions, bucketOf, logFolderOf } from './builtin-log.ts';
import { FileLeafIndex } from './file-leaf-index.ts';
import { FileStore } from './file-store.ts';
import { s3LeafIndex, s3Stores } from './s3-log.ts';

export interface LogPlace {
  /** For people. */
  readonly name: string;
  /** Whether other processes may stand ready to write the log there. */
  readonly shared: boolean;
  /** The public objects. */
  readonly store: Pick<ObjectStore, 'get'>;
  /** Where the log notes that it is frozen. */
  readonly guard: Pick<ObjectStore, 'get'>;
  leafIndex(publicKey: Uint8Array): LeafIndex;
  /** Notes that the log has been frozen there; one that others may write has been frozen by the process that led it. */
  freeze(reader: Reader): Promise<void>;
}

/** Of the log whose keys are in `part` of the data folder. */
export function placeOf(
  { instance, settings }: Pick<BuiltinLogOptions, 'instance' | 'settings'>,
  part: string,
): LogPlace {
  const folder = logFolderOf(instance.folder ?? '', part);
  const s3 = settings.log.kind === 'builtin' ? settings.log.s3 : undefined;
  const notes = new FileStore(folder, systemDisk, 0o600);
  if (s3 === undefined) {
    const store = new FileStore(join(folder, 'public'), systemDisk, 0o644);
    return {
      name: folder,
      shared: false,
      store,
      guard: notes,
      leafIndex: () => FileLeafIndex.open(join(folder, 'leaf-index')),
      freeze: (reader) => freeze(reader, { store, guard: notes }),
    };
  }
  const place = { bucket: bucketOf(s3, part), folder: join(instance.folder ?? '', part) };
  const stores = s3Stores(place);
  return {
    name: `the bucket ${s3.bucket}${place.bucket.prefix === '' ? '' : ` below ${place.bucket.prefix}`}`,
    shared: true,
    ...stores,
    leafIndex: (publicKey) => s3LeafIndex(place, publicKey),
    async freeze() {
      // A clock that is set back to before the change finds it there.
      const final = await stores.guard.get(FINAL_KEY);
      if (final === undefined) return;
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await notes.replace(FINAL_KEY, final);
    },
  };
}
