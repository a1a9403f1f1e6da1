// Whatever is sent to the gRPC port: a refusal that blames the client, never an unhandled rejection (which vitest reports), and
// good requests are served all the same.

import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { create, fromJson, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { CreateSigningCertificateRequestSchema } from '../../src/grpc/generated/dev/sigstore/fulcio/v2/ca_pb.ts';
import { GrpcClient, refusalOf } from '../fakes/grpc-client.ts';
import { startInstance, type TestInstance } from '../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import { orderBody } from '../fakes/signing-client.ts';

const runs = (count: number) => ({
  numRuns: process.env['MAYFLY_TESTS_FULL'] === undefined ? count : count * 25,
});

const SIGN = '/dev.sigstore.fulcio.v2.CA/CreateSigningCertificate';
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');

let issuer: FakeIssuer;
let instance: TestInstance;
let client: GrpcClient;

beforeAll(async () => {
  issuer = await startIssuer({ claims: { email: 'someone@example.org', email_verified: true } });
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

/** After all that, a good request is still served. */
afterEach(async () => {
  const body = JSON.parse(JSON.stringify(orderBody({ token: await issuer.sign() })));
  const { certificate } = await client.sign(fromJson(CreateSigningCertificateRequestSchema, body));
  expect(certificate.case).toBe('signedCertificateEmbeddedSct');
});

/** INVALID_ARGUMENT, or INTERNAL for what is no protobuf, as gRPC servers answer. */
test('any message', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (message) => {
      expect([3, 13]).toContain((await refusalOf(client.raw(SIGN, message))).code);
    }),
    runs(100),
  );
});

test('a message with any fields', async () => {
  const text = fc.string({ unit: 'binary', maxLength: 200 });
  const bytes = fc.uint8Array({ maxLength: 300 });
  const fields = fc.record({
    token: text,
    content: text,
    algorithm: fc.constantFrom(0, 1, 2, 3),
    proof: bytes,
    csr: fc.option(bytes),
  });
  await fc.assert(
    fc.asyncProperty(fields, async ({ token, content, algorithm, proof, csr }) => {
      const message: MessageInitShape<typeof CreateSigningCertificateRequestSchema> = {
        credentials: { oidcIdentityToken: token.toWellFormed() },
        key:
          csr === null
            ? {
                case: 'publicKeyRequest',
                value: {
                  publicKey: { algorithm, content: content.toWellFormed() },
                  proofOfPossession: proof,
                },
              }
            : { case: 'certificateSigningRequest', value: csr },
      };
      const sent = toBinary(
        CreateSigningCertificateRequestSchema,
        create(CreateSigningCertificateRequestSchema, message),
      );
      expect(await refusalOf(client.raw(SIGN, sent))).toMatchObject({ code: 3 });
    }),
    runs(100),
  );
});

test('any token in the message or in metadata, before a good key', async () => {
  const token = fc.string({
    unit: fc.constantFrom('.', 'a', 'e', '{', '"', '-', '_', '=', '7'),
    maxLength: 80,
  });
  await fc.assert(
    fc.asyncProperty(token, fc.boolean(), async (text, inMessage) => {
      const { publicKeyRequest } = orderBody({ token: await issuer.sign() }) as { publicKeyRequest: object };
      const body = { publicKeyRequest, ...(inMessage && { credentials: { oidcIdentityToken: text } }) };
      const message = fromJson(CreateSigningCertificateRequestSchema, JSON.parse(JSON.stringify(body)));
      const metadata = inMessage ? {} : { oidcidentitytoken: text };
      expect(await refusalOf(client.sign(message, metadata))).toMatchObject({ code: 3 });
    }),
    runs(50),
  );
});

test('any bytes on a connection, after the preface of HTTP/2 or without it', async () => {
  const { hostname, port } = new URL(instance.service.grpcUrl);
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 4 }),
      async (http2, pieces) => {
        const socket = connect(Number(port), hostname)
          .on('error', () => {})
          .resume();
        if (http2) socket.write(PREFACE);
        for (const piece of pieces) socket.write(piece);
        socket.end();
        await new Promise((resolve) => socket.on('close', resolve));
      },
    ),
    runs(100),
  );
});

test('any envelope, content type and headers over HTTP/2', async () => {
  const session = connectHttp2(instance.service.grpcUrl);
  const headers = fc.record({
    'content-type': fc.constantFrom(
      'application/grpc',
      'application/grpc-web',
      'application/json',
      'application/proto',
      'x',
      '',
    ),
    'grpc-timeout': fc.constantFrom('', '1n', '1H', '-1S', 'x', '99999999999S'),
    'grpc-encoding': fc.constantFrom('identity', 'gzip', 'br', 'x'),
    'content-encoding': fc.constantFrom('identity', 'gzip', 'x'),
    'connect-protocol-version': fc.constantFrom('1', '2', ''),
  });
  await fc.assert(
    fc.asyncProperty(headers, fc.uint8Array({ maxLength: 60 }), async (sent, body) => {
      const stream = session.request({ ':method': 'POST', ':path': SIGN, ...sent });
      const status = new Promise((resolve) => stream.on('response', (answer) => resolve(answer[':status'])));
      stream.resume().end(body);
      expect([200, 400, 415, 429, 501, 504, 500]).toContain(await status);
      await new Promise((resolve) => (stream.closed ? resolve(undefined) : stream.on('close', resolve)));
    }),
    runs(100),
  );
  session.close();
});
