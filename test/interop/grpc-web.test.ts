// gRPC-Web and Connect on the gRPC port, over HTTP/1.1 and HTTP/2, as Connect's clients and browsers' fetch see them.

import { connect as connectHttp2 } from 'node:http2';
import { gunzipSync, gzipSync } from 'node:zlib';
import { fromJson } from '@bufbuild/protobuf';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CA,
  type CreateSigningCertificateRequest,
  CreateSigningCertificateRequestSchema,
} from '../../src/grpc/generated/dev/sigstore/fulcio/v2/ca_pb.ts';
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from '../../src/grpc/generated/grpc/health/v1/health_pb.ts';
import { readCertificate } from '../fakes/certificate.ts';
import { send } from '../fakes/client.ts';
import { detailJson } from '../fakes/grpc-client.ts';
import { startInstance, type TestInstance } from '../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import { chainOf, type Order, orderBody, orderMessage, request } from '../fakes/signing-client.ts';
import { signingRequest } from '../fakes/signing-request.ts';
import { spkiOf } from '../vectors/key-pairs.ts';

const SIGN = '/dev.sigstore.fulcio.v2.CA/CreateSigningCertificate';

let issuer: FakeIssuer;
let instance: TestInstance;
let url: string;

beforeAll(async () => {
  issuer = await startIssuer({ claims: { email: 'someone@example.org', email_verified: true } });
  instance = await startInstance({
    issuers: [{ issuer, type: 'email' }],
    settings: { 'rate-limits': 'off' },
  });
  url = instance.service.grpcUrl;
});

afterAll(async () => {
  await instance.close();
  await issuer.close();
});

const messageOf = (order: Order): CreateSigningCertificateRequest =>
  fromJson(CreateSigningCertificateRequestSchema, JSON.parse(JSON.stringify(orderBody(order))));

async function refusalOf(call: Promise<unknown>): Promise<ConnectError> {
  return call.then(
    () => {
      throw new Error('it was not refused');
    },
    (error: unknown) => ConnectError.from(error),
  );
}

const TRANSPORTS: readonly [string, (baseUrl: string) => Transport][] = [
  ['gRPC over HTTP/2', (baseUrl) => createGrpcTransport({ baseUrl })],
  ['gRPC-Web over HTTP/1.1', (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1' })],
  ['gRPC-Web over HTTP/2', (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '2' })],
  ['Connect over HTTP/1.1', (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '1.1' })],
  ['Connect over HTTP/2', (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '2' })],
  [
    'Connect with binary messages',
    (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: true }),
  ],
  [
    'gRPC with compressed requests',
    (baseUrl) =>
      createGrpcTransport({
        baseUrl,
        sendCompression: compressionGzip,
        acceptCompression: [compressionGzip],
        compressMinBytes: 1,
      }),
  ],
];

describe.each(TRANSPORTS)('%s', (_, transportOf) => {
  const ca = () => createClient(CA, transportOf(url));

  test('gives certificates for a proven key and for a signing request', async () => {
    const orders: Order[] = [
      { token: await issuer.sign(), key: 'P-384' },
      { token: await issuer.sign(), csr: signingRequest('P-384') },
    ];
    for (const order of orders) {
      const { certificate } = await ca().createSigningCertificate(messageOf(order));
      expect(certificate.case).toBe('signedCertificateEmbeddedSct');
      const chain = certificate.value?.chain?.certificates ?? [];
      expect(chain).toHaveLength(3);
      expect(readCertificate(chain[0] ?? '').spki).toBe(Buffer.from(spkiOf('P-384')).toString('hex'));
    }
  });

  test('takes the token from a header', async () => {
    const token = await issuer.sign();
    const { credentials: _unused, ...message } = messageOf({ token });
    const headers = { oidcidentitytoken: token };
    const { certificate } = await ca().createSigningCertificate(message, { headers });
    expect(certificate.case).toBe('signedCertificateEmbeddedSct');
  });

  test('refuses as REST does, with its details', async () => {
    for (const order of [
      {},
      { token: await issuer.sign(), challenge: 'else' },
      { token: await issuer.sign(), csr: 'x' },
    ]) {
      const { code, rawMessage, details } = await refusalOf(ca().createSigningCertificate(messageOf(order)));
      const told = details.map((detail) =>
        'type' in detail ? detailJson(detail.type, detail.value) : detail,
      );
      const rest = await request(instance.url, order);
      expect({ code, message: rawMessage, details: told }).toEqual(rest.json);
    }
  });

  test('refuses what is too large', async () => {
    const credentials = { oidcIdentityToken: 'x'.repeat(1024 * 1024) };
    const { code } = await refusalOf(ca().createSigningCertificate({ credentials }));
    expect(code).toBe(Code.ResourceExhausted);
  });

  test('tells health, and that the rest of it is unimplemented', async () => {
    const health = createClient(Health, transportOf(url));
    expect((await health.check({ service: 'x' })).status).toBe(Status.SERVING);
    expect((await refusalOf(health.list({}))).code).toBe(Code.Unimplemented);
    const watched = health.watch({})[Symbol.asyncIterator]();
    expect((await refusalOf(watched.next())).code).toBe(Code.Unimplemented);
  });
});

test('a compressed message that is too large when it is read is refused', async () => {
  const bomb = gzipSync(JSON.stringify({ credentials: { oidcIdentityToken: 'x'.repeat(64 * 1024) } }));
  expect(bomb.length).toBeLessThan(1024);
  const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
  const answer = await send(url, SIGN, { method: 'POST', headers, body: bomb });
  expect(answer.status).toBe(429);
  expect(answer.json).toMatchObject({ code: 'resource_exhausted' });
});

test('answers go out as they are, also to a client that would take them compressed', async () => {
  const session = connectHttp2(url);
  const headers = {
    ':method': 'POST',
    ':path': SIGN,
    'content-type': 'application/json',
    'accept-encoding': 'gzip, br',
  };
  const stream = session.request(headers);
  stream.end(JSON.stringify(orderBody({ token: await issuer.sign() })));
  const encoding = new Promise((resolve) =>
    stream.on('response', (answer) => resolve(answer['content-encoding'])),
  );
  const body = Buffer.concat(await stream.toArray());
  expect(await encoding).toBeUndefined();
  expect(() => gunzipSync(body)).toThrow();
  expect(JSON.parse(body.toString())).toHaveProperty('signedCertificateEmbeddedSct');
  session.close();
});

describe('Connect with JSON, by hand', () => {
  const headers = { 'content-type': 'application/json' };
  const call = (path: string, body: object) =>
    send(url, path, { method: 'POST', headers, body: JSON.stringify(body) });

  test('has the bodies of REST', async () => {
    const token = await issuer.sign();
    const answer = await send(url, SIGN, orderMessage({ token }));
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.json as object)).toEqual(['signedCertificateEmbeddedSct']);
    expect(chainOf(answer)).toHaveLength(3);
    for (const [method, path] of [
      ['GetTrustBundle', 'trustBundle'],
      ['GetConfiguration', 'configuration'],
    ] as const) {
      const rest = await send(instance.url, `/api/v2/${path}`);
      expect((await call(`/dev.sigstore.fulcio.v2.CA/${method}`, {})).json).toEqual(rest.json);
    }
  });

  test('tells a limit as HTTP does', async () => {
    const limits = { defaults: { 'certificates-per-identity': { burst: 1, count: 1, period: '1h' } } };
    const limited = await startInstance({
      issuers: [{ issuer, type: 'email' }],
      settings: { 'rate-limits': limits },
    });
    const order = { token: await issuer.sign() };
    const first = await send(limited.service.grpcUrl, SIGN, orderMessage(order));
    const second = await send(limited.service.grpcUrl, SIGN, orderMessage(order));
    expect([first.status, second.status]).toEqual([200, 429]);
    expect(Number(second.headers['retry-after'])).toBeGreaterThan(0);
    await limited.close();
  });

  test.each([
    ['{', 400, 'invalid_argument'],
    ['[]', 400, 'invalid_argument'],
    ['{"credentials":7}', 400, 'invalid_argument'],
    ['{"publicKeyRequest":{},"certificateSigningRequest":"eA=="}', 400, 'invalid_argument'],
    ['{"certificateSigningRequest":"%"}', 400, 'invalid_argument'],
    ['{"unknown":1}', 400, 'invalid_argument'],
    ['{"publicKeyRequest":{"publicKey":{"algorithm":"NEW"}}}', 400, 'invalid_argument'],
  ])('refuses %s', async (body, status, code) => {
    const answer = await send(url, SIGN, { method: 'POST', headers, body });
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject({ code });
  });

  test.each([
    ['GET', SIGN, 'application/json', 405],
    ['POST', SIGN, 'text/plain', 415],
    ['POST', '/api/v2/signingCert', 'application/json', 404],
    ['POST', '/', 'application/json', 404],
  ])('%s %s as %s is %i', async (method, path, type, status) => {
    const answer = await send(url, path, { method, headers: { 'content-type': type } });
    expect(answer.status).toBe(status);
  });

  test('a body without length that is too large is answered, not cut off', async () => {
    const body = Array.from({ length: 64 }, () => ' '.repeat(4096));
    const answer = await send(url, SIGN, { method: 'POST', headers, body });
    expect(answer.status).toBe(429);
    expect(answer.json).toMatchObject({ code: 'resource_exhausted' });
  });
});

describe('a browser', () => {
  const origin = 'https://app.example';

  test('may ask for every protocol from anywhere, with the token in a header', async () => {
    const { status, headers } = await send(url, SIGN, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
    });
    expect(status).toBe(204);
    expect(headers['access-control-allow-origin']).toBe('*');
    expect(headers['access-control-allow-methods']).toContain('POST');
    const allowed = headers['access-control-allow-headers']?.toLowerCase().split(', ');
    for (const name of [
      'content-type',
      'x-grpc-web',
      'connect-protocol-version',
      'oidcidentitytoken',
      'grpc-timeout',
    ])
      expect(allowed).toContain(name);
  });

  test.each([
    ['application/json', '{}'],
    ['application/grpc-web+proto', '\0\0\0\0\0'],
  ])('reads answers in %s and what a refusal says in headers', async (type, body) => {
    const { headers } = await send(url, SIGN, {
      method: 'POST',
      headers: { origin, 'content-type': type },
      body,
    });
    expect(headers['access-control-allow-origin']).toBe('*');
    const exposed = headers['access-control-expose-headers']?.toLowerCase().split(', ');
    for (const name of ['grpc-status', 'grpc-message', 'grpc-status-details-bin', 'retry-after'])
      expect(exposed).toContain(name);
  });

  test('hears of a method that is not there in headers, where it finds them', async () => {
    const headers = { origin, 'content-type': 'application/grpc-web+proto' };
    const answer = await send(url, '/dev.sigstore.fulcio.v2.CA/Nothing', { method: 'POST', headers });
    expect(answer.status).toBe(200);
    expect(answer.headers['grpc-status']).toBe('12');
    const transport = createGrpcWebTransport({ baseUrl: `${url}/elsewhere`, httpVersion: '1.1' });
    const { code, rawMessage } = await refusalOf(createClient(CA, transport).getTrustBundle({}));
    expect([code, rawMessage]).toEqual([Code.Unimplemented, 'unknown method']);
  });
});
