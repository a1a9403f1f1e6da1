// Routes: paths, methods, headers and bodies around the issuance itself (Fulcio's REST gateway).

import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { readCertificate } from '../fakes/certificate.ts';
import { type Message, send } from '../fakes/client.ts';
import { chainOf, issuedBy, orderBody, orderMessage, request } from '../fakes/signing-client.ts';
import { KINDS } from './kinds.ts';
import { expectRefusal, TOKEN, type World } from './world.ts';

const JSON_TYPE = 'application/json';
const PEM_TYPE = 'application/pem-certificate-chain';

const READ = [
  ['/api/v2/trustBundle', JSON_TYPE],
  ['/api/v2/configuration', JSON_TYPE],
  ['/api/v1/rootCert', PEM_TYPE],
  ['/healthz', JSON_TYPE],
  ['/readyz', JSON_TYPE],
] as const;
const WRITE = ['/api/v2/signingCert', '/api/v1/signingCert'] as const;

export function routes(the: () => World): void {
  const get = (path: string, message?: Message) => send(the().url, path, message);

  describe('paths', () => {
    test.each(READ)('GET %s answers 200 with %s', async (path, type) => {
      const answer = await get(path);
      expect(answer.status).toBe(200);
      expect(answer.headers['content-type']).toBe(type);
      expect(answer.headers['vary']).toBe('Origin');
      expect(Number(answer.headers['content-length'])).toBe(Buffer.byteLength(answer.text));
      expect(Object.keys(answer.headers).filter((name) => name.startsWith('grpc-'))).toEqual([]);
    });

    test.each([
      ...['/', '/api', '/api/v2', '/api/v3/signingCert', '/api/v2/trustbundle', '//api/v2/trustBundle'],
      ...['/api/v2//trustBundle', '/api/v2/trustBundle/x', '/api/v2/..%2ftrustBundle', '/%00', '/%', '/%ff'],
    ])('%s is not there, whatever the method', async (path) => {
      for (const method of ['GET', 'POST', 'PUT'])
        expectRefusal(await get(path, { method }), { status: 404, code: 5, message: 'Not Found' });
    });

    test.each([
      '/api/v2/trust%42undle',
      '/%61pi/v2/configuration',
      '/healthz?service=x',
      '/api/v1/rootCert?a=%zz',
    ])('%s is found: bytes are decoded first, and a query does not matter', async (path) => {
      expect((await get(path)).status).toBe(200);
    });

    test('are described by an OpenAPI document, and those that take nothing answer', async () => {
      const { status, headers, json } = await get('/openapi.json');
      expect([status, headers['content-type']]).toEqual([200, JSON_TYPE]);
      expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
      const { openapi, paths } = json as { openapi: string; paths: Record<string, { get?: unknown }> };
      expect(openapi).toBe('3.1.0');
      const names = Object.keys(paths);
      expect(names).toEqual(
        expect.arrayContaining([...WRITE, ...READ.map(([path]) => path), '/log/checkpoint']),
      );
      const plain = names.filter(
        (name) => paths[name]?.get !== undefined && !/[{]|get-(?!sth$|roots)/.test(name),
      );
      for (const name of plain) expect([name, (await get(name)).status]).toEqual([name, 200]);
    });

    test('signing takes a query too', async () => {
      const message = orderMessage({ token: await the().token() });
      expect((await get('/api/v2/signing%43ert?token=x', message)).status).toBe(200);
    });
  });

  describe('methods', () => {
    const OTHERS = ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'PROPFIND'];
    const cases: [string, string, string][] = [
      ...WRITE.flatMap((path) =>
        ['GET', ...OTHERS].map((method): [string, string, string] => [method, path, 'POST']),
      ),
      ...READ.filter(([path]) => path.startsWith('/api')).flatMap(([path]) =>
        ['POST', ...OTHERS].map((method): [string, string, string] => [method, path, 'GET']),
      ),
    ];
    test.each(cases)('%s %s is refused, and %s named', async (method, path, allow) => {
      const answer = await get(path, { method, headers: { 'content-type': JSON_TYPE } });
      expect(answer.headers['allow']).toBe(allow);
      if (method === 'HEAD') {
        expect(answer.status).toBe(405);
        expect(answer.text).toBe('');
      } else expectRefusal(answer, { status: 405, code: 12, message: 'Method Not Allowed' });
    });

    test.each(READ)('a form that is posted to %s is served as GET', async (path, type) => {
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      const answer = await get(path, { method: 'POST', headers, body: 'a=b' });
      expect(answer.status).toBe(200);
      expect(answer.headers['content-type']).toBe(type);
    });
  });

  describe('what a request says about its content does not matter', () => {
    test.each<[string, Record<string, string>]>([
      ['no content type', { 'content-type': '' }],
      ['text/plain', { 'content-type': 'text/plain' }],
      ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
      ['multipart', { 'content-type': 'multipart/form-data; boundary=x' }],
      ['a charset', { 'content-type': 'application/json; charset=latin1' }],
      ['what sigstore-python accepts', { accept: PEM_TYPE }],
      ['nothing accepted', { accept: 'image/png;q=0.1' }],
      ['a label of gzip', { 'content-encoding': 'gzip' }],
    ])('%s', async (_, headers) => {
      const answer = await request(the().url, { token: await the().token(), headers });
      expect(answer.status, answer.text).toBe(200);
      expect(answer.headers['content-type']).toBe(JSON_TYPE);
      expect(answer.headers['vary']).toBe('Origin');
      expect(Number(answer.headers['content-length'])).toBe(Buffer.byteLength(answer.text));
    });
  });

  describe('size', () => {
    const LIMIT = 64 * 1024;
    const filled = async (size: number): Promise<string> => {
      const body = orderBody({ token: await the().token() });
      const without = JSON.stringify({ ...body, filler: '' }).length;
      return JSON.stringify({ ...body, filler: 'x'.repeat(size - without) });
    };

    test.each(WRITE)('%s takes 64 KiB and no more', async (path) => {
      const within = await get(path, { method: 'POST', body: ' '.repeat(LIMIT) });
      expect(within.status).toBe(400);
      const tooLarge = { status: 413, message: 'http: request body too large', reason: 'REQUEST_TOO_LARGE' };
      expectRefusal(await get(path, { method: 'POST', body: ' '.repeat(LIMIT + 1) }), tooLarge);
    });

    test('a body of just 64 KiB is read to its end', async () => {
      const body = await filled(LIMIT);
      expect(body).toHaveLength(LIMIT);
      expect((await get(WRITE[0], { method: 'POST', body })).status).toBe(200);
    });

    test('without a length it is counted', async () => {
      const body = await filled(LIMIT);
      const chunks = (text: string): string[] => text.match(/.{1,5000}/gs) ?? [];
      expect((await get(WRITE[0], { method: 'POST', body: chunks(body) })).status).toBe(200);
      const more = await get(WRITE[0], { method: 'POST', body: chunks(await filled(LIMIT + 1)) });
      expectRefusal(more, { status: 413, message: 'http: request body too large' });
    });
  });

  describe('browsers', () => {
    const origin = { origin: 'https://app.example' };
    const ask = (method: string, headers: string) => ({
      method: 'OPTIONS',
      headers: {
        ...origin,
        'access-control-request-method': method,
        'access-control-request-headers': headers,
      },
    });

    test.each([...READ.map(([path]) => path), '/nothing'])('%s may be read from anywhere', async (path) => {
      const answer = await get(path, { headers: origin });
      expect(answer.headers['access-control-allow-origin']).toBe('*');
      expect(answer.headers['vary']).toContain('Origin');
    });

    test.each(WRITE)('%s may be posted to from anywhere', async (path) => {
      const asked = await get(path, ask('POST', 'content-type'));
      expect(asked.status).toBe(204);
      expect(asked.text).toBe('');
      expect(asked.headers['access-control-allow-origin']).toBe('*');
      expect(asked.headers['access-control-allow-methods']).toMatch(/\bPOST\b/);
      expect(asked.headers['access-control-allow-headers']).toMatch(/\bcontent-type\b/i);
      const answer = await get(path, { method: 'POST', headers: origin });
      expect(answer.headers['access-control-allow-origin']).toBe('*');
    });

    test('without an Origin nothing is said about it', async () => {
      expect((await get('/healthz')).headers['access-control-allow-origin']).toBeUndefined();
    });
  });

  describe('what is told about the authority', () => {
    test('trustBundle: one chain, issuing CA first and root last, each PEM with its final newline', async () => {
      const { json } = await get('/api/v2/trustBundle');
      const { chains, ...rest } = json as { chains: { certificates: string[] }[] };
      expect(rest).toEqual({});
      expect(chains).toHaveLength(1);
      const [{ certificates } = { certificates: [] }] = chains;
      for (const pem of certificates)
        expect(pem).toMatch(/^-----BEGIN CERTIFICATE-----\n[^ ]+\n-----END CERTIFICATE-----\n$/);
      const chain = certificates.map((pem) => new X509Certificate(pem));
      expect(chain[0]?.checkIssued(chain[1] ?? new X509Certificate(certificates[0] ?? ''))).toBe(true);
      expect(chain.at(-1)?.subject).toBe(chain.at(-1)?.issuer);
      expect(certificates.every((pem) => readCertificate(pem).extension('2.5.29.19') !== undefined)).toBe(
        true,
      );
      const issued = issuedBy(await request(the().url, { token: await the().token() }));
      expect(issued.chain.slice(1)).toEqual(certificates.map((pem) => pem.trimEnd()));
    });

    test('rootCert: the same certificates with a blank line between, and no newline at the end', async () => {
      const { json } = await get('/api/v2/trustBundle');
      const [{ certificates } = { certificates: [] }] = (json as { chains: { certificates: string[] }[] })
        .chains;
      const answer = await get('/api/v1/rootCert');
      expect(answer.text).toBe(certificates.join('\n').trimEnd());
      expect(chainOf(answer)).toHaveLength(certificates.length);
    });

    test('configuration: every issuer with all its fields, exact ones before patterns', async () => {
      const { json } = await get('/api/v2/configuration');
      const { issuers, ...rest } = json as { issuers: Record<string, unknown>[] };
      expect(rest).toEqual({});
      expect(issuers).toHaveLength(KINDS.length + 7);
      expect(issuers.find(({ issuerUrl }) => issuerUrl === the().issuer().url)).toEqual({
        issuerUrl: the().issuer().url,
        audience: 'sigstore',
        challengeClaim: 'email',
        spiffeTrustDomain: '',
        issuerType: 'email',
        subjectDomain: '',
        skipEmailVerification: false,
      });
      expect(issuers.at(-1)).toEqual({
        wildcardIssuerUrl: `${the().host}/meta/*`,
        audience: 'sigstore',
        challengeClaim: 'email',
        spiffeTrustDomain: '',
        issuerType: 'email',
        subjectDomain: '',
        skipEmailVerification: false,
      });
      const one = (title: string) => issuers.find(({ issuerUrl }) => issuerUrl === the().issuer(title).url);
      expect(one('spiffe')).toMatchObject({ challengeClaim: 'sub', spiffeTrustDomain: 'mesh.example.org' });
      expect(one('username')).toMatchObject({ issuerType: 'username', subjectDomain: '127.0.0.1' });
      expect(one('ci-provider github')).toMatchObject({ issuerType: 'ci-provider', challengeClaim: 'sub' });
      expect(one('email that nobody need have verified')).toMatchObject({ skipEmailVerification: true });
    });

    test('healthz and readyz', async () => {
      expect((await get('/healthz')).text).toBe('{"status":"SERVING"}\n');
      expect((await get('/healthz?service=anything')).text).toBe('{"status":"SERVING"}\n');
      expect((await get('/readyz')).text).toBe('{"status":"READY"}\n');
      for (const path of ['/healthz', '/readyz']) {
        const answer = await get(path, { method: 'HEAD' });
        expect([answer.status, answer.text]).toEqual([200, '']);
      }
    });
  });

  test('an empty body is an empty message: the token is missed first', async () => {
    for (const body of ['', ' \n'])
      expectRefusal(await get(WRITE[0], { method: 'POST', body }), {
        message: TOKEN,
        reason: 'TOKEN_MISSING',
      });
  });
}
