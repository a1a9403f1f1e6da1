// Listing: one page of ListObjectsV2, as far as a log needs it.

export interface Listed {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
}

export interface Page {
  readonly objects: readonly Listed[];
  /** Whether more follow. */
  readonly truncated: boolean;
}

/** A bucket's keys are plain letters, digits and ._/- (see Bucket), which XML leaves as they are. Throws an Error. */
export function listedObjects(xml: string): Page {
  if (!xml.includes('<ListBucketResult')) throw new Error('the object store gives no ListBucketResult');
  const objects = [...xml.matchAll(/<Contents>(.*?)<\/Contents>/gs)].map(([, content = '']) => {
    const key = /<Key>([^<&]+)<\/Key>/.exec(content)?.[1];
    const size = /<Size>(\d+)<\/Size>/.exec(content)?.[1];
    if (key === undefined || size === undefined)
      throw new Error('the object store lists an object without key or size');
    return { key, size: Number(size) };
  });
  return { objects, truncated: /<IsTruncated>true</.test(xml) };
}
