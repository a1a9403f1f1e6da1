// Request ids: every answer carries one, and log lines and audit lines repeat it.

import { Writable } from 'node:stream';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CA } from '../../../src/grpc/generated/dev/sigstore/fulcio/v2/ca_pb.ts';
import { send } from '../../fakes/client.ts';
import { startInstance, type TestInstance } from '../../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { request } from '../../fakes/signing-client.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

const lines: Record<string, unknown>[] = [];
const logger = pino(
  { level: 'debug', base: null },
  new Writable({
    write(chunk: Buffer, _, done) {
      for (const line of chunk.toString().trim().split('\n')) lines.push(JSON.parse(line));
      done();
    },
  }),
);
let issuer: FakeIssuer;
let instance: TestInstance;
beforeAll(async () => {
  issuer = await startIssuer({ claims: { email: 'ada@example.com', email_verified: true } });
  instance = await startInstance({ issuers: [{ issuer, type: 'email' }], logger });
});
afterAll(async () => {
  await instance.close();
  await issuer.close();
});

const linesOf = (id: unknown) => lines.filter((line) => line['request_id'] === id);

it('one that the client brought comes back, with the certificate and with a refusal', async () => {
  const headers = { 'x-request-id': 'client-1' };
  const issued = await instance.issue({ token: await issuer.sign(), headers });
  expect(issued.answer.headers['x-request-id']).toBe('client-1');
  const refused = await request(instance.url, { token: 'x', headers });
  expect(refused.status).toBe(400);
  expect(refused.headers['x-request-id']).toBe('client-1');
});

it.each(['/api/v2/trustBundle', '/log/checkpoint', '/nowhere', '/readyz'])(
  'one is made where the client brought none, or no id: %s',
  async (path) => {
    const ids = new Set<unknown>();
    for (const headers of [{}, { 'x-request-id': 'a b' }, { 'x-request-id': 'x'.repeat(129) }]) {
      const answer = await send(instance.url, path, { headers });
      expect(answer.headers['x-request-id']).toMatch(UUID);
      ids.add(answer.headers['x-request-id']);
    }
    expect(ids.size).toBe(3);
  },
);

it('at level debug each request is a line with its id and its trace, and the pattern of its route', async () => {
  const headers = { 'x-request-id': 'debug-1', traceparent: TRACEPARENT };
  await send(instance.url, '/log/tile/0/000.p/77?token=sesame', { headers });
  await send(instance.url, '/sesame', { headers });
  expect(linesOf('debug-1')).toMatchObject([
    {
      level: 20,
      trace_id: '0af7651916cd43dd8448eb211c80319c',
      address: '127.0.0.1',
      method: 'get',
      route: '/log/*',
      status: 404,
      ms: expect.any(Number),
      msg: 'answered',
    },
    { route: '', status: 404 },
  ]);
  expect(JSON.stringify(lines)).not.toContain('sesame');
});

it.each(['gRPC', 'Connect'])('%s answers with it as well', async (protocol) => {
  const options = { baseUrl: instance.service.grpcUrl, httpVersion: '2' } as const;
  const transport = protocol === 'gRPC' ? createGrpcTransport(options) : createConnectTransport(options);
  const client = createClient(CA, transport);
  const id = `${protocol}-1`;
  let header: Headers | undefined;
  const onHeader = (headers: Headers): void => {
    header = headers;
  };
  await client.getTrustBundle({}, { headers: { 'x-request-id': id }, onHeader });
  expect(header?.get('x-request-id')).toBe(id);
  const refusal = await client
    .createSigningCertificate({}, { headers: { 'x-request-id': id } })
    .catch((error: { metadata: Headers }) => error.metadata);
  expect(refusal).toBeInstanceOf(Headers);
  expect(refusal instanceof Headers && refusal.get('x-request-id')).toBe(id);
  expect(linesOf(id)).toMatchObject([
    { call: 'dev.sigstore.fulcio.v2.CA/GetTrustBundle', code: 'OK' },
    { call: 'dev.sigstore.fulcio.v2.CA/CreateSigningCertificate', code: 'InvalidArgument' },
  ]);
});
