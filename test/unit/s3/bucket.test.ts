// The bucket's own manners: what it repeats, what it refuses at once, what it reads out of a listing; and which stores a
// log cannot live on.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nativeRandom } from '../../../src/node/system/native-random.ts';
import { later } from '../../../src/node/system/timer.ts';
import { Bucket, BucketError, type BucketOptions } from '../../../src/s3/bucket.ts';
import { listedObjects } from '../../../src/s3/listing.ts';
import { probeConditions } from '../../../src/s3/probe.ts';
import { isBefore, type Place, readWalKey, walKey } from '../../../src/s3/wal-key.ts';
import { sha256 } from '../log/support.ts';

type Fetch = BucketOptions['fetch'];

function bucketOver(fetch: Fetch, options: Partial<BucketOptions> = {}): Bucket {
  return new Bucket({
    endpoint: 'http://store.example',
    bucket: 'logs',
    region: 'us-east-1',
    prefix: 'a/',
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    sha256,
    schedule: later,
    fetch,
    patience: { pause: 1, longest: 1, operation: 5000 },
    ...options,
  });
}

const refusal = (status: number, code: string): Response =>
  new Response(`<Error><Code>${code}</Code></Error>`, { status });
const written = (): Response => new Response(null, { headers: { etag: '"1"' } });

describe('a bucket', () => {
  it.each([
    [500, 'InternalError'],
    [503, 'SlowDown'],
    [429, 'TooManyRequests'],
    [409, 'ConditionalRequestConflict'],
    [400, 'RequestTimeout'],
  ])('repeats the same bytes after %i %s', async (status, code) => {
    const answers = [refusal(status, code), refusal(status, code), written()];
    const sent: unknown[] = [];
    const bucket = bucketOver(async (_, { body }) => {
      sent.push(body);
      return answers.shift() ?? written();
    });
    const bytes = Uint8Array.of(1, 2);
    expect(await bucket.put('k', bytes, { absent: true })).toEqual({ etag: '"1"' });
    expect(sent).toEqual([bytes, bytes, bytes]);
  });

  it.each([
    [403, 'AccessDenied', 'these credentials'],
    [403, 'RequestTimeTooSkewed', 'the clock of this machine'],
    [404, 'NoSuchBucket', 'no such bucket'],
    [301, 'PermanentRedirect', 'another region'],
    [501, 'NotImplemented', '501'],
  ])('gives up at once after %i %s, with a sentence', async (status, code, sentence) => {
    let asked = 0;
    const bucket = bucketOver(async () => {
      asked += 1;
      return refusal(status, code);
    });
    await expect(bucket.get('k')).rejects.toThrow(sentence);
    await expect(bucket.put('k', new Uint8Array(), { absent: true })).rejects.toBeInstanceOf(BucketError);
    expect(asked).toBe(2);
  });

  it('tells a condition that failed from an object that is not there', async () => {
    expect(await bucketOver(async () => refusal(404, 'NoSuchKey')).get('k')).toBeUndefined();
    for (const [status, code] of [
      [412, 'PreconditionFailed'],
      [404, 'NoSuchKey'],
    ] as const) {
      const bucket = bucketOver(async () => refusal(status, code));
      expect(await bucket.put('k', new Uint8Array(), { etag: '"0"' })).toBe('refused');
    }
  });

  it('signs what is asked, condition and content with it, and shows no secret', async () => {
    const asked: { readonly url: string; readonly headers: Headers }[] = [];
    const bucket = bucketOver(async (url, { headers }) => {
      asked.push({ url, headers: new Headers(headers) });
      return written();
    });
    await bucket.put('wal/1', Uint8Array.of(1), { absent: true });
    const [{ url, headers } = { url: '', headers: new Headers() }] = asked;
    expect(url).toBe('http://store.example/logs/a/wal/1');
    expect(headers.get('if-none-match')).toBe('*');
    expect(headers.get('x-amz-content-sha256')).toBe(Buffer.from(sha256(Uint8Array.of(1))).toString('hex'));
    expect(headers.get('authorization')).toMatch(
      /SignedHeaders=host;if-none-match;x-amz-content-sha256;x-amz-date/,
    );
    expect([...headers].flat().join()).not.toContain('secret');
  });

  it.each(['a', '/', '../', 'a//', 'a b/', './', 'a&/'])('takes no prefix %j', (prefix) => {
    expect(() => bucketOver(async () => written(), { prefix })).toThrow(TypeError);
  });

  it('lists page after page', async () => {
    const pages = [
      '<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>a/wal/1</Key><Size>3</Size></Contents></ListBucketResult>',
      '<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Size>0</Size><Key>a/wal/2</Key></Contents></ListBucketResult>',
    ];
    const asked: string[] = [];
    const bucket = bucketOver(async (url) => {
      asked.push(new URL(url).search);
      return new Response(pages.shift());
    });
    expect(await Array.fromAsync(bucket.list('wal/', 'wal/0'))).toEqual([
      { key: 'wal/1', size: 3 },
      { key: 'wal/2', size: 0 },
    ]);
    expect(asked).toEqual([
      '?list-type=2&prefix=a%2Fwal%2F&start-after=a%2Fwal%2F0',
      '?list-type=2&prefix=a%2Fwal%2F&start-after=a%2Fwal%2F1',
    ]);
    expect(() => listedObjects('<html></html>')).toThrow('no ListBucketResult');
  });
});

describe('keys of the journal', () => {
  const place = fc.record({ first: fc.nat(2 ** 30), markers: fc.nat(3) });

  it('sort as what they name does, and are read back', () => {
    fc.assert(
      fc.property(place, place, (a: Place, b: Place) => {
        expect(readWalKey(walKey(a))).toEqual(a);
        expect(isBefore(a, b)).toBe(Buffer.compare(Buffer.from(walKey(a)), Buffer.from(walKey(b))) < 0);
      }),
    );
    expect(walKey({ first: 2 ** 40 - 1, markers: 0 })).toBe('wal/1099511627775');
    expect(readWalKey('wal/12')).toBeUndefined();
  });
});

/** A store in memory that heeds only some conditions. */
function storeThatHeeds(heeded: readonly string[], refuse = 412): Fetch {
  let stored: { readonly etag: string; readonly body: NonNullable<RequestInit['body']> } | undefined;
  let versions = 0;
  return async (_, { method, headers, body }) => {
    const given = new Headers(headers);
    if (method === 'GET')
      return stored
        ? new Response(stored.body, { headers: { etag: stored.etag } })
        : refusal(404, 'NoSuchKey');
    const [none, match] = ['if-none-match', 'if-match'].map((name) =>
      heeded.includes(name) ? given.get(name) : null,
    );
    if ((none && stored) || (match && match !== stored?.etag)) return refusal(refuse, 'PreconditionFailed');
    versions += 1;
    stored = { etag: `"${versions}"`, body: body ?? '' };
    return new Response(null, { headers: { etag: stored.etag } });
  };
}

describe('the probe', () => {
  it('is content with a store that heeds both conditions, however often it asks', async () => {
    const bucket = bucketOver(storeThatHeeds(['if-none-match', 'if-match']));
    for (let i = 0; i < 3; i++) await probeConditions(bucket, nativeRandom);
  });

  it.each([
    [['if-match'], 'although If-None-Match: \\* forbids it'],
    [['if-none-match'], 'although If-Match forbids it'],
    [[], 'although If-None-Match'],
  ])('refuses a store that heeds only %j', async (heeded, sentence) => {
    const bucket = bucketOver(storeThatHeeds(heeded));
    await expect(probeConditions(bucket, nativeRandom)).rejects.toThrow(new RegExp(sentence));
  });

  it('refuses a store that knows no conditional writes', async () => {
    const bucket = bucketOver(async () => refusal(501, 'NotImplemented'));
    await expect(probeConditions(bucket, nativeRandom)).rejects.toThrow('does not know conditional writes');
  });
});
