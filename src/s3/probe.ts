// Probe: whether a store honours the conditions that keep two writers from forking a log; many that speak S3 do not.

import { type Bytes, hex, utf8 } from '../encoding/bytes.ts';
import type { Random } from '../encoding/random.ts';
import { type Bucket, BucketError, type Condition, type Written } from './bucket.ts';

const KEY = 'probe';

/** Another process may be probing the same bucket at the same time. */
const TRIES = 10;

/** Throws an Error with a sentence for the operator when the store does not honour If-None-Match and If-Match on PUT. */
export async function probeConditions(bucket: Bucket, random: Random): Promise<void> {
  const bytes = (): Bytes => utf8(`${hex(random(16))}\n`);
  // The first one ever is written, later ones are refused: both are right.
  await put(bucket, bytes(), { absent: true });
  if ((await put(bucket, bytes(), { absent: true })) !== 'refused') throw unfit('If-None-Match: *');
  const never = '"00000000000000000000000000000000"';
  if ((await put(bucket, bytes(), { etag: never })) !== 'refused') throw unfit('If-Match');
  for (let i = 0; i < TRIES; i++) {
    const stored = await bucket.get(KEY);
    if (stored === undefined) break;
    const content = bytes();
    const written = await put(bucket, content, { etag: stored.etag });
    if (written !== 'refused') {
      if ((await put(bucket, bytes(), { etag: stored.etag })) !== 'refused') throw unfit('If-Match');
      return;
    }
    const now = await bucket.get(KEY);
    if (now !== undefined && hex(now.bytes) === hex(content)) return;
  }
  throw new Error(
    'the object store does not replace an object whose ETag is the one given in If-Match; a log cannot live on it',
  );
}

async function put(bucket: Bucket, bytes: Bytes, condition: Condition): Promise<Written> {
  try {
    return await bucket.put(KEY, bytes, condition);
  } catch (cause) {
    if (!(cause instanceof BucketError && (cause.status === 501 || cause.status === 400))) throw cause;
    throw new Error('the object store does not know conditional writes; a log cannot live on it', { cause });
  }
}

function unfit(condition: string): Error {
  return new Error(
    `the object store writes although ${condition} forbids it: two processes could fork the log there, so it cannot live on it`,
  );
}
