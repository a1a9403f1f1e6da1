// Faces: what an instance serves beside certificates: timestamps, trust documents, the log as it is read, and explanations.

import { createHash } from 'node:crypto';
import { request as connect } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import * as der from '../../src/encoding/der.ts';
import * as oid from '../../src/oid.ts';
import { readCertificate } from '../fakes/certificate.ts';
import { type Answer, type Message, send } from '../fakes/client.ts';
import { type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import { type Issued, issue, request } from '../fakes/signing-client.ts';
import { readReply, readToken } from '../unit/timestamp/reader.ts';
import { expectRefusal, type Start, type Started } from './world.ts';

const COUNT = 3;
const FOREVER = 'public, max-age=31536000, immutable';
const BRIEF = 'public, max-age=1';
/** For vi.waitFor: the longest that the log may take, and how often it is asked. */
const PUBLICATION = { timeout: 20_000, interval: 50 };
const BEARER = 'a-token-of-at-least-sixteen-characters';

const DATA = 'what is timestamped';
const digest = createHash('sha256').update(DATA).digest();
const imprint = der.sequence(
  der.sequence(der.objectIdentifier(oid.sha256)),
  der.octetString(new Uint8Array(digest)),
);
const query = der.sequence(der.unsignedInteger(Uint8Array.of(1)), imprint);

/** Without unpacking, which fetch does. */
function packed(
  base: string,
  path: string,
  accept: string,
): Promise<{ readonly coding: string | undefined; readonly bytes: Buffer }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ coding: string | undefined; bytes: Buffer }>();
  const headers = { 'accept-encoding': accept };
  const sent = connect(new URL(path, base), { headers, agent: false }, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', reject);
    response.on('end', () =>
      resolve({ coding: response.headers['content-encoding'], bytes: Buffer.concat(chunks) }),
    );
  });
  sent.on('error', reject);
  sent.end();
  return promise;
}

export function faces(start: Start): void {
  let people: FakeIssuer;
  let others: FakeIssuer;
  let instance: Started;
  let issued: readonly Issued[];

  beforeAll(async () => {
    people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
    const entry = { 'issuer-url': people.url, audiences: ['sigstore'], type: 'email' };
    others = await people.sibling('/others');
    const frozen = { ...entry, name: 'others', 'issuer-url': others.url };
    const operator = { explainBearer: BEARER, frozen: ['others'] };
    instance = await start(stringify({ issuers: [entry, frozen] }), operator);
    const token = await people.sign();
    issued = await Promise.all(Array.from({ length: COUNT }, () => issue(instance.url, { token })));
    await vi.waitFor(async () => {
      const sth = (await get('/log/ct/v1/get-sth')).json as { tree_size: number };
      expect(sth.tree_size).toBe(COUNT);
    }, PUBLICATION);
  });
  afterAll(async () => {
    await instance.close();
    await people.close();
  });

  const get = (path: string, message?: Message): Promise<Answer> => send(instance.url, path, message);
  /** As the bytes came. */
  const bytesOf = async (path: string, init: RequestInit = {}): Promise<Uint8Array> =>
    new Uint8Array(await (await fetch(instance.url + path, init)).arrayBuffer());

  describe('timestamps', () => {
    const PATH = '/api/v1/timestamp';
    const stamp = (type: string, body: string | Uint8Array<ArrayBuffer>): RequestInit => ({
      method: 'POST',
      headers: { 'content-type': type },
      body,
    });

    test('for a query in DER, without certificates as it asked for none', async () => {
      const init = stamp('application/timestamp-query', query);
      const response = await fetch(instance.url + PATH, init);
      expect(response.headers.get('content-type')).toBe('application/timestamp-reply');
      const token = readToken(new Uint8Array(await response.arrayBuffer()));
      expect(Buffer.from(token.digest)).toEqual(digest);
      expect(Math.abs(token.genTime.getTime() - Date.now())).toBeLessThan(60_000);
      expect(token.signedData.certificates).toBeUndefined();
    });

    test('for a query in JSON, signed by the first certificate of the chain', async () => {
      const body = { artifactHash: digest.toString('base64'), hashAlgorithm: 'sha256', certificates: true };
      const token = readToken(await bytesOf(PATH, stamp('application/json', JSON.stringify(body))));
      const chain = (await get(`${PATH}/certchain`)).text.split(/(?<=-----END CERTIFICATE-----\n?)(?=-)/);
      const [signer, ...rest] = chain.map(readCertificate);
      expect(rest.at(-1)?.subject).toBe(rest.at(-1)?.issuer);
      const [included, ...more] = token.signedData.certificates ?? [];
      expect(more).toEqual([]);
      expect(Buffer.from(included?.toSchema().toBER() ?? new ArrayBuffer())).toEqual(
        Buffer.from(signer?.der ?? []),
      );
      const verified = await token.signedData.verify({
        signer: 0,
        data: new TextEncoder().encode(DATA).buffer,
      });
      expect(verified).toBe(true);
    });

    test('what is no query is rejected', async () => {
      const reply = readReply(await bytesOf(PATH, stamp('application/timestamp-query', 'not DER')));
      expect(reply).toEqual({ status: 2, failInfo: [5], token: undefined });
      const json = await get(PATH, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{',
      });
      expect([json.status, json.json]).toMatchObject([400, { code: 3 }]);
    });

    test('has no other method', async () => {
      expect((await get(PATH)).status).toBe(405);
    });
  });

  describe('trust documents', () => {
    const NAMES = ['trusted_root.json', 'signing_config.json', 'client_trust_config.json'];
    const pathOf = (name: string): string => `/.well-known/mayfly/${name}`;

    test.each(NAMES)('%s is JSON that a cache may keep for a minute', async (name) => {
      const answer = await get(pathOf(name));
      expect([answer.status, answer.headers['content-type'], answer.headers['cache-control']]).toEqual([
        200,
        'application/json',
        'public, max-age=60',
      ]);
      expectRefusal(await get(pathOf(name), { method: 'POST' }), {
        status: 405,
        code: 12,
        message: /.*/,
      });
    });

    test('name this authority, this log and this timestamp authority, and where they are', async () => {
      const root = (await get(pathOf('trusted_root.json'))).json as {
        certificateAuthorities: { certChain: { certificates: { rawBytes: string }[] } }[];
        ctlogs: { baseUrl: string; publicKey: { rawBytes: string }; logId: { keyId: string } }[];
        timestampAuthorities: { certChain: { certificates: { rawBytes: string }[] } }[];
      };
      const [issuedFirst] = issued;
      const chain = issuedFirst?.chain.slice(1).map((pem) => Buffer.from(readCertificate(pem).der));
      const raw = (certificates: { rawBytes: string }[] = []): Buffer[] =>
        certificates.map(({ rawBytes }) => Buffer.from(rawBytes, 'base64'));
      expect(root.certificateAuthorities.map((ca) => raw(ca.certChain.certificates))).toEqual([chain]);
      const log = (await get('/.well-known/mayfly/log.json')).json as { key: string; log_id: string };
      expect(root.ctlogs).toMatchObject([
        {
          baseUrl: `${instance.url}/log`,
          publicKey: { rawBytes: log.key },
          logId: { keyId: createHash('sha256').update(Buffer.from(log.key, 'base64')).digest('base64') },
        },
      ]);
      const stamps = (await get('/api/v1/timestamp/certchain')).text.match(
        /-----BEGIN.+?-----END CERTIFICATE-----/gs,
      );
      expect(root.timestampAuthorities.map((tsa) => raw(tsa.certChain.certificates))).toEqual([
        stamps?.map((pem) => Buffer.from(readCertificate(pem).der)),
      ]);
      const config = (await get(pathOf('signing_config.json'))).json as {
        caUrls: { url: string }[];
        tsaUrls: { url: string }[];
      };
      expect(config.caUrls.map(({ url }) => url)).toEqual([instance.url]);
      expect(config.tsaUrls.map(({ url }) => url)).toEqual([`${instance.url}/api/v1/timestamp`]);
      const both = (await get(pathOf('client_trust_config.json'))).json;
      expect(both).toMatchObject({ trustedRoot: root, signingConfig: config });
    });
  });

  describe('the log is read', () => {
    const TILE = `tile/data/000.p/${COUNT}`;

    test.each([
      ['checkpoint', 'text/plain; charset=utf-8', BRIEF],
      ['log.v3.json', 'application/json', BRIEF],
      ['ct/v1/get-sth', 'application/json', BRIEF],
      ['ct/v1/get-roots', 'application/json', BRIEF],
      [`tile/0/000.p/${COUNT}`, 'application/octet-stream', FOREVER],
      ['tile/0/000.p/1', 'application/octet-stream', FOREVER],
      [TILE, 'application/octet-stream', FOREVER],
    ])('%s as %s, for anyone, and %s', async (path, type, caching) => {
      const answer = await get(`/log/${path}`);
      expect([
        answer.status,
        answer.headers['content-type'],
        answer.headers['cache-control'],
        answer.headers['access-control-allow-origin'],
      ]).toEqual([200, type, caching, '*']);
      const head = await get(`/log/${path}`, { method: 'HEAD' });
      expect([head.status, head.text]).toEqual([200, '']);
    });

    test('the certificates of chains, as the entries name them', async () => {
      for (const pem of issued[0]?.chain.slice(1) ?? []) {
        const { der: bytes } = readCertificate(pem);
        const name = createHash('sha256').update(bytes).digest('hex');
        const response = await fetch(`${instance.url}/log/issuer/${name}`);
        expect([response.headers.get('content-type'), response.headers.get('cache-control')]).toEqual([
          'application/pkix-cert',
          FOREVER,
        ]);
        expect(Buffer.from(await response.arrayBuffer())).toEqual(Buffer.from(bytes));
      }
    });

    test('data is compressed once, for those who ask, and hashes are not', async () => {
      const plain = await bytesOf(`/log/${TILE}`, { headers: { 'accept-encoding': 'identity' } });
      const raw = (path: string, accept: string) => packed(instance.url, `/log/${path}`, accept);
      for (const accept of ['gzip', 'br;q=1.0, gzip;q=0.8']) {
        const { coding, bytes } = await raw(TILE, accept);
        expect(coding).toBe('gzip');
        expect(gunzipSync(bytes)).toEqual(Buffer.from(plain));
      }
      for (const accept of ['identity', 'gzip;q=0']) {
        const { coding, bytes } = await raw(TILE, accept);
        expect([coding, bytes]).toEqual([undefined, Buffer.from(plain)]);
      }
      expect((await raw(`tile/0/000.p/${COUNT}`, 'gzip')).coding).toBeUndefined();
    });

    test.each([
      'tile/0/000',
      `tile/0/000.p/${COUNT + 1}`,
      `tile/data/000.p/${COUNT + 1}`,
      'tile/1/000',
      'tile/0/001',
      'tile/0/0',
      'tile/names/000',
      `issuer/${'0'.repeat(64)}`,
      'published',
      '',
      'ct/v1/add-chain',
    ])('there is no %s, and no cache keeps that', async (path) => {
      const answer = await get(`/log/${path}`);
      expect([answer.status, answer.json, answer.headers['cache-control']]).toMatchObject([
        404,
        { code: 5, message: 'Not Found' },
        'no-store',
      ]);
    });

    test('and nothing else: what is posted is refused', async () => {
      for (const method of ['POST', 'PUT', 'DELETE'])
        expect((await get('/log/checkpoint', { method })).status).toBe(405);
    });
  });

  describe('an explanation', () => {
    const PATH = '/api/mayfly/v1/explain';
    const ask = (bearer: string | undefined, body: object): Promise<Answer> =>
      get(PATH, {
        method: 'POST',
        headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
        body: JSON.stringify(body),
      });

    test('is for those who know the token of the operator', async () => {
      const token = await people.sign();
      for (const bearer of [undefined, 'another-token-of-sixteen']) {
        const answer = await ask(bearer, { token });
        expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, 'Bearer']);
      }
      const answer = await ask(BEARER, { token });
      expect([answer.status, answer.headers['cache-control']]).toEqual([200, 'no-store']);
      expect(answer.text).toContain('dana@example.org');
    });

    test('spends nothing, and does not repeat the signature', async () => {
      const token = await people.sign();
      const answer = await ask(BEARER, { token });
      expect(answer.text).not.toContain(token.split('.')[2]);
      expect((await request(instance.url, { token })).status).toBe(200);
    });

    test('says what is wrong with a request that it does not understand', async () => {
      const answer = await ask(BEARER, {});
      expectRefusal(answer, { message: /token/, reason: 'REQUEST_MALFORMED', field: 'token' });
    });
  });

  test('a frozen issuer is not listed, and its tokens are refused by policy', async () => {
    const token = await others.sign({ email: 'dana@example.org', email_verified: true });
    const answer = await request(instance.url, { token });
    expectRefusal(answer, { message: /.*/, reason: 'POLICY_DENIED' });
    const { issuers } = (await get('/api/v2/configuration')).json as { issuers: { issuerUrl: string }[] };
    expect(issuers.map(({ issuerUrl }) => issuerUrl)).toEqual([people.url]);
  });
}
