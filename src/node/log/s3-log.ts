// S3 log: the built-in log in a bucket of an object store that speaks S3.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { hex, utf8 } from '../../encoding/bytes.ts';
import type { LeafIndex } from '../../log/leaf-index.ts';
import { MemoryLeafIndex } from '../../log/memory.ts';
import type { OpenLog } from '../../log/open-log.ts';
import { Bucket, type BucketOptions } from '../../s3/bucket.ts';
import { LedLog, type LedLogOptions } from '../../s3/led-log.ts';
import { sha256 } from '../system/native-digest.ts';
import { nativeRandom } from '../system/native-random.ts';
import { later } from '../system/timer.ts';
import { FileLeafIndex } from './file-leaf-index.ts';

export interface S3LogOptions extends LedLogOptions {
  readonly bucket: Pick<
    BucketOptions,
    'endpoint' | 'bucket' | 'region' | 'prefix' | 'credentials' | 'patience'
  >;
  /** Where the index for get-proof-by-hash lies, which is made again when it is lost; in memory unless set. */
  readonly folder?: string | undefined;
}

/**
 * Opens the log for writing, or stands by while another process writes it. Throws an Error with a sentence for the operator
 * when the store cannot be used, and a LogDamage when what is stored contradicts itself, the key, or what was published.
 */
export async function openS3Log(options: S3LogOptions): Promise<OpenLog> {
  const { folder } = options;
  const bucket = new Bucket({ ...options.bucket, sha256, schedule: later, fetch });
  const leafIndex = folder === undefined ? new MemoryLeafIndex() : openIndex(folder, options);
  try {
    return await LedLog.open(options, { sha256, random: nativeRandom, schedule: later, bucket, leafIndex });
  } catch (error) {
    await leafIndex.close();
    throw error;
  }
}

/** One for each log, as the folder may have served another one before. */
function openIndex(folder: string, { bucket, signer }: S3LogOptions): LeafIndex {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const place = utf8(`${bucket.endpoint} ${bucket.bucket} ${bucket.prefix} ${hex(signer.publicKey)}`);
  return FileLeafIndex.open(join(folder, `leaf-index-${hex(sha256(place)).slice(0, 16)}`));
}
