// Tracing of a whole instance, as a collector that speaks OTLP over HTTP receives it.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CA } from '../../../src/grpc/generated/dev/sigstore/fulcio/v2/ca_pb.ts';
import { send } from '../../fakes/client.ts';
import { type InstanceOptions, startInstance } from '../../fakes/instance.ts';
import { startIssuer } from '../../fakes/issuer.ts';
import { type Collector, type ReceivedSpan, startCollector } from '../../fakes/otlp.ts';
import { request } from '../../fakes/signing-client.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const SAMPLED = { traceparent: `00-${TRACE}-${PARENT}-01` };

const stack: (() => unknown)[] = [];
let collector: Collector;
beforeEach(async () => {
  collector = await startCollector();
  stack.push(() => collector.close());
});
afterEach(async () => {
  for (const close of stack.splice(0).reverse()) await close();
  vi.unstubAllEnvs();
});

async function world(tracing: object | undefined, rest: InstanceOptions = {}) {
  const issuer = await startIssuer({ claims: { email: 'ada@example.com', email_verified: true } });
  stack.push(() => issuer.close());
  const instance = await startInstance({
    ...rest,
    issuers: [{ issuer, type: 'email', name: 'people' }],
    settings: { ...(tracing && { tracing }), ...rest.settings },
  });
  let closed: Promise<void> | undefined;
  const close = () => (closed ??= instance.close()); // sends the spans that wait
  stack.push(close);
  return { issuer, instance, close };
}

const named = (name: string): ReceivedSpan[] => collector.spans.filter((span) => span.name === name);
const only = (name: string): ReceivedSpan => {
  const [span, ...others] = named(name);
  if (span === undefined || others.length > 0) throw new Error(`${named(name).length} spans ${name}`);
  return span;
};

describe('spans', () => {
  it('tell the steps of an issuance, below the span of the request, in the trace that the client began', async () => {
    const { issuer, instance, close } = await world({ endpoint: collector.url });
    const headers = { ...SAMPLED, 'x-request-id': 'req-9' };
    await instance.issue({ token: await issuer.sign(), headers });
    await close();
    const root = only('POST /api/v2/signingCert');
    expect(root).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, kind: 2, status: { code: 0 } });
    expect(root.attributes).toEqual({
      'http.request.method': 'POST',
      'http.route': '/api/v2/signingCert',
      'http.response.status_code': expect.anything(),
      'mayfly.request_id': 'req-9',
    });
    expect(Number(root.attributes['http.response.status_code'])).toBe(200);
    const steps = collector.spans
      .filter(({ parentSpanId }) => parentSpanId === root.spanId)
      .toSorted((a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano)));
    expect(steps.map(({ name }) => name)).toEqual([
      ...['oidc.verify', 'policy', 'bind', 'ratelimit', 'sign', 'log.append', 'sign'],
    ]);
    expect(collector.spans).toHaveLength(8);
    for (const { traceId, startTimeUnixNano, endTimeUnixNano, attributes } of steps) {
      expect(traceId).toBe(TRACE);
      expect(BigInt(endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(startTimeUnixNano));
      expect(attributes).toEqual({});
    }
    expect(collector.resource).toMatchObject({ 'service.name': 'mayfly', 'service.version': '0.1.0' });
  });

  it('tell at which step a request was refused and for which reason, and nothing that the client said', async () => {
    const { issuer, instance, close } = await world({ endpoint: collector.url });
    const token = await issuer.sign({ email: 'mallory@example.com' });
    const refused = await request(instance.url, { token, challenge: 'something-else', headers: SAMPLED });
    const unknown = await request(instance.url, { token: 'sesame', headers: SAMPLED });
    await send(instance.url, '/secret-path?token=sesame', { headers: SAMPLED, method: 'PROPFIND' });
    expect([refused.status, unknown.status]).toEqual([400, 400]);
    await close();
    expect(only('bind')).toMatchObject({
      status: { code: 2 },
      attributes: { 'error.type': 'POSSESSION_UNPROVEN' },
    });
    expect(named('oidc.verify').map(({ attributes }) => attributes['error.type'])).toEqual([
      undefined,
      'TOKEN_MALFORMED',
    ]);
    expect(only('_OTHER').attributes).not.toHaveProperty('http.route');
    // A client's fault is no failure of the server (OpenTelemetry's conventions for HTTP).
    for (const { status } of named('POST /api/v2/signingCert')) expect(status.code ?? 0).toBe(0);
    const text = collector.bodies.join('');
    for (const secret of [token, ...token.split('.'), 'mallory', 'sesame', 'secret-path', 'something-else'])
      expect(text).not.toContain(secret);
  });

  it('of gRPC calls hang below the span of the call', async () => {
    const { issuer, instance, close } = await world({ endpoint: collector.url });
    const client = createClient(
      CA,
      createConnectTransport({ baseUrl: instance.service.grpcUrl, httpVersion: '1.1' }),
    );
    const headers = { ...SAMPLED, 'x-request-id': 'req-10' };
    await expect(
      client.createSigningCertificate(
        { credentials: { oidcIdentityToken: await issuer.sign() } },
        { headers },
      ),
    ).rejects.toThrow();
    await close();
    const call = only('dev.sigstore.fulcio.v2.CA/CreateSigningCertificate');
    expect(call).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, kind: 2 });
    expect(call.attributes).toMatchObject({
      'rpc.system.name': 'grpc',
      'rpc.response.status_code': 'InvalidArgument',
      'mayfly.request_id': 'req-10',
    });
    expect(only('bind').parentSpanId).toBe(call.spanId);
  });

  it('are not made for a trace whose beginner keeps none, nor for probes, whose ids still count', async () => {
    const { issuer, instance, close } = await world({ endpoint: collector.url });
    const headers = { traceparent: `00-${TRACE}-${PARENT}-00` };
    await instance.issue({ token: await issuer.sign(), headers });
    await send(instance.url, '/readyz');
    await close();
    expect(collector.spans).toEqual([]);
  });

  it('are made for the share of requests that was asked for', async () => {
    const { instance, close } = await world({ endpoint: collector.url, 'sample-ratio': 0 });
    await send(instance.url, '/api/v2/trustBundle');
    await send(instance.url, '/api/v2/trustBundle', { headers: SAMPLED });
    await close();
    expect(collector.spans.map(({ traceId }) => traceId)).toEqual([TRACE]);
  });
});

describe('the collector', () => {
  it('gets the headers of the file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mayfly-tracing-'));
    stack.push(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'headers.txt');
    writeFileSync(file, 'Authorization: Bearer open sesame\n');
    const { instance, close } = await world({ endpoint: `${collector.url}/`, headers: { file } });
    await send(instance.url, '/api/v2/trustBundle');
    await close();
    expect(collector.headers[0]).toMatchObject({ authorization: 'Bearer open sesame' });
    expect(collector.spans).toHaveLength(1);
  });

  it('may be named by the variable that OpenTelemetry has for it, and is left alone otherwise', async () => {
    const silent = await world(undefined);
    await send(silent.instance.url, '/api/v2/trustBundle');
    await silent.close();
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', collector.url);
    vi.stubEnv('OTEL_SERVICE_NAME', 'ca-of-ours');
    const { instance, close } = await world(undefined);
    await send(instance.url, '/api/v2/configuration');
    await close();
    expect(collector.spans.map(({ name }) => name)).toEqual(['GET /api/v2/configuration']);
    expect(collector.resource).toMatchObject({ 'service.name': 'ca-of-ours' });
  });

  it.each(['refuses connections', 'refuses spans', 'never answers'] as const)(
    'that %s harms nobody: certificates are issued, and the instance stops',
    async (fault) => {
      if (fault === 'refuses connections') await collector.close();
      else collector.behave(fault === 'refuses spans' ? { status: 500 } : 'hang');
      const { issuer, instance, close } = await world(
        { endpoint: collector.url },
        { settings: { 'rate-limits': 'off' } },
      );
      const token = await issuer.sign();
      const issued = await Promise.all(Array.from({ length: 600 }, () => request(instance.url, { token })));
      expect(new Set(issued.map(({ status }) => status))).toEqual(new Set([200]));
      await close();
    },
  );
});
