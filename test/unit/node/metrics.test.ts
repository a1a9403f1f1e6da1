// The metrics of a whole instance, and that the dashboard and the alerts in deploy/observability name only such as exist.

import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { send } from '../../fakes/client.ts';
import { GrpcClient } from '../../fakes/grpc-client.ts';
import { startInstance, type TestInstance } from '../../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { request } from '../../fakes/signing-client.ts';
import { startWitness } from '../../fakes/witness.ts';

const stack: (() => unknown)[] = [];
let folder: string;
let people: FakeIssuer;
let gone: FakeIssuer;
let instance: TestInstance;
let text: string;

const scrape = async (): Promise<string> => (await fetch(instance.service.metricsUrl)).text();
/** Of one series, by its name and labels as they are written. */
const sample = (series: string): number => {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  if (line === undefined) throw new Error(`no ${series}`);
  return Number(line.slice(series.length + 1));
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mayfly-metrics-'));
  stack.push(() => rmSync(folder, { recursive: true }));
  people = await startIssuer({ claims: { email: 'ada@example.com', email_verified: true } });
  stack.push(() => people.close());
  gone = await startIssuer();
  await gone.close();
  const witness = await startWitness('witness.example/w1', []);
  stack.push(() => witness.close());
  instance = await startInstance({
    issuers: [
      { issuer: people, type: 'email', name: 'people', replay: 'once' },
      { issuer: gone, type: 'email', name: 'gone' },
    ],
    settings: {
      audit: { file: join(folder, 'audit.jsonl') },
      witnesses: [{ name: 'harbour', url: witness.url, key: witness.vkey }],
      // Nobody listens there: the gauge of a Redis that is lost.
      'rate-limits': { backend: 'redis', 'redis-url': 'redis://127.0.0.1:1' },
    },
  });
  stack.push(() => instance.close());
  const token = await people.sign();
  await instance.issue({ token });
  expect((await request(instance.url, { token })).status).toBe(400); // again
  expect((await request(instance.url, { token: await gone.sign() })).status).toBe(400);
  await send(instance.url, '/', { method: 'PROPFIND' });
  const grpc = new GrpcClient(instance.service.grpcUrl);
  await grpc.check('');
  await grpc.sign({}).catch(() => undefined);
  grpc.close();
  text = await scrape();
});
afterAll(async () => {
  for (const close of stack.splice(0).reverse()) await close();
});

describe('metrics', () => {
  it("have Fulcio's names", () => {
    expect(sample('fulcio_new_certs')).toBe(1);
    expect(sample('http_requests_total{code="200",method="post"}')).toBe(1);
    expect(sample('http_requests_total{code="404",method="other"}')).toBe(1);
    expect(sample('fulcio_api_latency_count{code="200",method="post"}')).toBe(1);
    expect(sample('fulcio_build_info{version="0.1.0"}')).toBe(1);
    const sign = 'grpc_service="dev.sigstore.fulcio.v2.CA",grpc_method="CreateSigningCertificate"';
    const check = 'grpc_service="grpc.health.v1.Health",grpc_method="Check"';
    expect(sample(`grpc_server_started_total{grpc_type="unary",${sign}}`)).toBe(1);
    expect(sample(`grpc_server_handled_total{grpc_type="unary",${sign},grpc_code="InvalidArgument"}`)).toBe(
      1,
    );
    expect(sample(`grpc_server_handled_total{grpc_type="unary",${check},grpc_code="OK"}`)).toBe(1);
    for (const method of [sign, check])
      expect(sample(`grpc_server_handling_seconds_count{grpc_type="unary",${method}}`)).toBe(1);
    expect(sample(`grpc_server_msg_received_total{grpc_type="unary",${sign}}`)).toBe(1);
    expect(sample(`grpc_server_msg_sent_total{grpc_type="unary",${sign}}`)).toBe(0);
    expect(sample(`grpc_server_msg_sent_total{grpc_type="unary",${check}}`)).toBe(1);
  });

  it('tell when the certificates expire', async () => {
    const root = await (await fetch(`${instance.url}/api/v1/rootCert`)).text();
    const [issuing, anchor] = root.split(/(?<=-----END CERTIFICATE-----\n)\n/);
    const seconds = (pem = '') => new X509Certificate(pem).validToDate.getTime() / 1000;
    expect(sample('mayfly_ca_not_after_seconds{ca="issuing"}')).toBe(seconds(issuing));
    expect(sample('mayfly_ca_not_after_seconds{ca="root"}')).toBe(seconds(anchor));
    const chain = await (await fetch(`${instance.url}/api/v1/timestamp/certchain`)).text();
    expect(sample('mayfly_ca_not_after_seconds{ca="timestamp"}')).toBe(seconds(chain));
  });

  it('tell what was decided, by configured issuer and never by whose it was', () => {
    const decided = (labels: string) => sample(`mayfly_issuance_total{${labels}}`);
    expect(decided('issuer="people",type="email",result="issued",reason=""')).toBe(1);
    expect(decided('issuer="people",type="email",result="refused",reason="TOKEN_REPLAYED"')).toBe(1);
    expect(decided('issuer="",type="",result="refused",reason="ISSUER_UNREACHABLE"')).toBe(1);
    expect(sample('mayfly_replay_rejected_total')).toBe(1);
    expect(text).not.toContain('ada@example.com');
    expect(text).not.toContain(new URL(people.url).host);
  });

  it('tell how issuers, keys, log, witnesses and clock fare', () => {
    expect(sample('mayfly_issuer_up{issuer="people"}')).toBe(1);
    expect(sample('mayfly_issuer_up{issuer="gone"}')).toBe(0);
    expect(sample('mayfly_jwks_age_seconds{issuer="people"}')).toBeLessThan(60);
    expect(text).not.toContain('mayfly_jwks_age_seconds{issuer="gone"}');
    expect(sample('mayfly_issuer_key_fetches_total{issuer="people",result="fetched"}')).toBeGreaterThan(0);
    expect(sample('mayfly_issuer_key_fetches_total{issuer="gone",result="failed"}')).toBeGreaterThan(0);
    // Two for the certificate; the start and the health check of gRPC try the key as well.
    expect(sample('mayfly_signatures_total{key="ca",result="signed"}')).toBe(4);
    expect(sample('mayfly_signatures_total{key="ca",result="failed"}')).toBe(0);
    expect(sample('mayfly_signatures_total{key="log",result="signed"}')).toBeGreaterThan(0);
    expect(sample('mayfly_log_up')).toBe(1);
    expect(sample('mayfly_log_durable_entries')).toBe(1);
    expect(sample('mayfly_log_sequencing_duration_seconds_count')).toBe(1);
    expect(sample('mayfly_log_publication_duration_seconds_count')).toBeGreaterThan(0); // the first tree head is one
    expect(sample('mayfly_log_publication_duration_seconds_sum')).toBeGreaterThan(0);
    expect(sample('mayfly_witness_cosigned_timestamp_seconds{witness="harbour"}')).toBe(0);
    expect(sample('mayfly_ratelimit_backend_up')).toBe(0);
    expect(sample('mayfly_audit_up')).toBe(1);
    expect(Math.abs(sample('mayfly_clock_step_seconds'))).toBeLessThan(60);
  });
});

it('wildcard issuers are counted by their entry, and no token makes one look down', async () => {
  const { port } = new URL(people.url);
  const wild = await startInstance({
    issuers: [{ issuer: { url: `http://127.0.0.1:${port}/*` }, type: 'email', name: 'tenants' }],
  });
  stack.push(() => wild.close());
  await request(wild.url, { token: await people.sign({ iss: `http://127.0.0.1:${port}/made-up` }) });
  const metrics = await (await fetch(wild.service.metricsUrl)).text();
  expect(metrics).toContain('mayfly_issuer_key_fetches_total{issuer="tenants",result="failed"} 1');
  expect(metrics).not.toContain('mayfly_issuer_up{');
  expect(metrics).not.toContain('made-up');
});

it('are on the address that metrics-host names, and on no other', async () => {
  const elsewhere = await startInstance({ settings: { 'metrics-host': '::1' } });
  stack.push(() => elsewhere.close());
  const url = new URL(elsewhere.service.metricsUrl);
  expect(url.hostname).toBe('[::1]');
  expect((await fetch(url)).status).toBe(200);
  await expect(fetch(`http://127.0.0.1:${url.port}/metrics`)).rejects.toThrow();
});

it('a key in memory that fails is counted, and one elsewhere is timed', async () => {
  const { Registry } = await import('prom-client');
  const { signerMetrics } = await import('../../../src/node/keys/signer-metrics.ts');
  const registry = new Registry();
  const through = signerMetrics(registry);
  const algorithm = 'ecdsa-p256-sha256' as const;
  const publicKey = new Uint8Array(1);
  const failing = through({ algorithm, publicKey, sign: () => fail() }, 'ca');
  const slow = through({ algorithm, publicKey, sign: async () => new Uint8Array(2) }, 'timestamp');
  const absent = through({ algorithm, publicKey, sign: async () => fail() }, 'timestamp');
  expect(() => failing.sign(publicKey)).toThrow('no key');
  expect(await slow.sign(publicKey)).toEqual(new Uint8Array(2));
  await expect(absent.sign(publicKey)).rejects.toThrow('no key');
  const metrics = await registry.metrics();
  expect(metrics).toContain('mayfly_signatures_total{key="ca",result="failed"} 1');
  expect(metrics).toContain('mayfly_signatures_total{key="timestamp",result="signed"} 1');
  expect(metrics).toContain('mayfly_signatures_total{key="timestamp",result="failed"} 1');
  expect(metrics).toContain('mayfly_signer_seconds_count{key="timestamp"} 2');
  expect(metrics).not.toContain('mayfly_signer_seconds_count{key="ca"}');
});

function fail(): never {
  throw new Error('no key');
}

describe('deploy/observability', () => {
  const file = (name: string): string =>
    readFileSync(new URL(`../../../deploy/observability/${name}`, import.meta.url), 'utf8');
  const alerts: { readonly groups: readonly { readonly rules: readonly Rule[] }[] } = parse(
    file('alerts.yaml'),
  );
  const rules = alerts.groups.flatMap((group) => group.rules);
  const dashboard: Dashboard = JSON.parse(file('dashboard.json'));
  const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

  it('names only metrics that an instance exposes', () => {
    const exposed = new Set(
      [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) =>
        type === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => name + suffix) : [name],
      ),
    );
    const named = [...rules.map(({ expr }) => expr), ...queries].flatMap(metricsIn);
    expect(new Set(named).size).toBeGreaterThan(30);
    expect(named.filter((name) => !exposed.has(name))).toEqual([]);
  });

  it('has each of our metrics in an alert or on the dashboard, or a reason why not', () => {
    const own = [...text.matchAll(/^# TYPE (mayfly_\S+)/gm)].map(([, name = '']) => name);
    const shown = [...rules.map(({ expr }) => expr), ...queries].join('\n');
    expect(own.filter((name) => !shown.includes(name))).toEqual([
      'mayfly_witness_cosigned_size', // the time of the last one says it
      'mayfly_ratelimit_backend_changes_total', // for looking back
      'mayfly_config_last_reload_timestamp_seconds', // for looking back
    ]);
  });

  it('has names as Prometheus would have them: units in full, _total for what only grows', () => {
    const own = [...text.matchAll(/^# TYPE (mayfly_\S+) (\S+)$/gm)];
    expect(own.length).toBeGreaterThan(20);
    for (const [, name = '', type] of own) {
      expect([name, /^[a-z]+(?:_[a-z]+)*$/.test(name)]).toEqual([name, true]);
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
      if (type === 'histogram') expect(name).toMatch(/_seconds$/);
      expect(name).not.toMatch(/_(?:ms|milliseconds|bytes_total_)/);
    }
  });

  it('has for each alert a severity, a summary, and a paragraph in docs/observability.md', () => {
    const docs = readFileSync(new URL('../../../docs/observability.md', import.meta.url), 'utf8');
    for (const { alert, labels, annotations } of rules) {
      expect(['page', 'ticket']).toContain(labels.severity);
      expect(annotations.summary).toMatch(/\.$/);
      expect(docs).toContain(`\`${alert}\``);
    }
  });

  it('has panels that do not overlap, each with an id of its own', () => {
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)} ${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(dashboard.panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true);
  });
});

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}

/** Names of metrics in a PromQL expression: what is neither a label nor a function. */
function metricsIn(expression: string): readonly string[] {
  const bare = expression.replace(/\{[^}]*\}/g, '').replace(/\b(?:by|on|without|ignoring)\s*\([^)]*\)/g, '');
  return bare.match(/\b[a-z]+_[a-z0-9_]+\b(?!\s*\()/g) ?? [];
}
