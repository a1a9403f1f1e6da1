// The timestamp authority over HTTP: types, statuses, and what rejections look like.

import { Hono } from 'hono';
import { afterAll, describe, expect, test } from 'vitest';
import { type Bytes, base64 } from '../../../src/encoding/bytes.ts';
import * as der from '../../../src/encoding/der.ts';
import { decodePem } from '../../../src/encoding/pem.ts';
import { timestampRoutes } from '../../../src/http/timestamp.ts';
import * as oid from '../../../src/oid.ts';
import type { TimestampAuthority } from '../../../src/timestamp/authority.ts';
import { describeWith } from '../../fakes/skip.ts';
import { authorityOf, makeChain, settableClock } from './openssl.ts';
import { readReply, readToken } from './reader.ts';

describeWith('openssl', 'timestamp routes', () => {
  const made = makeChain();
  afterAll(made.remove);

  const app = mounted(authorityOf(made));
  const QUERY = { 'content-type': 'application/timestamp-query' };
  const JSON_QUERY = { 'content-type': 'application/json' };
  const digest = new Uint8Array(32).fill(9);
  const imprint = der.sequence(der.sequence(der.objectIdentifier(oid.sha256)), der.octetString(digest));
  const query = der.sequence(der.unsignedInteger(Uint8Array.of(1)), imprint);
  const jsonQuery = JSON.stringify({
    artifactHash: base64(digest),
    hashAlgorithm: 'sha256',
    certificates: true,
  });

  function mounted(authority: TimestampAuthority): Hono {
    return new Hono().route('/', timestampRoutes({ authority, errors: 'helpful' }));
  }

  const post = (
    body: string | Bytes,
    headers: Record<string, string>,
    to = app,
  ): Response | Promise<Response> => to.request('/api/v1/timestamp', { method: 'POST', body, headers });
  const bytes = async (response: Response): Promise<Uint8Array> =>
    new Uint8Array(await response.arrayBuffer());

  /** An authority whose clock has gone back. */
  async function late(): Promise<Hono> {
    const clock = settableClock(Date.now());
    const authority = authorityOf(made, { clock });
    await authority.answer(query);
    clock.set(Date.now() - 60_000);
    return mounted(authority);
  }

  describe('POST /api/v1/timestamp', () => {
    test.each(['application/timestamp-query', 'Application/Timestamp-Query; x=y'])('%s', async (type) => {
      const response = await post(query, { 'content-type': type });
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('application/timestamp-reply');
      const token = readToken(await bytes(response));
      expect(token.digest).toEqual(digest);
      expect(token.signedData.certificates).toBeUndefined();
    });

    test('application/json', async () => {
      const response = await post(jsonQuery, { 'content-type': 'application/json; charset=utf-8' });
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('application/timestamp-reply');
      const token = readToken(await bytes(response));
      expect(token.digest).toEqual(digest);
      expect(token.signedData.certificates).toHaveLength(1);
    });

    test('a bad query is answered with a rejection', async () => {
      const response = await post('not DER', QUERY);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('application/timestamp-reply');
      expect(readReply(await bytes(response))).toEqual({ status: 2, failInfo: [5], token: undefined });
    });

    test('a bad query in JSON is a Problem', async () => {
      const body = JSON.stringify({ artifactHash: base64(digest), hashAlgorithm: 'sha1' });
      const response = await post(body, JSON_QUERY);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        code: 3,
        message: 'the imprint must be a sha256, sha384 or sha512 digest',
        details: [{ reason: 'REQUEST_MALFORMED', metadata: { failInfo: 'badAlg' } }],
      });
      expect((await post('{', JSON_QUERY)).status).toBe(400);
      expect((await post(Uint8Array.of(0xff), JSON_QUERY)).status).toBe(400);
    });

    test('a clock that went back is 503, in both forms', async () => {
      const response = await post(query, QUERY, await late());
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('1');
      expect(readReply(await bytes(response))).toMatchObject({ status: 2, failInfo: [14] });
      const json = await post(jsonQuery, JSON_QUERY, await late());
      expect(json.status).toBe(503);
      expect(json.headers.get('retry-after')).toBe('1');
      expect(await json.json()).toMatchObject({ code: 14, message: 'the clock has been set back' });
    });

    test('a key that cannot be used is 503, and says nothing of the inside', async () => {
      const sign = (): Promise<never> => Promise.reject(new Error('PIN 1234'));
      const locked = mounted(authorityOf({ ...made, signer: { ...made.signer, sign } }));
      const response = await post(query, QUERY, locked);
      expect(response.status).toBe(503);
      const reply = await bytes(response);
      expect(readReply(reply)).toMatchObject({ status: 2, failInfo: [25] });
      expect(new TextDecoder().decode(reply)).not.toContain('PIN');
      expect(await (await post(jsonQuery, JSON_QUERY, locked)).text()).not.toContain('PIN');
    });

    test('a bug is 500, told to the operator alone', async () => {
      const bugs: unknown[] = [];
      const bug = new RangeError('no entropy');
      const random = (): never => {
        throw bug;
      };
      const authority = authorityOf(made, { random });
      const door = { authority, errors: 'helpful' as const, onBug: (cause: unknown) => bugs.push(cause) };
      const response = await post(query, QUERY, timestampRoutes(door));
      expect(response.status).toBe(500);
      expect(await response.text()).not.toContain('entropy');
      expect(bugs).toEqual([bug]);
    });

    test.each(['text/plain', 'multipart/form-data; boundary=application/json'])('%s is 415', async (type) => {
      expect((await post(query, { 'content-type': type })).status).toBe(415);
    });

    test('more than a query can be is 413', async () => {
      expect((await post(new Uint8Array(16_385), QUERY)).status).toBe(413);
      expect((await post(' '.repeat(16_385), JSON_QUERY)).status).toBe(413);
    });

    test('another method is 405', async () => {
      const response = await app.request('/api/v1/timestamp');
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('POST');
    });
  });

  test('GET /api/v1/timestamp/certchain', async () => {
    const response = await app.request('/api/v1/timestamp/certchain');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/pem-certificate-chain');
    expect(decodePem(await response.text()).map((block) => block.der)).toEqual(made.chain);
  });
});
