// Cached bucket: the log's immutable objects, from the cache of the data centre where it has them, otherwise from R2.

import type { Bytes } from '../encoding/bytes.ts';
import type { GetPublic } from './edge-log.ts';

/** A name that no request from outside can have, so that nobody but us writes under it. */
const PREFIX = 'https://log.mayfly.invalid/';

/** `later` keeps a promise going after the answer has left. */
export function cachedBucket(
  bucket: Pick<R2Bucket, 'get'>,
  later: (work: Promise<unknown>) => void,
): GetPublic {
  return async (key) => {
    const name = PREFIX + key;
    const cached = await caches.default.match(name);
    if (cached !== undefined) return new Uint8Array(await cached.arrayBuffer());
    const object = await bucket.get(key);
    if (object === null) return undefined;
    const bytes: Bytes = new Uint8Array(await object.arrayBuffer());
    const headers = { 'cache-control': 'public, max-age=31536000, immutable' };
    later(caches.default.put(name, new Response(bytes, { headers })));
    return bytes;
  };
}
