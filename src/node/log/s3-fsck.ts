// S3 fsck: fsck of a log that lies in a bucket; it may be open meanwhile.

import type { FsckReport } from '../../log/fsck.ts';
import { Bucket } from '../../s3/bucket.ts';
import { readBucket } from '../../s3/bucket-snapshot.ts';
import { sha256 } from '../system/native-digest.ts';
import { later } from '../system/timer.ts';
import type { S3LogOptions } from './s3-log.ts';
import { fsckStorage, type StorageFsckOptions } from './storage-fsck.ts';

/** Changes nothing. Throws an Error with a sentence when the bucket cannot be read. */
export async function fsckBucket(
  place: S3LogOptions['bucket'],
  options: StorageFsckOptions,
): Promise<FsckReport> {
  const bucket = new Bucket({ ...place, sha256, schedule: later, fetch });
  const { findings, ...storage } = await readBucket(bucket, sha256);
  const report = await fsckStorage(storage, options);
  return { ...report, findings: [...findings, ...report.findings] };
}
