// S3 log: the built-in log in a bucket of an object store that speaks S3.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { hex, utf8 } from '../../encoding/bytes.ts';
import type { LeafIndex } from '../../log/leaf-index.ts';
import { MemoryLeafIndex } from '../../log/memory.ts';
import type { ObjectStore } from '../../log/object-store.ts';
import type { OpenLog } from '../../log/open-log.ts';
import { Bucket, type BucketOptions } from '../../s3/bucket.ts';
import { LedLog, type LedLogOptions } from '../../s3/led-log.ts';
import { PublicObjects } from '../../s3/public-objects.ts';
import { sha256 } from '../system/native-digest.ts';
import { nativeRandom } from '../system/native-random.ts';
import { later } from '../system/timer.ts';
import { FileLeafIndex } from './file-leaf-index.ts';

/** Where a log lies in a bucket, and its index. */
export interface S3Place {
  readonly bucket: Pick<
    BucketOptions,
    'endpoint' | 'bucket' | 'region' | 'prefix' | 'credentials' | 'patience'
  >;
  /** Where the index for get-proof-by-hash lies, which is made again when it is lost; in memory unless set. */
  readonly folder?: string | undefined;
}

export interface S3LogOptions extends LedLogOptions, S3Place {}

/**
 * Opens the log for writing, or stands by while another process writes it. Throws an Error with a sentence for the operator
 * when the store cannot be used, and a LogDamage when what is stored contradicts itself, the key, or what was published.
 */
export async function openS3Log(options: S3LogOptions): Promise<OpenLog> {
  const bucket = bucketAt(options);
  const leafIndex = s3LeafIndex(options, options.signer.publicKey);
  try {
    return await LedLog.open(options, { sha256, random: nativeRandom, schedule: later, bucket, leafIndex });
  } catch (error) {
    await leafIndex.close();
    throw error;
  }
}

/** What anyone may read of the log, and what the log itself reads. */
export function s3Stores(place: S3Place): Readonly<Record<'store' | 'guard', Pick<ObjectStore, 'get'>>> {
  const bucket = bucketAt(place);
  return {
    store: new PublicObjects(bucket),
    guard: { get: async (key) => (await bucket.get(key))?.bytes },
  };
}

/** One for each log by its key, as the folder may have served another one before. */
export function s3LeafIndex({ bucket, folder }: S3Place, publicKey: Uint8Array): LeafIndex {
  if (folder === undefined) return new MemoryLeafIndex();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const place = utf8(`${bucket.endpoint} ${bucket.bucket} ${bucket.prefix} ${hex(publicKey)}`);
  return FileLeafIndex.open(join(folder, `leaf-index-${hex(sha256(place)).slice(0, 16)}`));
}

function bucketAt({ bucket }: S3Place): Bucket {
  return new Bucket({ ...bucket, sha256, schedule: later, fetch });
}
