// gRPC as @grpc/grpc-js sees it, in clear and over TLS: the same certificates and the same refusals as over REST.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { toBinary } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CA,
  CreateSigningCertificateRequestSchema,
} from '../../src/grpc/generated/dev/sigstore/fulcio/v2/ca_pb.ts';
import { HealthCheckResponse_ServingStatus as Status } from '../../src/grpc/generated/grpc/health/v1/health_pb.ts';
import { readCertificate, SCT_LIST } from '../fakes/certificate.ts';
import { send } from '../fakes/client.ts';
import { chainIn, GrpcClient, messageOf, refusalOf } from '../fakes/grpc-client.ts';
import { startInstance, type TestInstance } from '../fakes/instance.ts';
import { type FakeIssuer, newSigningKey, signToken, startIssuer } from '../fakes/issuer.ts';
import { type Order, request } from '../fakes/signing-client.ts';
import { signingRequest } from '../fakes/signing-request.ts';
import { newTlsIdentity, type TlsIdentity } from '../fakes/tls.ts';
import { ACCEPTED, spkiOf } from '../vectors/key-pairs.ts';

let issuer: FakeIssuer;
let instance: TestInstance;
let client: GrpcClient;
let people = 0;

beforeAll(async () => {
  issuer = await startIssuer();
  instance = await startInstance({
    issuers: [{ issuer, type: 'email' }],
    settings: { 'rate-limits': 'off' },
  });
  client = new GrpcClient(instance.service.grpcUrl);
});

afterAll(async () => {
  client.close();
  await instance.close();
  await issuer.close();
});

const emailToken = (claims = {}): Promise<string> => {
  people += 1;
  return issuer.sign({ email: `person-${people}@example.org`, email_verified: true, ...claims });
};

describe('CreateSigningCertificate', () => {
  test.each(ACCEPTED)('gives a certificate for a proven %s key', async (key) => {
    const token = await emailToken();
    const answer = await client.sign(messageOf({ token, key }));
    expect(answer.certificate.case).toBe('signedCertificateEmbeddedSct');
    const [leaf = '', ...authorities] = chainIn(answer);
    const { spki, names, extension } = readCertificate(leaf);
    expect(spki).toBe(Buffer.from(spkiOf(key)).toString('hex'));
    expect(names).toEqual([{ kind: 'email', value: `person-${people}@example.org` }]);
    expect(extension(SCT_LIST)).toBeDefined();
    expect(authorities).toHaveLength(2);
    for (const pem of chainIn(answer)) expect(pem).toMatch(/^-----BEGIN .+-----END CERTIFICATE-----$/s);
  });

  test.each(ACCEPTED)('and for a request signed with a %s key', async (key) => {
    const answer = await client.sign(messageOf({ token: await emailToken(), csr: signingRequest(key) }));
    const { spki } = readCertificate(chainIn(answer)[0] ?? '');
    expect(spki).toBe(Buffer.from(spkiOf(key)).toString('hex'));
  });

  test('takes the token from metadata, bare', async () => {
    const token = await emailToken();
    const { credentials: _, ...message } = messageOf({ token });
    const answer = await client.sign(message, { oidcidentitytoken: token });
    expect(chainIn(answer)).toHaveLength(3);
  });

  test('takes the one in the message first, as Fulcio does', async () => {
    const token = await emailToken();
    const answer = await client.sign(messageOf({ token }), { oidcidentitytoken: 'no token' });
    expect(chainIn(answer)).toHaveLength(3);
    const refusal = await refusalOf(client.sign(messageOf({ token: 'a.b.c' }), { oidcidentitytoken: token }));
    expect(refusal.code).toBe(3);
  });

  test.each([
    ['authorization', (token: string) => ({ authorization: `Bearer ${token}` })],
    ['two entries', (token: string) => ({ oidcidentitytoken: [token, token] })],
  ])('does not take it from %s', async (_, metadata) => {
    const token = await emailToken();
    const { credentials: _unused, ...message } = messageOf({ token });
    expect(await refusalOf(client.sign(message, metadata(token)))).toMatchObject({
      code: 3,
      message: 'There was an error processing the identity token',
    });
  });

  test('has no timestamp where no log is configured', async () => {
    const without = await startInstance({ issuers: [{ issuer, type: 'email' }], settings: { log: 'none' } });
    const caller = new GrpcClient(without.service.grpcUrl);
    const { certificate } = await caller.sign(messageOf({ token: await emailToken() }));
    expect(certificate).toMatchObject({
      case: 'signedCertificateDetachedSct',
      value: { chain: { certificates: [{}, {}, {}] }, signedCertificateTimestamp: new Uint8Array() },
    });
    caller.close();
    await without.close();
  });
});

describe('what REST refuses is refused alike', () => {
  const stranger = newSigningKey('ES256');
  const orders: readonly [string, () => Promise<Order>][] = [
    ['no token', async () => ({})],
    ['no token and no key', async () => ({ publicKey: null, proof: null })],
    ['a text that is no token', async () => ({ token: 'bogus', challenge: '' })],
    ['a foreign issuer', async () => ({ token: await emailToken({ iss: 'https://other.example' }) })],
    ['another audience', async () => ({ token: await emailToken({ aud: 'other' }) })],
    ['an expired token', async () => ({ token: await emailToken({ exp: 1_000_000_000 }) })],
    [
      'an email address that is not verified',
      async () => ({ token: await emailToken({ email_verified: false }) }),
    ],
    ['no email address', async () => ({ token: await issuer.sign() })],
    [
      'a signature by a stranger',
      async () => {
        const usual = { iss: issuer.url, aud: 'sigstore', email: 'a@example.org', email_verified: true };
        return { token: await signToken({ ...usual, exp: 4_000_000_000 }, await stranger) };
      },
    ],
    ['no key', async () => ({ token: await emailToken(), publicKey: null, proof: null })],
    ['a text that is no key', async () => ({ token: await emailToken(), publicKey: 'bogus' })],
    ['a weak key', async () => ({ token: await emailToken(), key: 'RSA-1024' })],
    ['a curve that is not taken', async () => ({ token: await emailToken(), key: 'P-224' })],
    ['no proof', async () => ({ token: await emailToken(), proof: null })],
    ['a proof over something else', async () => ({ token: await emailToken(), challenge: 'else' })],
    ['a text that is no signing request', async () => ({ token: await emailToken(), csr: 'bogus' })],
    [
      'a broken signing request',
      async () => ({ token: await emailToken(), csr: signingRequest('P-256', { broken: true }) }),
    ],
    [
      'an algorithm that is not permitted',
      async () => ({
        token: await emailToken(),
        csr: signingRequest('RSA-2048', { algorithm: 'rsa-sha512' }),
      }),
    ],
    [
      'an algorithm that is not known',
      async () => ({ token: await emailToken(), csr: signingRequest('P-256', { algorithm: 'ecdsa-sha1' }) }),
    ],
    ['an address that is not ASCII', async () => ({ token: await emailToken({ email: 'ü@example.org' }) })],
  ];

  test.each(orders)('%s', async (_, make) => {
    const order = await make();
    const rest = await request(instance.url, order);
    expect(rest.status).toBe(400);
    const { code, message, details } = await refusalOf(client.sign(messageOf(order)));
    expect({ code, message, details }).toEqual(rest.json);
    expect(details).not.toEqual([]);
  });

  test('without details where errors are terse', async () => {
    const terse = await startInstance({ settings: { errors: 'terse' } });
    const caller = new GrpcClient(terse.service.grpcUrl);
    expect(await refusalOf(caller.sign({}))).toEqual({
      code: 3,
      message: 'There was an error processing the identity token',
      details: [],
      retryAfter: undefined,
    });
    caller.close();
    await terse.close();
  });

  test.each(['helpful', 'terse'] as const)('a limit, with the time to come back: %s', async (errors) => {
    const two = { burst: 2, count: 1, period: '1h' };
    const limited = await startInstance({
      issuers: [{ issuer, type: 'email' }],
      settings: { errors, 'rate-limits': { defaults: { 'certificates-per-identity': two } } },
    });
    const caller = new GrpcClient(limited.service.grpcUrl);
    const order: Order = { token: await emailToken() };
    await caller.sign(messageOf(order));
    await caller.sign(messageOf(order));
    const rest = await request(limited.url, order);
    const refusal = await refusalOf(caller.sign(messageOf(order)));
    expect(rest.status).toBe(429);
    const { message } = rest.json as { message: string };
    const [wait = ''] = /(?<=come back in )\d+/.exec(refusal.message) ?? []; // it is spread, so that not all come at once
    expect(refusal).toMatchObject({ code: 8, retryAfter: wait });
    expect(refusal.message.replaceAll(/\d+/g, '#')).toBe(message.replaceAll(/\d+/g, '#'));
    const retry = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${wait}s` };
    if (errors === 'helpful') expect(refusal.details.at(-1)).toEqual(retry);
    else expect(refusal.details).toEqual([]);
    caller.close();
    await limited.close();
  });
});

describe('messages', () => {
  const SIGN = '/dev.sigstore.fulcio.v2.CA/CreateSigningCertificate';

  test('of more than 64 KiB are refused as RESOURCE_EXHAUSTED, and the largest smaller ones are read', async () => {
    const sized = (content: number) => ({ credentials: { oidcIdentityToken: 'x'.repeat(content) } });
    const overhead = 8; // two tags with lengths of three bytes each
    expect((await refusalOf(client.sign(sized(64 * 1024 - overhead + 1)))).code).toBe(8);
    expect(await refusalOf(client.sign(sized(64 * 1024 - overhead)))).toMatchObject({
      code: 3,
      details: [{ reason: 'TOKEN_TOO_LARGE' }, {}],
    });
  });

  test('that are no protobuf are INTERNAL, as gRPC servers answer, and the connection lives on', async () => {
    expect((await refusalOf(client.raw(SIGN, Buffer.from('ffffff', 'hex')))).code).toBe(13);
    expect((await client.check()).status).toBe(Status.SERVING);
  });

  test('may hold fields that are not known yet', async () => {
    const token = await emailToken();
    const known = toBinary(CreateSigningCertificateRequestSchema, messageOf({ token }));
    const unknown = Buffer.from('fa7f036e6577', 'hex'); // field 2047: "new"
    expect(await client.raw(SIGN, Buffer.concat([known, unknown]))).not.toHaveLength(0);
  });

  test.each([
    '/dev.sigstore.fulcio.v2.CA/Nothing',
    '/dev.sigstore.fulcio.v1beta.CA/CreateSigningCertificate',
    '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    '/grpc.health.v1.Health/List',
    '/',
  ])('to %s are UNIMPLEMENTED', async (path) => {
    expect((await refusalOf(client.raw(path, new Uint8Array()))).code).toBe(12);
  });
});

test('GetTrustBundle and GetConfiguration say what REST says', async () => {
  const bundle = await send(instance.url, '/api/v2/trustBundle');
  const { chains } = await client.trustBundle();
  expect({ chains: chains.map(({ certificates }) => ({ certificates })) }).toEqual(bundle.json);
  expect(chains[0]?.certificates).toHaveLength(2);

  const mixed = await startInstance({
    issuers: [
      { issuer, type: 'email' },
      { issuer: { url: 'https://oidc.*.example.com/id' }, type: 'kubernetes' },
    ],
  });
  const caller = new GrpcClient(mixed.service.grpcUrl);
  const { issuers } = await caller.configuration();
  const listed = issuers.map(({ issuer: url, $typeName: _, ...rest }) => ({
    [url.case ?? '']: url.value,
    ...rest,
  }));
  expect({ issuers: listed }).toEqual((await send(mixed.url, '/api/v2/configuration')).json);
  expect(listed).toHaveLength(2);
  caller.close();
  await mixed.close();
});

test.each(['', 'dev.sigstore.fulcio.v2.CA', 'anything'])('health of "%s" is SERVING', async (service) => {
  expect((await client.check(service)).status).toBe(Status.SERVING);
});

test.each([
  ['behind a listed proxy', { 'trusted-proxies': ['127.0.0.0/8'] }, '198.51.100.7'],
  ['without one', {}, '127.0.0.1'],
])('who asks is known, over HTTP/2 and HTTP/1.1: %s', async (_, settings, address) => {
  const folder = mkdtempSync(join(tmpdir(), 'mayfly-grpc-audit-'));
  const file = join(folder, 'audit.jsonl');
  const audited = await startInstance({ settings: { ...settings, audit: { file } } });
  const metadata = { 'x-forwarded-for': '198.51.100.7', 'x-request-id': 'one' };
  const caller = new GrpcClient(audited.service.grpcUrl);
  expect((await refusalOf(caller.sign({}, metadata))).code).toBe(3);
  const transport = createConnectTransport({ baseUrl: audited.service.grpcUrl, httpVersion: '1.1' });
  const over = createClient(CA, transport).createSigningCertificate({}, { headers: metadata });
  await expect(over).rejects.toThrow('identity token');
  caller.close();
  await audited.close();
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  const line = expect.objectContaining({ address, request_id: 'one', reason: 'TOKEN_MISSING' });
  expect(lines.map((text): unknown => JSON.parse(text))).toEqual([line, line]);
  rmSync(folder, { recursive: true });
});

describe('over TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mayfly-grpc-tls-'));
  const local = (): string => secured.service.grpcUrl.replace('127.0.0.1', 'localhost'); // grpc-js takes no address
  let identity: TlsIdentity;
  let secured: TestInstance;

  beforeAll(async () => {
    identity = await newTlsIdentity();
    writeFileSync(join(folder, 'cert.pem'), identity.cert);
    writeFileSync(join(folder, 'key.pem'), identity.key, { mode: 0o600 });
    secured = await startInstance({
      issuers: [{ issuer, type: 'email' }],
      settings: {
        'grpc-tls-certificate': join(folder, 'cert.pem'),
        'grpc-tls-key': join(folder, 'key.pem'),
      },
    });
  });

  afterAll(async () => {
    await secured.close();
    rmSync(folder, { recursive: true });
  });

  test('a client that trusts the root gets a certificate', async () => {
    expect(secured.service.grpcUrl).toMatch(/^https:/);
    const caller = new GrpcClient(local(), identity.cert);
    expect(chainIn(await caller.sign(messageOf({ token: await emailToken() })))).toHaveLength(3);
    caller.close();
  });

  test('a client of HTTP/1.1 is served Connect and gRPC-Web', async () => {
    const [baseUrl, nodeOptions] = [local(), { ca: identity.cert }];
    for (const transport of [
      createConnectTransport({ baseUrl, httpVersion: '1.1', nodeOptions }),
      createGrpcWebTransport({ baseUrl, httpVersion: '1.1', nodeOptions }),
    ]) {
      const answer = await createClient(CA, transport).createSigningCertificate(
        messageOf({ token: await emailToken() }),
      );
      expect(chainIn(answer)).toHaveLength(3);
    }
  });

  test('a client that does not trust it is not served', async () => {
    const caller = new GrpcClient(local(), (await newTlsIdentity()).cert);
    expect((await refusalOf(caller.check())).code).toBe(14);
    caller.close();
  });

  test('a client in clear is not served', async () => {
    const session = connectHttp2(secured.service.grpcUrl.replace('https', 'http'));
    const failed = new Promise((resolve) => session.on('error', resolve).on('close', resolve));
    session.request({ ':path': '/grpc.health.v1.Health/Check' }).on('error', () => {});
    await failed;
    expect(session.closed || session.destroyed).toBe(true);
  });

  test.each([
    ['TLSv1.3', true],
    ['TLSv1.2', false],
  ] as const)('%s: %s', async (version, taken) => {
    const { hostname: host, port } = new URL(secured.service.grpcUrl);
    const socket = connectTls({
      host,
      port: Number(port),
      ca: identity.cert,
      ALPNProtocols: ['h2'],
      minVersion: version,
      maxVersion: version,
    });
    const outcome = new Promise((resolve) => {
      socket
        .on('secureConnect', () => resolve(socket.alpnProtocol === 'h2'))
        .on('error', () => resolve(false));
    });
    expect(await outcome).toBe(taken);
    socket.destroy();
  });

  test('a key that does not fit the certificate is told at the start, and nothing stays open', async () => {
    writeFileSync(join(folder, 'other.pem'), (await newTlsIdentity()).key, { mode: 0o600 });
    const settings = {
      'grpc-tls-certificate': join(folder, 'cert.pem'),
      'grpc-tls-key': join(folder, 'other.pem'),
    };
    await expect(startInstance({ settings })).rejects.toThrow(
      /TLS files of gRPC .*other.pem.* cannot be used/,
    );
    const missing = { ...settings, 'grpc-tls-key': join(folder, 'nowhere.pem') };
    await expect(startInstance({ settings: missing })).rejects.toThrow(
      /grpc-tls-key: the file cannot be read.*nowhere.pem/,
    );
  });
});

describe('at the end', () => {
  test('a call that was accepted is finished, idle connections and new ones are not kept', async () => {
    const slow = await startIssuer();
    const release = slow.hold();
    const ending = await startInstance({ issuers: [{ issuer: slow, type: 'email' }] });
    const caller = new GrpcClient(ending.service.grpcUrl);
    const idle = connectHttp2(ending.service.grpcUrl);
    const gone = new Promise((resolve) => idle.on('close', resolve));
    await new Promise((resolve) => idle.on('remoteSettings', resolve));

    const token = await slow.sign({ email: 'late@example.org', email_verified: true });
    const accepted = caller.sign(messageOf({ token }));
    await caller.check(); // on the same connection, so what was sent before it has arrived
    const closed = ending.close();
    await gone;
    const late = new GrpcClient(ending.service.grpcUrl);
    expect((await refusalOf(late.check())).code).toBe(14);
    release();
    expect(chainIn(await accepted)).toHaveLength(3);
    await closed;
    late.close();
    caller.close();
    await slow.close();
  });

  test('health is NOT_SERVING while it waits for load balancers to notice', async () => {
    const ending = await startInstance();
    const caller = new GrpcClient(ending.service.grpcUrl);
    await caller.check();
    const closed = ending.service.close(300);
    expect((await caller.check()).status).toBe(Status.NOT_SERVING);
    await closed;
    caller.close();
  });
});
