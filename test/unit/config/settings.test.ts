import { describe, expect, it } from 'vitest';
import { DEFAULT_RATES } from '../../../src/admission/limit.ts';
import { SettingsError } from '../../../src/config/mistake.ts';
import { settingsSchema } from '../../../src/config/schema.ts';
import { parseSettings } from '../../../src/config/settings.ts';
import { DEFAULT_ALGORITHMS } from '../../../src/key/algorithm.ts';
import { CERTIFICATE, configFile, KEY, kinds, mistakesOf, settingsOf, warningsOf } from './read.ts';

const DEFAULTS = {
  host: '127.0.0.1',
  port: 5555,
  grpcPort: 5554,
  metricsHost: '127.0.0.1',
  metricsPort: 2112,
  logLevel: 'info',
  drainDelayMs: 0,
  workers: 1,
  data: './mayfly-data',
  role: 'all',
  log: { kind: 'builtin' },
  logBearers: [],
  witnesses: [],
  trustedProxies: [],
  forwardedHeader: 'x-forwarded-for',
  explainBearers: [],
  pressure: {
    connections: 10_000,
    queue: 2_000,
    headerTimeoutMs: 10_000,
    requestTimeoutMs: 30_000,
    idleTimeoutMs: 75_000,
  },
  clientSigningAlgorithms: DEFAULT_ALGORITHMS,
  errors: 'helpful',
  limits: {
    enabled: true,
    backend: 'memory',
    onBackendError: 'local',
    defaults: DEFAULT_RATES,
    overrides: [],
  },
  issuers: [],
};

describe('settings', () => {
  it.each(['', '{}', '# nothing\n', 'issuers:\n', 'define: [&a x]\n'])(
    'have defaults, on loopback and without issuers: %j',
    (text) => {
      expect(settingsOf(text)).toEqual(DEFAULTS);
    },
  );

  it('of the shipped mayfly.yaml are the defaults, with every key of them', () => {
    expect(settingsOf(configFile('mayfly.yaml'))).toEqual(DEFAULTS);
    const named = configFile('mayfly.yaml')
      .match(/^(?:# )?(?!yaml-)[a-z-]+:(?= )|^[a-z-]+:$/gm)
      ?.map((key) => key.replace(/[#: ]/g, ''));
    expect(new Set(named)).toEqual(
      new Set(Object.keys(settingsSchema.shape).filter((key) => key !== 'define')),
    );
  });

  it('of the example in mayfly.yaml load when it is uncommented', () => {
    const [, example = ''] = configFile('mayfly.yaml').split('\n# issuers:\n');
    const [list = ''] = example.split('\n\n');
    const text = `issuers:\n${list.replaceAll(/^# ?/gm, '').replaceAll(/^( +)# (?=[a-z-]+: )/gm, '$1')}`;
    const mistakes = mistakesOf(text);
    expect(mistakes.map((line) => line.replace(/^\d+ /, ''))).toEqual([
      'issuers[1].ca-cert.file: the file cannot be read: no such file: internal-ca.pem',
      'issuers[1].jwks.file: the file cannot be read: no such file: gitlab-keys.json',
      'issuers[1].jwks-uri: cannot stand beside jwks: give the keys or where they are',
    ]);
    expect(list).toContain('clusters');
  });

  it('are what the file says', () => {
    const text = `
host: "::"
port: 0
grpc-port: 0
metrics-host: '::1'
grpc-tls-certificate: ca.pem
grpc-tls-key: key.pem
tls: { certificate: ca.pem, key: key.pem, client-ca: ca.pem }
pressure: { connections: 5, queue: 6, header-timeout: 1s, request-timeout: 2s, idle-timeout: 3s }
metrics-port: 9090
log-level: debug
tracing: { endpoint: 'http://127.0.0.1:4318', sample-ratio: 0.5, headers: { file: headers.txt } }
drain-delay: 1m30s
workers: 3
data: /var/lib/mayfly
log: { url: https://log.example/2027, public-key: { file: log.pem } }
ca: { chain: chain.pem, key: key.pem, passphrase-file: secret }
key-passphrase-file: other
client-signing-algorithms: [ed25519, ed25519-ph]
errors: terse
trusted-proxies: [10.0.0.0/8, '2001:db8::1']
forwarded-header: forwarded
audit: { file: audit.jsonl, required: true, claims: [ref] }
explain: { bearer: { file: a.token } }
rate-limits:
  backend: redis
  redis-url: rediss://user:pass@redis.example:6380/1
  redis-cluster: true
  redis-username: mayfly
  redis-password: { file: short.token }
  redis-tls: { ca: { file: ca.pem } }
  redis-options: { family: 6 }
  on-backend-error: closed
  defaults:
    certificates-per-owner: { burst: 1, count: 2, period: 30s }
  overrides:
    - limit: certificates-per-owner
      ids: [{ id: "https://a.example#12", comment: farm }, { id: "https://a.example#13", comment: lab }]
      burst: 3
      count: 4
      period: 1d
`;
    expect(settingsOf(text)).toEqual({
      host: '::',
      port: 0,
      grpcPort: 0,
      metricsHost: '::1',
      grpcTls: { certificate: { file: 'ca.pem', pem: CERTIFICATE }, key: { file: 'key.pem', pem: KEY } },
      tls: {
        certificate: { file: 'ca.pem', pem: CERTIFICATE },
        key: { file: 'key.pem', pem: KEY },
        clientCa: { file: 'ca.pem', pem: CERTIFICATE },
      },
      pressure: {
        connections: 5,
        queue: 6,
        headerTimeoutMs: 1_000,
        requestTimeoutMs: 2_000,
        idleTimeoutMs: 3_000,
      },
      metricsPort: 9090,
      logLevel: 'debug',
      tracing: {
        endpoint: 'http://127.0.0.1:4318',
        sampleRatio: 0.5,
        headers: { Authorization: 'Bearer a b', 'x-scope': 'ca' },
      },
      drainDelayMs: 90_000,
      workers: 3,
      data: '/var/lib/mayfly',
      role: 'all',
      log: {
        kind: 'remote',
        logs: [{ url: 'https://log.example/2027', publicKey: expect.stringContaining('PUBLIC KEY') }],
      },
      logBearers: [],
      witnesses: [],
      ca: { chain: 'chain.pem', key: 'key.pem', passphraseFile: 'secret' },
      keyPassphraseFile: 'other',
      clientSigningAlgorithms: ['ed25519', 'ed25519-ph'],
      errors: 'terse',
      trustedProxies: ['10.0.0.0/8', '2001:db8::1'],
      forwardedHeader: 'forwarded',
      audit: { file: 'audit.jsonl', required: true, claims: ['ref'] },
      explainBearers: ['first-token-of-a-log', 'second-token-of-a-log'],
      limits: {
        enabled: true,
        backend: 'redis',
        redis: {
          urls: ['rediss://user:pass@redis.example:6380/1'],
          cluster: true,
          username: 'mayfly',
          password: 'secret',
          tls: { ca: CERTIFICATE },
          options: { family: 6 },
        },
        onBackendError: 'closed',
        defaults: { ...DEFAULT_RATES, 'certificates-per-owner': { burst: 1, count: 2, periodMs: 30_000 } },
        overrides: [
          {
            limit: 'certificates-per-owner',
            ids: [
              { id: 'https://a.example#12', comment: 'farm' },
              { id: 'https://a.example#13', comment: 'lab' },
            ],
            rate: { burst: 3, count: 4, periodMs: 86_400_000 },
          },
        ],
      },
      issuers: [],
    });
  });

  it.each([
    ['log: none', { kind: 'none' }],
    ['log: ""', { kind: 'none' }],
    ['log: builtin', { kind: 'builtin' }],
    ['log: http://127.0.0.1:6962/test', { kind: 'remote', logs: [{ url: 'http://127.0.0.1:6962/test' }] }],
    [
      'log: {url: "https://l.example", tls: {ca: {file: ca.pem}, cert: {file: ca.pem}, key: {file: key.pem}}}',
      {
        kind: 'remote',
        logs: [{ url: 'https://l.example', tls: { ca: CERTIFICATE, cert: CERTIFICATE, key: KEY } }],
      },
    ],
    ['log: {url: "https://l.example"}', { kind: 'remote', logs: [{ url: 'https://l.example' }] }],
  ])('%s', (text, log) => {
    expect(settingsOf(text).log).toEqual(log);
  });

  it.each(['rate-limits: off', 'rate-limits: "off"', '{"rate-limits": "off"}'])('%s', (text) => {
    expect(settingsOf(text).limits).toMatchObject({ enabled: false, defaults: DEFAULT_RATES });
  });
});

describe('mistakes', () => {
  it.each([
    ['prot: 1', ['1 prot: is not a known key; did you mean "port"?']],
    ['OIDCIssuers: {}', ['1 OIDCIssuers: is not a known key; did you mean "oidc-issuers"?']],
    ['{"oidc-issuers": {}}', ['1 oidc-issuers: is spelled OIDCIssuers in JSON']],
    ['zzz: 1', ['1 zzz: is not a known key']],
    ['- a', ['1 : takes a map of settings']],
    ['text', ['1 : takes a map of settings']],
    ['port: 70000', ['1 port: takes a port, 0 to 65535']],
    ['port: "80"', ['1 port: takes a port, 0 to 65535']],
    ['host:', ['1 host: takes text, not nothing']],
    ['host: ""', ['1 host: must not be empty']],
    ['drain-delay: 30', ['1 drain-delay: takes a number with a unit, such as 90s, 15m, 1h or 1h30m']],
    ['drain-delay: 30 s', ['1 drain-delay: takes a number with a unit, such as 90s, 15m, 1h or 1h30m']],
    ['port: 5554', ['1 grpc-port: takes another port than port']],
    ['grpc-tls-certificate: a.pem', ['1 grpc-tls-key: is missing; grpc-tls-certificate needs it']],
    ['grpc-tls-key: a.pem', ['1 grpc-tls-certificate: is missing; grpc-tls-key needs it']],
    ['grpc-tls-client-ca: a.pem', ['1 grpc-tls-certificate: is missing; grpc-tls-client-ca needs it']],
    ['tls: {certificate: ca.pem}', ['1 tls.key: is missing; it takes text']],
    [
      'tls: {certificate: a.pem, key: ca.pem, client-ca: key.pem}',
      [
        '1 tls.certificate: the file cannot be read: no such file: a.pem',
        '1 tls.key: takes a file with a private key in PEM',
        '1 tls.client-ca: takes a file with one or more certificates in PEM',
      ],
    ],
    ['pressure: {queue: 0}', ['1 pressure.queue: must be at least 1']],
    ['pressure: {idle-timeout: 0s}', ['1 pressure.idle-timeout: must be longer than 0s']],
    ['pressure: {header-timeout: 1m}', ['1 pressure.header-timeout: takes no longer than request-timeout']],
    [
      'log: {url: "http://l.example", tls: {cert: {file: ca.pem}}}',
      ['1 log.tls: needs a URL that begins with https://', '1 log.tls.key: is missing; cert needs it'],
    ],
    [
      'log: {url: "https://l.example", tls: {ca: nonsense, key: {file: key.pem}}}',
      ['1 log.tls.cert: is missing; key needs it', '1 log.tls.ca: takes one or more certificates in PEM'],
    ],
    [
      'log: no',
      [
        '1 log: takes builtin, none, the URL of an RFC 6962 log, { url, public-key, bearer, tls, deadline }, a list of those, or { s3: ... }',
      ],
    ],
    ['log: {url: x}', ['1 log.url: takes a URL that begins with https:// or http://']],
    ['log: {url: "https://l.example", public-key: x}', ['1 log.public-key: takes a PUBLIC KEY in PEM']],
    [
      'log: {url: "https://l.example", public-key: {file: nope}}',
      ['1 log.public-key.file: the file cannot be read: no such file: nope'],
    ],
    [
      'trusted-proxies: [10.0.0.0/33]',
      ['1 trusted-proxies[0]: takes an address or a network, such as 10.0.0.0/8'],
    ],
    ['audit: {fil: x}', ['1 audit.fil: is not a known key; did you mean "file"?']],
    [
      'explain: {bearer: {file: short.token}}',
      ['1 explain.bearer.file: takes a file with a token of at least 16 characters on each line'],
    ],
    ['ca: {chain: x}', ['1 ca: takes one of key, pkcs11 and vault: where the private key is']],
    [
      'ca: {chain: x, key: y, vault: {url: "https://v", key: k, token-file: t}}',
      ['1 ca: takes one of key, pkcs11 and vault: where the private key is'],
    ],
    [
      'ca: {chain: x, passphrase-file: y, pkcs11: {module: m, token: t, pin-file: p, key-label: k}}',
      ['1 ca: takes passphrase-file beside key only'],
    ],
    ['log-level: loud', ['1 log-level: takes one of debug, info, warn, error']],
    [
      'tracing: {endpoint: "127.0.0.1:4318", sample-ratio: 2}',
      [
        '1 tracing.endpoint: takes a URL that begins with https:// or http://',
        '1 tracing.sample-ratio: takes a number from 0 to 1',
      ],
    ],
    [
      'tracing: {endpoint: "http://127.0.0.1:4318", headers: {file: short.token}}',
      ['1 tracing.headers.file: takes a file with a header on each line, such as X-Api-Key: SECRET'],
    ],
    ['errors: quiet', ['1 errors: takes one of helpful, terse']],
    ['client-signing-algorithms: []', ['1 client-signing-algorithms: needs at least one algorithm']],
    ['rate-limits: on', ['1 rate-limits: takes off, or a map with backend, defaults and overrides']],
    [
      'rate-limits: {backend: redis}',
      ['1 rate-limits.redis-url: is missing; it takes a URL that begins with redis:// or rediss://'],
    ],
    [
      'rate-limits: {defaults: {certificates-per-identiy: {}}}',
      [
        '1 rate-limits.defaults.certificates-per-identiy: is not a known key; did you mean "certificates-per-identity"?',
      ],
    ],
    [
      'rate-limits: {defaults: {certificates-per-issuer: {burst: 0, count: 1.5, period: 0s}}}',
      [
        '1 rate-limits.defaults.certificates-per-issuer.burst: must be at least 1',
        '1 rate-limits.defaults.certificates-per-issuer.count: takes a whole number',
      ],
    ],
    [
      'rate-limits: {defaults: {certificates-per-issuer: {burst: 1, count: 1, period: 0s}}}',
      [expect.stringContaining('1 rate-limits.defaults.certificates-per-issuer: period must be at least')],
    ],
    [
      'rate-limits: {overrides: [{limit: certificates-per-owner, ids: [{id: "github:12", comment: x}], burst: 1, count: 1, period: 1h}]}',
      [
        '1 rate-limits.overrides[0].ids[0].id: takes the URL of an issuer, #, and whom of its people it is about',
      ],
    ],
    [
      'rate-limits: {overrides: [{limit: certificates-per-issuer, ids: [{id: "https://a#1"}], burst: 1, count: 1, period: 1h}]}',
      [
        '1 rate-limits.overrides[0].ids[0].comment: is missing; it takes text',
        '1 rate-limits.overrides[0].ids[0].id: takes the URL of an issuer, bare',
      ],
    ],
    [
      'rate-limits: {defaults: {certificates-per-issuer: {burst: 1e300, count: 1, period: 1h}}}',
      [expect.stringMatching(/burst: takes (a whole number|at most)/)],
    ],
    ['issuers: {}', ['1 issuers: takes a list']],
    ['oidc-issuers: []', ['1 oidc-issuers: takes a map']],
    ['ci-issuer-metadata: x', ['1 ci-issuer-metadata: takes a map']],
  ])('%s', (text, expected) => {
    expect(mistakesOf(text)).toEqual(expected);
  });

  it('near a name say which', () => {
    expect(mistakesOf('client-signing-algorithms: [ecdsa-sha2-256-nistp265]').join()).toContain(
      '; did you mean "ecdsa-sha2-256-nistp256"?',
    );
  });

  it('of all parts of a file are told at once', () => {
    const text = `port: x
hots: 127.0.0.1
rate-limits: { backend: disk }
issuers:
  - { issuer-url: "https://a.example", audiences: [], type: email }
  - { issuer-url: "http://b.example", audiences: [x], type: emial }
oidc-issuers:
  https://c.example: { issuer-url: "https://C.example", client-id: x, type: spiffe, spiffe-trust-domain: Not A Domain }
  https://d.example: { issuer-url: "https://d.example", client-id: x, type: ci-provider, ci-provider: jekins }
meta-issuers:
  https://*.e.example/*: { client-id: x, type: spiffe, spiffe-trust-domain: e.example }
ci-issuer-metadata:
  jenkins:
    extension-templates: { build-trigger: "{{}}", build-triger: x }
    subject-alternative-name-template: "{{ .a"
`;
    const mistakes = mistakesOf(text);
    const places = mistakes.map((mistake) => mistake.slice(0, mistake.indexOf(': ')));
    expect(places).toEqual([
      '1 port',
      '2 hots',
      '3 rate-limits.backend',
      '5 issuers[0].audiences',
      '6 issuers[1].issuer-url',
      '6 issuers[1].type',
      '8 oidc-issuers["https://c.example"].issuer-url',
      '8 oidc-issuers["https://c.example"].spiffe-trust-domain',
      '9 oidc-issuers["https://d.example"].ci-provider',
      '11 meta-issuers["https://*.e.example/*"].type',
      '14 ci-issuer-metadata.jenkins.extension-templates.build-triger',
      '14 ci-issuer-metadata.jenkins.extension-templates.build-trigger',
      '15 ci-issuer-metadata.jenkins.subject-alternative-name-template',
    ]);
  });

  it('are not more than anybody reads', () => {
    const text = Array.from({ length: 1000 }, (_, i) => `zzz${i}: 1`).join('\n');
    const mistakes = mistakesOf(text);
    expect(mistakes).toHaveLength(201);
    expect(mistakes.join()).toContain('there are more mistakes than these');
  });

  it('are not made of warnings, however many', () => {
    const entries = Array.from({ length: 300 }, (_, i) => {
      const url = `http://h${i}.example.com`;
      return `  ${url}: {issuer-url: "${url}", client-id: x, type: email}`;
    });
    const text = ['oidc-issuers:', ...entries].join('\n');
    expect(settingsOf(text).issuers).toHaveLength(300);
    expect(warningsOf(text)).toHaveLength(201);
    expect(mistakesOf(`${text}\nprt: 1`)).toEqual(['302 prt: is not a known key; did you mean "port"?']);
  });

  it('of files say so where files are out of reach', () => {
    const text =
      'issuers: [{issuer-url: "https://a.example", audiences: [x], type: email, jwks: {file: keys.json}}]';
    expect(() => parseSettings(text, { fileName: 'my.yaml', kinds })).toThrow(
      new SettingsError(
        [
          {
            path: 'issuers[0].jwks.file',
            line: 1,
            column: 81,
            message: 'the file cannot be read: files are out of reach here',
            severity: 'error',
          },
        ],
        'my.yaml',
      ),
    );
  });

  it('never hold the password of a URL', () => {
    const { message } = catchError('rate-limits: {backend: redis, redis-url: "redis://user:s3cret@ h"}');
    expect(message).not.toContain('s3cret');
  });
});

function catchError(text: string): Error {
  try {
    settingsOf(text);
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('it loaded');
}
