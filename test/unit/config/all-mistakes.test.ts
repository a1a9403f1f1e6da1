// All mistakes at once: one that is told hides no other, wherever it stands, and none is told that is not there.

import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { parsePolicyCases } from '../../../src/config/policy-cases.ts';
import { CERTIFICATE, mistakesOf } from './read.ts';

type Fields = Readonly<Record<string, unknown>>;

const places = (text: string): readonly string[] => mistakesOf(text).map((one) => one.split(': ')[0] ?? '');

describe('all mistakes of an issuer at once', () => {
  it('beside no audience, no type or no URL', () => {
    const text = `issuers:
  - issuer-url: https://a.example.com
    audiences: []
    type: emial
    jwks-uri: https://a.example.com/keys
    jwks: { file: private.json }
    policy: { cel: [{ rule: "claims.", message: m }] }
  - audiences: [x]
    type: github
    subject-domain: a.example.com
    policy: { require: { refs: x } }
  - issuer-url: https://c.example.com/%
    ca-cert: nothing
    audiences: [x]
`;
    expect(places(text)).toEqual([
      '3 issuers[0].audiences',
      '4 issuers[0].type',
      '5 issuers[0].jwks-uri',
      '6 issuers[0].jwks.file.keys[0]',
      '7 issuers[0].policy.cel[0].rule',
      '8 issuers[1].issuer-url',
      '10 issuers[1].subject-domain',
      '11 issuers[1].policy.require.refs',
      '12 issuers[2].type',
      '13 issuers[2].ca-cert',
    ]);
  });

  it('in two of the same URL, of which one has no audience of its own', () => {
    const entry = (audiences: string, more = ''): string =>
      `{issuer-url: https://a.example.com, audiences: ${audiences}, type: email${more}}`;
    expect(
      places(`issuers:\n  - ${entry('[]')}\n  - ${entry('[x]')}\n  - ${entry('[x]', ', name: b')}`),
    ).toEqual(['2 issuers[0].audiences', '3 issuers[1].name', '4 issuers[2].issuer-url']);
  });

  it("in Fulcio's form, of YAML and of JSON", () => {
    const yaml = `oidc-issuers:
  https://a.example.com:
    issuer-url: https://b.example.com
    type: emial
    ca-cert: nothing
    skip-email-verification: maybe
meta-issuers:
  https://*.example.com/x:
    client-id: [x]
    type: spiffe
ci-issuer-metadata:
  j:
    extension-templates: { subject: "{{}}", issuer: [a] }
`;
    expect(places(yaml)).toEqual([
      '2 oidc-issuers["https://a.example.com"].client-id',
      '3 oidc-issuers["https://a.example.com"].issuer-url',
      '4 oidc-issuers["https://a.example.com"].type',
      '5 oidc-issuers["https://a.example.com"].ca-cert',
      '6 oidc-issuers["https://a.example.com"].skip-email-verification',
      '8 meta-issuers["https://*.example.com/x"].spiffe-trust-domain',
      '9 meta-issuers["https://*.example.com/x"].client-id',
      '10 meta-issuers["https://*.example.com/x"].type',
      '12 ci-issuer-metadata.j.subject-alternative-name-template',
      '13 ci-issuer-metadata.j.extension-templates.issuer',
      '13 ci-issuer-metadata.j.extension-templates.subject',
    ]);
    const json = JSON.stringify(
      {
        OIDCIssuers: {
          'https://a.example.com': {
            IssuerURL: 'https://b.example.com',
            Type: 'emial',
            CACert: 'nothing',
            SkipEmailVerification: 'maybe',
          },
        },
      },
      undefined,
      1,
    );
    expect(places(json)).toEqual([
      '3 OIDCIssuers["https://a.example.com"].ClientID',
      '4 OIDCIssuers["https://a.example.com"].IssuerURL',
      '5 OIDCIssuers["https://a.example.com"].Type',
      '6 OIDCIssuers["https://a.example.com"].CACert',
      '7 OIDCIssuers["https://a.example.com"].SkipEmailVerification',
    ]);
  });
});

describe('all mistakes of the other settings at once', () => {
  it('in files and between settings, beside one of the wrong form', () => {
    const text = `prot: 1
port: 7000
grpc-port: 7000
metrics-port: many
trusted-proxies: [nowhere, 5]
tls: { certificate: key.pem, key: 5 }
grpc-tls-key: key.pem
pressure: { header-timeout: 90s, queue: 0 }
rate-limits:
  backend: redis
  defaults: { certificates-per-identity: { burst: 1, count: 1, period: 0s } }
  overrides:
    - limit: certificates-per-issuer
      ids: [{ id: "https://a.example.com#x" }]
      burst: none
      count: 1
      period: 1h
ca: { chain: 5, key: ca.key, vault: { url: x } }
witnesses:
  - { name: a, url: https://w.example.com, key: none }
  - { name: a, url: w.example.com, key: none }
log-bearer: { file: short.token }
issuers: [{ issuer-url: https://a.example.com, audiences: [], type: email, ca-cert: ${JSON.stringify(CERTIFICATE)} }]
`;
    expect(places(text)).toEqual([
      '1 prot',
      '1 grpc-tls-certificate',
      '3 grpc-port',
      '4 metrics-port',
      '5 trusted-proxies[1]',
      '5 trusted-proxies[0]',
      '6 tls.key',
      '6 tls.certificate',
      '8 pressure.queue',
      '8 pressure.header-timeout',
      '9 rate-limits.redis-url',
      '11 rate-limits.defaults.certificates-per-identity',
      '14 rate-limits.overrides[0].ids[0].comment',
      '14 rate-limits.overrides[0].ids[0].id',
      '15 rate-limits.overrides[0].burst',
      '18 ca.chain',
      '18 ca.vault.url',
      '18 ca.vault.key',
      '18 ca.vault.token-file',
      '18 ca',
      '20 witnesses[0].key',
      '21 witnesses[1].url',
      '21 witnesses[1].key',
      '21 witnesses[1].name',
      '22 log-bearer.file',
      '23 issuers[0].audiences',
    ]);
  });

  it('and nothing about what the file does not say', () => {
    // Each has one mistake, and what would stand in for it meets rules about several settings.
    for (const [text, place] of [
      ['grpc-port: 5555\nport: none', '2 port'],
      ['pressure: { header-timeout: 20s, request-timeout: soon }', '1 pressure.request-timeout'],
      ['ca: { chain: a.pem, key: 5 }', '1 ca.key'],
      ['grpc-tls-certificate: 5\ngrpc-tls-key: key.pem', '1 grpc-tls-certificate'],
      ['rate-limits: { backend: redis, redis-url: nowhere }', '1 rate-limits.redis-url'],
      ['log: { url: https://a.example, tls: { cert: 5, key: key.pem } }', '1 log.tls.cert'],
      [
        'issuers: [{ issuer-url: https://gitlab.com, audiences: [x], type: gitlab, policy: [] }]',
        '1 issuers[0].policy',
      ],
      [
        'issuers: [{ issuer-url: https://gitlab.com, audiences: [x], type: gitlab, policy: { require: [] } }]',
        '1 issuers[0].policy.require',
      ],
      [
        'issuers: [{ issuer-url: 5, audiences: [x], type: email, allow-private-addresses: true }]',
        '1 issuers[0].issuer-url',
      ],
      ['port: *nowhere', '1 port'],
    ] as const)
      expect([text, places(text)]).toEqual([text, [place]]);
  });

  it('beside keys that stand twice and aliases that lead nowhere', () => {
    expect(places('port: 1\nport: 2\nerrors: loud\ndata: *nowhere\nlog: ftp://x')).toEqual([
      '2 port',
      '3 errors',
      '4 data',
      '5 log',
    ]);
  });
});

it('all mistakes of policy cases at once, and none of them passes', () => {
  const text = 'cases:\n  - name: a\n    issuer: 5\n    claims: {}\n    expect: perhaps\n  - {}\n';
  expect(() => parsePolicyCases(text, 'cases.yaml')).toThrow(
    expect.objectContaining({ mistakes: expect.objectContaining({ length: 6 }) }),
  );
});

/** One way to get an entry wrong, and the path of the mistake below the entry. */
type Wrong = readonly [path: string, change: Fields];

const pathsOf = (text: string): readonly string[] =>
  mistakesOf(text).map((line) => line.replace(/^\d+ (.*?): .*$/, '$1'));

const pairsOf = (wrongs: readonly Wrong[]): [string, Wrong, Wrong][] =>
  wrongs.flatMap((a, i) =>
    wrongs.slice(i + 1).map((b): [string, Wrong, Wrong] => [`${a[0]} and ${b[0]}`, a, b]),
  );

describe('any two mistakes of an issuer in the list', () => {
  const good = { 'issuer-url': 'https://a.example', audiences: ['x'], type: 'gitlab' };
  const wrongs: readonly Wrong[] = [
    ['audiences', { audiences: [] }],
    ['type', { type: undefined }],
    ['ca-cert', { 'ca-cert': 'nope' }],
    ['unknown', { unknown: 1 }],
    ['replay', { replay: 'twice' }],
    ['jwks-uri', { 'jwks-uri': 5 }],
    ['policy.cel[0].rule', { policy: { cel: [{ rule: 'claims.a ==', message: 'm' }] } }],
    ['issuer-url', { 'issuer-url': 'http://a.example' }],
  ];

  it.each(pairsOf(wrongs))('%s', (_, [a, first], [b, second]) => {
    const text = stringify({ issuers: [{ ...good, ...first, ...second }] });
    expect(pathsOf(text).toSorted()).toEqual([`issuers[0].${a}`, `issuers[0].${b}`].toSorted());
  });
});

const URL = 'https://a.example';

describe("any two mistakes of an issuer in Fulcio's form, under its names in JSON", () => {
  const good = { IssuerURL: URL, ClientID: 'x', Type: 'uri', SubjectDomain: 'https://a.example' };
  const wrongs: readonly Wrong[] = [
    ['IssuerURL', { IssuerURL: undefined }],
    ['ClientID', { ClientID: undefined }],
    ['SubjectDomain', { SubjectDomain: 'https://b.example' }],
    ['CACert', { CACert: 'nope' }],
    ['SkipEmailVerification', { SkipEmailVerification: 'perhaps' }],
    ['Unknown', { Unknown: 1 }],
  ];

  it.each(pairsOf(wrongs))('%s', (_, [a, first], [b, second]) => {
    const text = JSON.stringify({ OIDCIssuers: { [URL]: { ...good, ...first, ...second } } });
    const at = (name: string): string => `OIDCIssuers["${URL}"].${name}`;
    expect(pathsOf(text).toSorted()).toEqual([at(a), at(b)].toSorted());
  });

  it('a name of YAML is told once, and not as missing too', () => {
    const { IssuerURL: url, ...others } = good;
    const text = JSON.stringify({ OIDCIssuers: { [URL]: { ...others, 'issuer-url': url } } });
    expect(mistakesOf(text)).toEqual([`1 OIDCIssuers["${URL}"].issuer-url: is spelled IssuerURL in JSON`]);
  });
});

it('all mistakes of the templates of a CI at once', () => {
  const metadata = {
    'extension-templates': { 'build-signer-uri': '{{ .a ', 'build-signer': 'a', 'build-trigger': '{{ a }}' },
    'default-template-values': { url: ['a'] },
  };
  const at = 'ci-issuer-metadata.ci';
  expect(pathsOf(stringify({ 'ci-issuer-metadata': { ci: metadata } })).toSorted()).toEqual([
    `${at}.default-template-values.url`,
    `${at}.extension-templates.build-signer`,
    `${at}.extension-templates.build-signer-uri`,
    `${at}.extension-templates.build-trigger`,
    `${at}.subject-alternative-name-template`,
  ]);
});

describe('any two mistakes of all else', () => {
  const good = { issuers: [] };

  it.each(
    pairsOf([
      ['port', { port: 99_999 }],
      ['log-roots.file', { 'log-roots': { file: 'nope' } }],
      ['trusted-proxies[0]', { 'trusted-proxies': ['10.0.0.0/99'] }],
      ['ca', { ca: { chain: 'a' } }],
      ['issuers[0]', { issuers: [5] }],
      ['client-signing-algorithms[0]', { 'client-signing-algorithms': ['rot13'] }],
    ]),
  )('%s', (_, [a, first], [b, second]) => {
    const text = stringify({ ...good, ...first, ...second });
    expect(pathsOf(text).toSorted()).toEqual([a, b].toSorted());
  });

  it('what follows from a mistake is none', () => {
    expect(pathsOf('port: 99999\nmetrics-port: 5555')).toEqual(['port']);
    expect(pathsOf('grpc-tls-certificate: ca.pem\ngrpc-tls-key: ""')).toEqual(['grpc-tls-key']);
  });
});
