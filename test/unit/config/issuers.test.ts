import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ConfiguredIssuer } from '../../../src/config/settings.ts';
import { IssuerDirectory } from '../../../src/token/issuer.ts';
import { CERTIFICATE, configFile, mistakesOf, settingsOf, warningsOf } from './read.ts';

const fulcioFile = readFileSync(new URL('fulcio.yaml.txt', import.meta.url), 'utf8');

const fulcio = (fields: string, url = 'https://a.example.com'): string =>
  `oidc-issuers: {"${url}": {issuer-url: "${url}", client-id: x, ${fields}}}`;
const meta = (fields: string, url = 'https://*.a.example.com'): string =>
  `meta-issuers: {"${url}": {client-id: x, ${fields}}}`;
const list = (fields: string, url = 'https://a.example.com'): string =>
  `issuers: [{issuer-url: "${url}", audiences: [x], ${fields}}]`;

function only(text: string): ConfiguredIssuer {
  const [one, ...others] = settingsOf(text).issuers;
  if (one === undefined || others.length > 0) throw new Error('not one issuer');
  return one;
}

describe('a Fulcio file', () => {
  const { issuers } = settingsOf(fulcioFile);

  it('loads with aliases as values and keys, anchors, comments and informational keys', () => {
    expect(issuers.map(({ listing }) => listing.issuerUrl ?? listing.wildcardIssuerUrl)).toEqual([
      'https://accounts.example.com',
      'https://dex.example.com/auth',
      'https://hub.example.com',
      'https://lanes.example.com',
      'https://ids.example.com',
      'https://*.clusters.example.com/*/*',
      'https://*.clusters.example.com/*/*/',
      'https://hub.example.com/*',
    ]);
    expect(warningsOf(fulcioFile)).toEqual([]);
  });

  it('has the listings of the configuration endpoint, in its order of members', () => {
    expect(JSON.stringify(issuers[0]?.listing)).toBe(
      '{"issuerUrl":"https://accounts.example.com","audience":"sigstore","challengeClaim":"email","spiffeTrustDomain":"","issuerType":"email","subjectDomain":"","skipEmailVerification":false}',
    );
    expect(issuers.at(-1)?.listing).toEqual({
      wildcardIssuerUrl: 'https://hub.example.com/*',
      audience: 'sigstore',
      challengeClaim: 'sub',
      spiffeTrustDomain: '',
      issuerType: 'ci-provider',
      subjectDomain: '',
      skipEmailVerification: false,
    });
  });

  it('means the same in JSON with the names of Go', () => {
    const json = JSON.stringify({
      OIDCIssuers: {
        'https://a.example.com': {
          IssuerURL: 'https://a.example.com',
          ClientID: 'x',
          Type: 'uri',
          SubjectDomain: 'https://b.example.com',
          ChallengeClaim: 'own',
        },
      },
      MetaIssuers: {
        'https://*.c.example.com/*': {
          ClientID: 'y',
          Type: 'ci-provider',
          CIProvider: 'j',
          SkipEmailVerification: false,
        },
      },
      CIIssuerMetadata: {
        j: { SubjectAlternativeNameTemplate: '{{ .sub }}', ExtensionTemplates: { BuildSignerURI: 'sub' } },
      },
    });
    expect(settingsOf(json).issuers.map(({ issuer, listing }) => ({ issuer, listing }))).toEqual([
      {
        issuer: {
          name: 'https://a.example.com',
          url: 'https://a.example.com',
          wildcard: false,
          audiences: ['x'],
        },
        listing: {
          issuerUrl: 'https://a.example.com',
          audience: 'x',
          challengeClaim: 'own',
          spiffeTrustDomain: '',
          issuerType: 'uri',
          subjectDomain: 'https://b.example.com',
          skipEmailVerification: false,
        },
      },
      {
        issuer: {
          name: 'https://*.c.example.com/*',
          url: 'https://*.c.example.com/*',
          wildcard: true,
          audiences: ['y'],
        },
        listing: {
          wildcardIssuerUrl: 'https://*.c.example.com/*',
          audience: 'y',
          challengeClaim: 'sub',
          spiffeTrustDomain: '',
          issuerType: 'ci-provider',
          subjectDomain: '',
          skipEmailVerification: false,
        },
      },
    ]);
  });

  it.each([
    ['buildkite-job', 'sub'],
    ['chainguard-identity', 'sub'],
    ['codefresh-workflow', 'sub'],
    ['email', 'email'],
    ['github-workflow', 'sub'],
    ['gitlab-pipeline', 'sub'],
    ['kubernetes', 'sub'],
    ['spiffe, spiffe-trust-domain: a.example.com', 'sub'],
    ['uri, subject-domain: "https://a.example.com"', 'sub'],
    ['username, subject-domain: a.example.com', 'sub'],
  ])('advertises the challenge of type %s: %s', (type, claim) => {
    expect(only(fulcio(`type: ${type}`)).listing.challengeClaim).toBe(claim);
    expect(only(fulcio(`type: ${type}, challenge-claim: mine`)).listing.challengeClaim).toBe('mine');
  });

  it('keeps what Fulcio drops on the way through a pattern', () => {
    const { issuer, listing } = only(
      meta('type: email, challenge-claim: c, max-token-age: 90s, jwks-hosts: [k.example]'),
    );
    expect(listing).toMatchObject({ challengeClaim: 'c' });
    expect(issuer).toMatchObject({ wildcard: true, maxTokenAge: 90, jwksHosts: ['k.example'] });
  });

  // The texts after the path are Fulcio's own where it refuses too (pkg/config/config.go), so that people find them.
  it.each([
    [fulcio('type: email, ca-cert: junk'), 'failed to parse CA certificate for issuer https://a.example.com'],
    [
      meta('type: email, ca-cert: junk'),
      'failed to parse CA certificate for meta issuer https://*.a.example.com',
    ],
    [
      fulcio('type: uri, issuer-claim: $.a, subject-domain: "https://a.example.com"'),
      'only email issuers can use issuer claim mapping',
    ],
    [fulcio('type: spiffe'), 'spiffe issuer must have SPIFFETrustDomain set'],
    [fulcio('type: spiffe, spiffe-trust-domain: Not A Domain'), 'spiffe trust domain is invalid'],
    [fulcio('type: uri'), 'uri issuer must have SubjectDomain set'],
    [fulcio('type: uri, subject-domain: example.com'), 'SubjectDomain for uri must contain scheme'],
    [
      fulcio('type: uri, subject-domain: "http://a.example.com"'),
      'subject (http) and issuer (https) URI schemes do not match',
    ],
    [
      fulcio('type: uri, subject-domain: "https://a.example.org"'),
      'hostname top-level and second-level domains do not match',
    ],
    [fulcio('type: uri, subject-domain: "https://localhost"'), 'URI hostname too short: localhost'],
    [fulcio('type: username'), 'username issuer must have SubjectDomain set'],
    [
      fulcio('type: username, subject-domain: "https://a.example.com"'),
      'SubjectDomain for username should not contain scheme',
    ],
    [meta('type: spiffe, spiffe-trust-domain: a.example.com'), 'SPIFFE meta issuers not supported'],
  ])('%s is refused as by Fulcio: %s', (text, message) => {
    expect(mistakesOf(text).join('\n')).toContain(message);
  });

  it.each([
    [
      'oidc-issuers: {"https://a.example.com": {issuer-url: "https://a.example.com/", client-id: x, type: email}}',
      'issuer-url: must be the same URL as its key, https://a.example.com;',
    ],
    [
      'oidc-issuers: {"https://a.example.com": {client-id: x, type: email}}',
      'issuer-url: is missing; it takes the same URL as its key, https://a.example.com',
    ],
    [
      'oidc-issuers: {"https://a.example.com": {issuer-url: "https://a.example.com", type: email}}',
      'client-id: is missing',
    ],
    [
      'oidc-issuers: {"https://a.example.com": {issuer-url: "https://a.example.com", client-id: "", type: email}}',
      'client-id: is missing',
    ],
    ['oidc-issuers: {"https://a.example.com": }', 'takes a map, not nothing'],
    [
      'oidc-issuers: {"a.example.com": {issuer-url: "a.example.com", client-id: x, type: email}}',
      'takes a URL that begins with https://',
    ],
    [fulcio('type: email', 'https://*.example.com'), 'a * in a URL is read under meta-issuers only'],
    [fulcio('type: emial'), 'unknown type "emial"'],
    [fulcio('type: emial'), 'did you mean "email"?'],
    [fulcio('type: own, challenge-claim: sub'), 'unknown type "own"'],
    [fulcio('type: github'), 'unknown type "github"'],
    [fulcio('type: email, ClientID: y'), 'ClientID: is not a known key; did you mean "client-id"?'],
    [fulcio('type: email, allowed-domains: [a]'), 'allowed-domains: is not a known key'],
    [fulcio('type: email, skip-email-verification: maybe'), 'takes true or false, not text'],
    [fulcio('type: ci-provider'), 'ci-provider: is missing; it takes a key of ci-issuer-metadata'],
    [
      `${fulcio('type: ci-provider, ci-provider: jekins')}\nci-issuer-metadata: {jenkins: {subject-alternative-name-template: sub}}`,
      'ci-provider: names no key of ci-issuer-metadata; did you mean "jenkins"?',
    ],
    ['ci-issuer-metadata: {j: {}}', 'subject-alternative-name-template: is missing'],
    [
      'ci-issuer-metadata: {j: {subject-alternative-name-template: " "}}',
      'SubjectAlternativeNameTemplate should not be empty',
    ],
    [
      'ci-issuer-metadata: {j: {subject-alternative-name-template: "{{ .a "}}',
      '1 ci-issuer-metadata.j.subject-alternative-name-template: ',
    ],
    [
      'ci-issuer-metadata: {j: {subject-alternative-name-template: a, extension-templates: {subject: "{{}}"}}}',
      '1 ci-issuer-metadata.j.extension-templates.subject: ',
    ],
    [
      'meta-issuers: {"https://*.b.example.com/a": {client-id: x, type: email}, "https://a.b.example.com/*": {client-id: x, type: email}}',
      'overlaps with meta-issuers["https://*.b.example.com/a"] on line 1: one issuer can match both',
    ],
  ])('%s is refused beyond Fulcio: %s', (text, message) => {
    expect(mistakesOf(text).join('\n')).toContain(message);
  });

  it.each([
    [fulcio('type: email', 'http://idp.example.com'), 'takes https://'],
    [
      fulcio('type: email', 'https://accounts.google.com'),
      'anybody can have an account at this public issuer',
    ],
    [meta('type: email', 'https://*.com/x'), 'a * in the host needs two fixed labels'],
    [meta('type: email, issuer-url: "https://b.example.com"'), 'is not read here'],
    [fulcio('type: email, ci-provider: x'), 'is read for type ci-provider only'],
    [fulcio('type: email, subject-domain: a.example.com'), 'is not read for type email'],
    // All of Kubernetes' claims are not known, and others that an e-mail provider has neither.
    [
      fulcio('type: email, policy: {require: {emial: a@example.com}}'),
      'policy.require.emial: no token of this type is known to have the claim emial; did you mean "email"?',
    ],
    // Whoever asks whether it is there knows that it may not be; and !has(...) of a mistyped name always holds.
    [
      fulcio('type: github-workflow, policy: {cel: [{rule: "!has(claims.reff)", message: m}]}'),
      'policy.cel[0].rule: no token of this type is known to have the claim reff; did you mean "ref"?',
    ],
    [
      fulcio('type: github-workflow, policy: {require: {cost_centre: core}}'),
      'policy.require.cost_centre: no token of this type is known to have the claim cost_centre',
    ],
  ])('%s loads with a warning: %s', (text, message) => {
    expect(mistakesOf(text)).toEqual([]);
    expect(warningsOf(text).join('\n')).toContain(message);
  });

  it.each([
    fulcio('type: email', 'http://127.0.0.1:9/x'),
    fulcio('type: email, allow-any: true', 'https://gitlab.com'),
    fulcio('type: email, policy: {require: {namespace_id: [1]}}', 'https://gitlab.com'),
    // Families: the members of the first are named by an organization, those of the second by a pipeline's author.
    fulcio(
      'type: github-workflow, policy: {cel: [{rule: "claims.repo_property_team == \'core\'", message: m}]}',
    ),
    fulcio('type: buildkite-job, policy: {require: {"agent_tag:queue": runners}}'),
    fulcio('type: gitlab-pipeline, policy: {require: {job_source: pipeline_execution_policy}}'),
    fulcio('type: github-workflow, policy: {require: {actor_id: 7, head_ref: "", ref_protected: "true"}}'),
    fulcio(
      'type: github-workflow, policy: {cel: [{rule: "has(claims.repo_property_team) && claims.repo_property_team == \'core\'", message: m}]}',
    ),
    meta('type: kubernetes', 'http://127.0.0.1:9/i0/*'),
  ])('%s loads without one', (text) => {
    expect(warningsOf(text)).toEqual([]);
    expect(settingsOf(text).issuers).toHaveLength(1);
  });

  it('may bear our keys, such as more audiences and a policy', () => {
    const text = fulcio(
      'type: github-workflow, audiences: [y], policy: {require: {ref: [refs/heads/*, main], fork: false, id: 7}}, replay: once',
    );
    const { issuer, policy, replay } = only(text);
    expect(issuer.audiences).toEqual(['x', 'y']);
    expect(policy?.mode).toBe('enforce');
    expect(policy?.rules.map((rule) => rule.text)).toEqual([
      'ref: ["refs/heads/*", "main"]',
      'fork: ["false"]',
      'id: ["7"]',
    ]);
    expect(replay).toBe('once');
  });
});

describe('the list form', () => {
  it('takes every setting of an issuer', () => {
    const text = `
issuers:
  - name: ghe
    issuer-url: https://ghe.example.com/_services/token
    audiences: [a, b]
    type: github
    values: { url: https://code.example.com }
    jwks: { file: keys.json }
    max-token-age: 15m
    description: Enterprise
    replay: same-key
`;
    const { issuer, listing, policy, replay } = only(text);
    expect(issuer).toEqual({
      name: 'ghe',
      url: 'https://ghe.example.com/_services/token',
      wildcard: false,
      audiences: ['a', 'b'],
      jwks: { keys: [{ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }] },
      maxTokenAge: 900,
    });
    expect(listing).toMatchObject({ audience: 'a', issuerType: 'github', challengeClaim: 'sub' });
    expect([policy, replay]).toEqual([undefined, 'same-key']);
  });

  it('takes our own CI templates too', () => {
    const text = `${list('type: ci-provider, ci-provider: j')}\nci-issuer-metadata: {j: {subject-alternative-name-template: sub}}`;
    expect(only(text).listing.issuerType).toBe('ci-provider');
  });

  it.each([
    list('type: email, ca-cert: {file: ca.pem}'),
    list(`type: email, ca-cert: ${JSON.stringify(CERTIFICATE)}`),
    fulcio(`type: email, ca-cert: ${JSON.stringify(`# two of them\n${CERTIFICATE}${CERTIFICATE}`)}`),
    `oidc-issuers:\n  https://a.example.com:\n    issuer-url: https://a.example.com\n    client-id: x\n    type: email\n    ca-cert: |\n${CERTIFICATE.replaceAll(/^(?=.)/gm, '      ')}`,
  ])('takes CA certificates: %#', (text) => {
    expect(only(text).issuer.caCert).toContain(CERTIFICATE);
  });

  it.each([
    CERTIFICATE.replaceAll('CERTIFICATE', 'PUBLIC KEY'),
    CERTIFICATE.replace(/\n[A-Za-z0-9]{8}/, '\nAAAAAAAA'),
    CERTIFICATE.replace('-----END', '!\n-----END'),
    `${CERTIFICATE}-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n`,
    '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n',
  ])('takes no CA certificates but whole ones: %#', (pem) => {
    expect(mistakesOf(list(`type: email, ca-cert: ${JSON.stringify(pem)}`))).toEqual([
      '1 issuers[0].ca-cert: failed to parse CA certificate for issuer https://a.example.com: takes one or more certificates in PEM',
    ]);
  });

  it('takes keys as JSON, or where they are', () => {
    expect(
      only(list('type: email, jwks: {keys: [{kty: EC, crv: P-256, x: a, y: b, use: sig}]}')).issuer.jwks,
    ).toEqual({
      keys: [{ kty: 'EC', crv: 'P-256', x: 'a', y: 'b', use: 'sig' }],
    });
    expect(
      only(list('type: email, jwks-uri: "https://k.example/keys", jwks-hosts: [k.example]')).issuer,
    ).toMatchObject({
      jwksUri: 'https://k.example/keys',
      jwksHosts: ['k.example'],
    });
  });

  it('takes several entries for one URL, told apart by audience and name', () => {
    const entry = (name: string, audience: string): string =>
      `{name: ${name}, issuer-url: "https://a.example.com", audiences: [${audience}], type: email}`;
    expect(settingsOf(`issuers: [${entry('a', 'x')}, ${entry('b', 'y')}]`).issuers).toHaveLength(2);
    expect(mistakesOf(`issuers: [${entry('a', 'x')},\n  ${entry('b', 'x')}]`)).toEqual([
      '2 issuers[1].issuer-url: overlaps with issuers[0] on line 1: both have the URL https://a.example.com and the audience x',
    ]);
    expect(mistakesOf(`issuers: [${entry('a', 'x')},\n  ${entry('a', 'y')}]`)).toEqual([
      '2 issuers[1].name: takes a name of its own; a is that of issuers[0] on line 1',
    ]);
  });

  it.each([
    [list('type: email', 'http://idp.example.com'), 'takes https://'],
    [list('type: email', 'https://*.com'), 'a * in the host needs two fixed labels'],
    [list('type: email', 'https://idp.example.com:*'), 'takes a fixed port'],
    [list('type: email', 'https://idp.example.com?x'), 'takes a URL without query'],
    [
      list('type: github', 'https://token.actions.githubusercontent.com'),
      'add policy: { require: { repository_owner_id: [...] } }, or allow-any: true',
    ],
    [
      list('type: kubernetes', 'https://oidc.eks.*.amazonaws.com/id/*'),
      'put your own project, tenant or cluster for the *, or allow-any: true',
    ],
    [
      list('type: github, allow-any: false', 'https://token.actions.githubusercontent.com'),
      'anybody can have an account',
    ],
    [
      list('type: spiffe, spiffe-trust-domain: a.example.com', 'https://*.a.example.com'),
      'SPIFFE meta issuers not supported',
    ],
    [list('type: email, allow-private-addresses: true'), 'is for a URL with a * in its host'],
    [
      list('type: email, allow-private-addresses: true', 'https://a.example.com/*'),
      'is for a URL with a * in its host',
    ],
    [list('type: email, jwks-hosts: ["https://k.example"]'), 'jwks-hosts[0]: takes a host'],
    [list('type: email, subject-domain: a.example.com'), 'is not read for type email'],
    [list('type: email, ci-provider: a'), 'is read for type ci-provider only'],
    [list('type: github, values: {ulr: "https://x"}'), 'values.ulr: '],
    [list('type: email, policy: {}'), 'policy: is empty; it takes require, cel, or both'],
    [list('type: email, policy: {mode: log, require: {a: b}}'), 'policy.mode: takes one of enforce, audit'],
    [list('type: email, policy: {cel: []}'), 'policy.cel: needs at least one rule'],
    [list('type: email, policy: {cel: [{rule: "true"}]}'), 'policy.cel[0].message: is missing'],
    [list('type: email, policy: {cel: [{rule: "1 +", message: m}]}'), 'policy.cel[0].rule: is not CEL: 1:3'],
    [
      list('type: email, policy: {cel: [{rule: "claims.email > 5", message: m}]}'),
      'policy.cel[0].rule: cannot be evaluated: found no matching overload',
    ],
    [
      list('type: email, policy: {cel: [{rule: "email == \'x\'", message: m}]}'),
      'policy.cel[0].rule: knows no email; a claim is written claims.NAME',
    ],
    [
      list(
        "type: github, policy: {cel: [{rule: \"claims.event_name == 'push' || claims.reff == 'x'\", message: m}]}",
      ),
      'policy.cel[0].rule: no token of this type is known to have the claim reff; did you mean "ref"?',
    ],
    [
      list("type: gitlab, policy: {cel: [{rule: \"claims['project_pth'] == 'x'\", message: m}]}"),
      'policy.cel[0].rule: no token of this type is known to have the claim project_pth; did you mean "project_path"? (where tokens do have it, a cel rule may ask has(claims.project_pth) first)',
    ],
    [
      list('type: buildkite, policy: {require: {pipeline_slag: x}}'),
      'policy.require.pipeline_slag: no token of this type is known to have the claim pipeline_slag; did you mean "pipeline_slug"?',
    ],
    [
      list('type: github, policy: {cel: [{rule: "claims.ref == \'x\' && claims.sha", message: m}]}'),
      'policy.cel[0].rule: must be true or false, and is neither, as claims.sha',
    ],
    [
      list(
        'type: kubernetes, policy: {cel: [{rule: "claims[\'kubernetes.io\'].namespace > 5", message: m}]}',
      ),
      'policy.cel[0].rule: cannot be evaluated: found no matching overload',
    ],
    [list('type: email, policy: {require: {}}'), 'policy.require: needs at least one claim'],
    [list('type: email, policy: {require: {a: []}}'), 'policy.require.a: needs at least one value'],
    [
      list('type: email, policy: {require: {a: [1.5]}}'),
      'policy.require.a[0]: takes text, a whole number, true or false',
    ],
    [list('type: email, replay: never'), 'replay: takes one of allow, same-key, once'],
    [list('type: email, max-token-age: 0'), 'max-token-age: takes at least 1s'],
    [list('type: email, jwks: {keys: []}'), 'jwks.keys: needs at least one key'],
    [list('type: email, jwks: {keys: [{kty: oct, k: AA}]}'), 'jwks.keys[0].kty: takes RSA, EC or OKP'],
    [list('type: email, jwks: {file: private.json}'), 'takes the public part of a key only'],
    [list('type: email, jwks: {file: broken.json}'), 'takes a file that holds JSON'],
    [list('type: email, jwks: {file: nope}'), 'the file cannot be read: no such file: nope'],
    [list('type: email, jwks: x'), 'takes { keys: [...] }, or { file: PATH }'],
    [list('type: email, jwks-uri: "ftp://x"'), 'takes a URL that begins with https:// or http://'],
    [list('type: email, client-id: x'), 'client-id: is not a known key'],
  ])('%s is refused: %s', (text, message) => {
    expect(mistakesOf(text).join('\n')).toContain(message);
  });

  it('may open private addresses for a pattern', () => {
    expect(
      only(list('type: email, allow-private-addresses: true', 'https://*.a.example.com')).issuer,
    ).toMatchObject({
      allowPrivateAddresses: true,
    });
  });
});

describe('patterns', () => {
  it('are not more than can be compared with each other', () => {
    const entries = Array.from(
      { length: 101 },
      (_, i) => `  https://h${i}.example.com/*: {client-id: x, type: email}`,
    );
    expect(settingsOf(['meta-issuers:', ...entries.slice(1)].join('\n')).issuers).toHaveLength(100);
    expect(mistakesOf(['meta-issuers:', ...entries].join('\n'))).toEqual([
      '102 meta-issuers["https://h100.example.com/*"]: takes at most 100 URLs with a *',
    ]);
  });
});

describe('the shipped issuers.yaml', () => {
  const { issuers } = settingsOf(configFile('issuers.yaml'));
  const directory = new IssuerDirectory(issuers.map(({ issuer }) => issuer));

  it('loads without a warning', () => {
    expect(warningsOf(configFile('issuers.yaml'))).toEqual([]);
    expect(new Set(issuers.flatMap(({ issuer }) => issuer.audiences))).toEqual(new Set(['sigstore']));
  });

  // fulcio config/identity/config.yaml: each of its issuers, patterns by an example of what they match.
  it.each([
    ['https://accounts.google.com', 'email'],
    ['https://agent.buildkite.com', 'buildkite'],
    ['https://asia-oidc.buddyusercontent.com', 'buddy'],
    ['https://auth.eclipse.org/auth/realms/foundation-service-accounts', 'email'],
    ['https://dev.gitlab.org', 'gitlab'],
    ['https://eu-oidc.buddyusercontent.com', 'buddy'],
    ['https://gitlab.archlinux.org', 'gitlab'],
    ['https://gitlab.com', 'gitlab'],
    ['https://issuer.enforce.dev', 'chainguard-identity'],
    ['https://issuer.hello.coop', 'email'],
    ['https://oauth2.sigstore.dev/auth', 'email'],
    ['https://oidc.buddyusercontent.com', 'buddy'],
    ['https://oidc.circleci.com', 'circleci'],
    ['https://oidc.codefresh.io', 'codefresh'],
    ['https://ops.gitlab.net', 'gitlab'],
    ['https://sigstore.verify.ibm.com/oauth2', 'email'],
    ['https://token.actions.githubusercontent.com', 'github'],
    ['https://www.kaggle.com/api/v1/models/signing', 'email'],
    ['https://westeurope.oic.prod-aks.azure.com/8f1c-0a/77-bd', 'kubernetes'],
    ['https://westeurope.oic.prod-aks.azure.com/8f1c-0a/77-bd/', 'kubernetes'],
    ['https://container.googleapis.com/v1/projects/p-1/locations/europe-west1-b/clusters/c', 'kubernetes'],
    ['https://oidc.circleci.com/org/0f1e-2d', 'circleci'],
    ['https://oidc.eks.us-west-2.amazonaws.com/id/B02C93B6A2D30341AD01E1B6D48164CB', 'kubernetes'],
    ['https://oidc.prod-aks.azure.com/8f1c-0a', 'kubernetes'],
    ['https://oidc.prod-aks.azure.com/8f1c-0a/', 'kubernetes'],
    ['https://oidc.prod-aks.azure.com/8f1c-0a/77-bd', 'kubernetes'],
    ['https://token.actions.githubusercontent.com/octo-enterprise', 'github'],
  ])('trusts %s as %s', (url, type) => {
    const [issuer, ...others] = directory.find(url);
    expect(others).toEqual([]);
    expect(issuers.find((one) => one.issuer === issuer)?.provider.type).toBe(type);
  });

  it('trusts as many as that, and none of the staging ones', () => {
    expect(issuers).toHaveLength(27);
    for (const name of ['dev-oidc', 'psd-oidc', 'stage-oidc']) {
      expect(directory.find(`https://${name}.buddyusercontent.com`)).toEqual([]);
    }
    expect(directory.find('https://oauth2.sigstage.dev/auth')).toEqual([]);
  });

  it('takes the issuer of dex from the provider behind it', () => {
    expect(
      issuers.filter(({ provider }) => provider.issuerPath !== undefined).map(({ issuer }) => issuer.url),
    ).toEqual(['https://oauth2.sigstore.dev/auth']);
  });
});
