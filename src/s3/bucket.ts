// Bucket: objects under one prefix of an S3 bucket, with the conditions that writes can carry; requests are signed by aws4fetch.

import { AwsV4Signer } from 'aws4fetch';
import { type Bytes, hex } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import type { Schedule } from '../log/schedule.ts';
import { type Listed, listedObjects } from './listing.ts';

export interface BucketOptions {
  /** Scheme and host, without a final slash; buckets are named in the path. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  /** Empty, or ends in a slash; letters, digits and ._/- only. */
  readonly prefix: string;
  readonly credentials: Credentials;
  readonly sha256: Sha256;
  readonly schedule: Schedule;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly patience?: Partial<Patience> | undefined;
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** How long the bucket is waited for, milliseconds. */
export interface Patience {
  /** For one request. */
  readonly request: number;
  /** Before a request is repeated; doubled each time up to `longest`. */
  readonly pause: number;
  readonly longest: number;
  /** After this an operation is given up. */
  readonly operation: number;
}

const PATIENCE: Patience = { request: 5000, pause: 50, longest: 1000, operation: 10_000 };

export interface StoredObject {
  readonly bytes: Bytes;
  readonly etag: string;
}

/** Of a write: that there is no such object yet, or that it is still the one with this ETag. */
export type Condition = { readonly absent: true } | { readonly etag: string };

/**
 * 'refused' says that the condition did not hold when the store looked. It may have held before and the write been
 * done, by a request whose answer was lost: the caller compares what is there.
 */
export type Written = { readonly etag: string } | 'refused';

/** A request that the store refused, or did not answer within the time. */
export class BucketError extends Error {
  override readonly name = 'BucketError';
  /** Of the last answer; undefined when there was none. */
  readonly status: number | undefined;

  constructor(message: string, status?: number, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** What the store said: the status, S3's code for a refusal, and what came with it. */
interface Answer {
  readonly status: number;
  readonly code: string;
  readonly etag: string | null;
  readonly body: Bytes;
}

export class Bucket {
  readonly #options: BucketOptions;
  readonly #patience: Patience;
  readonly #signingKeys = new Map<string, ArrayBuffer>();

  constructor(options: BucketOptions) {
    if (!/^(?:\w[\w.-]*\/)*$/.test(options.prefix))
      throw new TypeError('a prefix is made of letters, digits and ._- and ends in a slash');
    this.#options = options;
    this.#patience = { ...PATIENCE, ...options.patience };
  }

  /** Undefined when there is no such object. Throws a BucketError. */
  async get(key: string): Promise<StoredObject | undefined> {
    const answer = await this.#settle('GET', key, {}, undefined, (given) =>
      given.status === 404 ? given.code !== 'NoSuchBucket' : given.status === 200,
    );
    if (answer.status === 404) return undefined;
    return { bytes: answer.body, etag: etagOf(answer, key) };
  }

  /**
   * Writes the object, whole or not at all. An unanswered request is repeated with the same bytes until there is an
   * answer. Throws a BucketError when there is none in time: the write may then still be done, even later.
   */
  async put(key: string, bytes: Uint8Array<ArrayBuffer>, condition?: Condition): Promise<Written> {
    const answer = await this.#settle('PUT', key, conditionHeaders(condition), bytes, (given) =>
      condition === undefined ? given.status === 200 : given.status === 200 || isRefusal(given),
    );
    return answer.status === 200 ? { etag: etagOf(answer, key) } : 'refused';
  }

  /** Resolves once there is no such object. Throws a BucketError, with status 403 where the credentials may not do it. */
  async delete(key: string): Promise<void> {
    await this.#settle('DELETE', key, {}, undefined, ({ status, code }) =>
      status === 404 ? code !== 'NoSuchBucket' : status === 204 || status === 200,
    );
  }

  /** The objects whose keys begin with `start` and come after `after` in the order of bytes; keys without the prefix. */
  async *list(start: string, after?: string): AsyncIterable<Listed> {
    const { prefix } = this.#options;
    for (let from = after; ; ) {
      const query = new URLSearchParams({ 'list-type': '2', prefix: prefix + start });
      if (from !== undefined) query.set('start-after', prefix + from);
      const { body } = await this.#settle('GET', `?${query}`, {}, undefined, ({ status }) => status === 200);
      const { objects, truncated } = listedObjects(new TextDecoder().decode(body));
      for (const { key, size } of objects) {
        from = key.slice(prefix.length);
        yield { key: from, size };
      }
      if (!truncated || objects.length === 0) return;
    }
  }

  /** Repeats a request until an answer is final, or the time is over. */
  async #settle(
    method: string,
    key: string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array<ArrayBuffer> | undefined,
    expected: (answer: Answer) => boolean,
  ): Promise<Answer> {
    const { request, longest, operation } = this.#patience;
    const end = performance.now() + operation;
    for (let { pause } = this.#patience; ; pause = Math.min(2 * pause, longest)) {
      let failure: BucketError;
      try {
        const answer = await this.#ask(method, key, headers, body, request);
        if (expected(answer)) return answer;
        failure = new BucketError(sentence(method, key, answer), answer.status);
        if (!isTransient(answer)) throw failure;
      } catch (cause) {
        if (cause instanceof BucketError) throw cause;
        failure = new BucketError(`the object store does not answer (${method} ${key})`, undefined, {
          cause,
        });
      }
      if (performance.now() + pause > end) throw failure;
      await new Promise<void>((resolve) => void this.#options.schedule(resolve, pause));
    }
  }

  async #ask(
    method: string,
    key: string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array<ArrayBuffer> | undefined,
    timeout: number,
  ): Promise<Answer> {
    const { endpoint, bucket, region, prefix, credentials, sha256, fetch } = this.#options;
    const { accessKeyId, secretAccessKey, sessionToken } = credentials;
    const signed = await new AwsV4Signer({
      method,
      url: `${endpoint}/${bucket}${key.startsWith('?') ? '' : `/${prefix}`}${key}`,
      headers: { ...headers, 'x-amz-content-sha256': hex(sha256(body ?? new Uint8Array())) },
      service: 's3',
      region,
      cache: this.#signingKeys,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
    }).sign();
    const response = await fetch(signed.url.href, {
      method,
      headers: signed.headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(timeout),
      ...(body === undefined ? {} : { body }),
    });
    const content = new Uint8Array(await response.arrayBuffer());
    const { status } = response;
    const code = status < 300 ? '' : (/<Code>([^<]*)/.exec(new TextDecoder().decode(content))?.[1] ?? '');
    return { status, code, etag: response.headers.get('etag'), body: content };
  }
}

function conditionHeaders(condition: Condition | undefined): Readonly<Record<string, string>> {
  if (condition === undefined) return {};
  return 'absent' in condition ? { 'if-none-match': '*' } : { 'if-match': condition.etag };
}

/** An object that is to be replaced and is not there does not match either. */
function isRefusal({ status, code }: Answer): boolean {
  return status === 412 || (status === 404 && code === 'NoSuchKey');
}

/** 409 tells of another write to the same key at the same moment. */
function isTransient({ status, code }: Answer): boolean {
  return (
    (status >= 500 && status !== 501) ||
    status === 429 ||
    status === 408 ||
    (status === 409 && code !== 'InvalidBucketState') ||
    code === 'RequestTimeout'
  );
}

function etagOf({ etag }: Answer, key: string): string {
  if (etag === null || etag === '') throw new BucketError(`the object store gives no ETag for ${key}`);
  return etag;
}

/** What an operator can act on. */
function sentence(method: string, key: string, { status, code }: Answer): string {
  const what = `${method} ${key}: ${status}${code === '' ? '' : ` ${code}`}`;
  if (code === 'NoSuchBucket') return `there is no such bucket (${what})`;
  if (code === 'RequestTimeTooSkewed')
    return `the clock of this machine is not that of the object store (${what})`;
  if (status === 301 || status === 307)
    return `the bucket is in another region or at another endpoint (${what})`;
  if (status === 401 || status === 403)
    return `the object store does not let these credentials do it (${what})`;
  return `the object store refuses (${what})`;
}
