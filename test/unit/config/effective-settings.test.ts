import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { laidOver } from '../../../src/cli/flags-as-file.ts';
import { loadSettings, type ServeFlags } from '../../../src/cli/options.ts';
import { formatDuration, parseDuration } from '../../../src/config/duration.ts';
import { effectiveSettings, inJson } from '../../../src/config/effective-settings.ts';
import { dataOf } from '../../../src/config/node.ts';
import type { Settings } from '../../../src/config/settings.ts';
import { run } from '../../fakes/process.ts';
import { newTlsIdentity } from '../../fakes/tls.ts';
import { CERTIFICATE, configFile, kinds } from './read.ts';

let folder: string;
const at = (name: string): string => join(folder, name);
function written(name: string, content: string | object): string {
  writeFileSync(at(name), typeof content === 'string' ? content : stringify(content));
  return at(name);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mayfly-shown-'));
  const { cert, key } = await newTlsIdentity();
  written('tls.pem', cert);
  written('tls.key', key);
  written('ca.pem', CERTIFICATE);
  written('bearers', 'first-token-of-a-log\nsecond-token-of-a-log\n');
  written('secret', 'hush-hush-hush-hush\n');
  written('headers', 'X-Api-Key: hush-hush-hush-hush\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What two settings have to share: all of it but the identity of functions. */
function facts(value: unknown): unknown {
  if (typeof value === 'function') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof RegExp || value instanceof URL) return String(value);
  if (value instanceof Map) return [...value].map(facts);
  if (value instanceof Set || Array.isArray(value)) return [...value].map(facts);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, facts(one)]));
}

/** What is shown of a file under flags, loaded again, as YAML and as JSON. */
function again(file: string, flags: ServeFlags = {}): readonly [Settings, readonly [Settings, Settings]] {
  const { settings, root } = loadSettings({ ...flags, config: file }, kinds);
  const shown = effectiveSettings(laidOver(dataOf(root), flags));
  const load = (text: string): Settings => loadSettings({ config: written('shown', text) }, kinds).settings;
  return [settings, [load(stringify(shown)), load(JSON.stringify(inJson(shown)))]];
}

function expectSame(file: string, flags?: ServeFlags): void {
  const [settings, shown] = again(file, flags);
  for (const one of shown) expect(facts(one)).toEqual(facts(settings));
}

const issuer = { 'issuer-url': 'https://login.example.com', audiences: ['sigstore'], type: 'email' };

const files = (): Readonly<Record<string, string | object>> => {
  const tls = { certificate: at('tls.pem'), key: at('tls.key'), 'client-ca': at('tls.pem') };
  return {
    nothing: 'issuers: []',
    'the shipped one': configFile('mayfly.yaml'),
    'public issuers': configFile('issuers.yaml'),
    "Fulcio's": readFileSync(new URL('fulcio.yaml.txt', import.meta.url), 'utf8'),
    TLS: {
      tls,
      'grpc-tls-certificate': tls.certificate,
      'grpc-tls-key': tls.key,
      pressure: { 'header-timeout': '1s500ms', queue: 3 },
    },
    Redis: {
      'rate-limits': {
        backend: 'redis',
        'redis-url': ['rediss://a.example.com:1', 'rediss://b.example.com:1'],
        'redis-cluster': true,
        'redis-password': { file: at('secret') },
        'redis-tls': { ca: CERTIFICATE, cert: { file: at('tls.pem') }, key: { file: at('tls.key') } },
        defaults: { 'failures-per-address': { burst: 1, count: 2, period: '1h30m' } },
        overrides: [
          {
            limit: 'certificates-per-issuer',
            ids: [{ id: 'https://login.example.com', comment: 'ours' }],
            burst: 7,
            count: 8,
            period: '1d',
          },
        ],
      },
    },
    'no limits': { 'rate-limits': 'off' },
    'a log in a bucket': {
      log: {
        s3: {
          bucket: 'logs',
          prefix: 'a/',
          'access-key-id': { file: at('secret') },
          'secret-access-key': { file: at('secret') },
        },
      },
      witnesses: [{ name: 'w', url: 'https://w.example', key: 'w+00000000+AA==' }],
    },
    'logs elsewhere': {
      role: 'ca',
      log: [
        'https://one.example',
        {
          url: 'https://two.example',
          bearer: { file: at('bearers') },
          deadline: '250ms',
          tls: { ca: { file: at('ca.pem') } },
        },
      ],
      'log-bearer': { file: at('bearers') },
    },
    'a log for others': {
      role: 'log',
      'log-roots': { file: at('ca.pem') },
      'log-bearer': { file: at('bearers') },
    },
    workers: { workers: 4, 'drain-delay': '1m30s', 'public-url': 'https://ca.example.com' },
    'PKCS#11': {
      ca: {
        chain: at('ca.pem'),
        pkcs11: { module: '/usr/lib/x.so', token: 't', 'pin-file': at('secret'), 'key-label': 'k' },
      },
    },
    Vault: {
      ca: { chain: at('ca.pem'), vault: { url: 'https://v.example', key: 'k', 'token-file': at('secret') } },
    },
    'an audit, traces and trust': {
      audit: { required: true, claims: ['sub'] },
      tracing: { endpoint: 'http://127.0.0.1:4318', 'sample-ratio': 0.1, headers: { file: at('headers') } },
      explain: { bearer: { file: at('bearers') } },
      'trusted-proxies': ['10.0.0.0/8'],
      'also-trusted': { cas: [{ chain: CERTIFICATE, until: '2026-05-04T03:02:01Z' }] },
    },
    'issuers of both forms, with anchors': [
      'define: &policy { require: { hd: [example.com, 12], email: a@example.com }, mode: audit }',
      'issuers:',
      '  - { issuer-url: https://a.example.com, audiences: [x], type: email, policy: *policy, max-token-age: 5m, replay: once }',
      '  - &b { issuer-url: https://b.example.com, audiences: ["1.10", "yes"], type: email, policy: *policy }',
      '  - { <<: *b, issuer-url: "https://*.c.example.com", name: "on" }',
      'oidc-issuers:',
      '  https://d.example.com: { issuer-url: https://d.example.com, client-id: 1.10, type: email, jwks-uri: https://d.example.com/keys }',
    ].join('\n'),
  };
};

describe('what is shown loads again, as YAML and as JSON, and is the same', () => {
  test.each([
    'nothing',
    'the shipped one',
    'public issuers',
    "Fulcio's",
    'TLS',
    'Redis',
    'no limits',
    'a log in a bucket',
    'logs elsewhere',
    'a log for others',
    'workers',
    'PKCS#11',
    'Vault',
    'an audit, traces and trust',
    'issuers of both forms, with anchors',
  ])('%s', (name) => {
    expectSame(written('given', files()[name] ?? 'not there'));
  });

  test.each<[string, () => ServeFlags]>([
    [
      'ports and hosts',
      () => ({
        host: '::1',
        port: 1,
        grpcPort: 2,
        metricsPort: 3,
        metricsHost: '::1',
        data: 'x',
        workers: 3,
        logLevel: 'warn',
      }),
    ],
    [
      'TLS',
      () => ({
        tlsCertificate: at('tls.pem'),
        tlsKey: at('tls.key'),
        tlsClientCa: at('ca.pem'),
        grpcTlsCertificate: at('tls.pem'),
        grpcTlsKey: at('tls.key'),
      }),
    ],
    ['a log elsewhere', () => ({ role: 'ca', log: 'https://one.example', logBearerFile: at('bearers') })],
    [
      'logs elsewhere',
      () => ({
        log: 'https://one.example,https://two.example',
        logPublicKey: `${at('ca.pem')},${at('log.pub')}`,
      }),
    ],
    ['no log', () => ({ log: '', limits: 'off', keyPassphraseFile: at('secret') })],
    ['a log for others', () => ({ role: 'log', log: 'builtin', logRoots: at('ca.pem') })],
    [
      'a CA',
      () => ({
        caChain: at('ca.pem'),
        caKey: at('tls.key'),
        caKeyPassphraseFile: at('secret'),
        clientSigningAlgorithms: 'ed25519,ecdsa-sha2-256-nistp256',
      }),
    ],
  ])('flags over a file: %s', (_, flags) => {
    const spki = '-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n';
    written('log.pub', spki);
    written('ca.pem', `${CERTIFICATE}${spki}`); // stands for a log's key too
    expectSame(
      written('given', {
        port: 9,
        issuers: [issuer],
        log: 'none',
        tls: { certificate: at('tls.pem'), key: at('tls.key') },
      }),
      flags(),
    );
  });

  test.each(['on', 'off'] as const)('limits %s by a flag, over a Redis that replay rules need', (limits) => {
    for (const file of [files()['Redis'], files()['no limits'], files()['nothing']])
      expectSame(written('given', file ?? 'not there'), { limits });
  });

  test('any lengths of time, numbers and texts', () => {
    const duration = fc.integer({ min: 1, max: 999_999_999 }).map(formatDuration);
    const text = fc
      .string({ minLength: 1, maxLength: 12 })
      .filter((one) => !/^[a-z][a-z0-9+.-]*:\/\/.*@/i.test(one));
    const file = fc.record(
      {
        data: text,
        host: text,
        'drain-delay': fc.oneof(duration, fc.constant(0)),
        workers: fc.integer({ min: 1, max: 64 }),
        errors: fc.constantFrom('helpful', 'terse'),
        pressure: fc.record({ 'idle-timeout': duration, queue: fc.integer({ min: 1, max: 1e9 }) }),
        tracing: fc.record({
          endpoint: fc.constant('https://t.example'),
          'sample-ratio': fc.double({ min: 0, max: 1, noNaN: true }),
        }),
        issuers: fc.tuple(
          fc.record({
            ...Object.fromEntries(Object.entries(issuer).map(([k, v]) => [k, fc.constant(v)])),
            name: text,
            description: fc.string(),
            audiences: fc.array(text, { minLength: 1 }),
          }),
        ),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(file, (one) => expectSame(written('given', JSON.stringify(one)))),
      { numRuns: 100 },
    );
  });
});

test('what stands in for a secret loads too', () => {
  const secret = 'hush-hush-hush-hush';
  const given = written('given', {
    log: { s3: { bucket: 'logs', 'access-key-id': secret } },
    tracing: { endpoint: `https://user:${secret}@t.example` },
    'rate-limits': {
      backend: 'redis',
      'redis-url': `redis://user:${secret}@127.0.0.1:6379`,
      'redis-tls': { key: `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n` },
      'redis-options': { sentinelPassword: secret, sentinels: [{ host: secret }] },
    },
  });
  const [, shown] = again(given);
  for (const one of shown) {
    expect(JSON.stringify(one)).not.toContain(secret);
    expect(one.limits.redis?.urls).toEqual(['redis://(set)@127.0.0.1:6379']);
  }
});

test('the command prints that', async () => {
  const given = written('given', files()['issuers of both forms, with anchors'] ?? '');
  const [yaml, json] = await Promise.all(
    [[], ['--json']].map((args) => run(['config', 'show', '--config', given, '--port', '7', ...args])),
  );
  expect([yaml?.code, json?.code]).toEqual([0, 0]);
  expect(parse(yaml?.stdout ?? '')).toMatchObject({ port: 7, 'drain-delay': '0s' });
  const { settings } = loadSettings({ config: given, port: 7 }, kinds);
  for (const text of [yaml?.stdout ?? '', json?.stdout ?? ''])
    expect(facts(loadSettings({ config: written('shown', text) }, kinds).settings)).toEqual(facts(settings));
});

test('a length of time is written as it is read', () => {
  fc.assert(fc.property(fc.nat(999_999_999_999), (ms) => parseDuration(formatDuration(ms)) === ms));
});
