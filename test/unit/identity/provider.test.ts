// What is refused when the configuration is read (spec section 10), and what an accepted provider advertises.

import { describe, expect, test } from 'vitest';
import { kinds, mistakesOf, type Parameters, providerOf } from './kinds.ts';

describe('refused', () => {
  test.each<[Parameters, string[]]>([
    [
      { type: 'spiffe' },
      ['spiffe-trust-domain: spiffe issuer must have SPIFFETrustDomain set, such as example.org'],
    ],
    [
      { type: 'spiffe', spiffeTrustDomain: 'Not A Domain' },
      [
        'spiffe-trust-domain: spiffe trust domain is invalid: takes lower-case letters, digits, dots, hyphens and underscores',
      ],
    ],
    [
      { type: 'uri' },
      ['subject-domain: uri issuer must have SubjectDomain set, such as https://example.org'],
    ],
    [
      { type: 'uri', subjectDomain: 'example.org' },
      ['subject-domain: SubjectDomain for uri must contain scheme, such as https://'],
    ],
    [
      { type: 'uri', subjectDomain: 'https://example.org', issuerUrl: 'idp.example.org' },
      ['issuer-url: issuer for uri must contain scheme, such as https://'],
    ],
    [
      { type: 'uri', subjectDomain: 'http://example.org' },
      ['subject-domain: subject (http) and issuer (https) URI schemes do not match'],
    ],
    [
      { type: 'uri', subjectDomain: 'https://example.com' },
      [
        'subject-domain: hostname top-level and second-level domains do not match: example.com, idp.example.org',
      ],
    ],
    [
      { type: 'uri', subjectDomain: 'https://localhost' },
      ['subject-domain: URI hostname too short: localhost needs at least two labels'],
    ],
    [
      { type: 'uri', subjectDomain: 'https://example.org', issuerUrl: 'https://localhost' },
      ['subject-domain: URI hostname too short: localhost needs at least two labels'],
    ],
    [
      { type: 'uri', subjectDomain: 'https://%zz' },
      ['subject-domain: parse "https://%zz": invalid URL escape "%zz"'],
    ],
    [
      { type: 'username' },
      ['subject-domain: username issuer must have SubjectDomain set, such as example.org'],
    ],
    [
      { type: 'username', subjectDomain: 'https://example.org' },
      ['subject-domain: SubjectDomain for username should not contain scheme; a host only'],
    ],
    [
      { type: 'username', subjectDomain: 'example.com' },
      [
        'subject-domain: hostname top-level and second-level domains do not match: example.com, idp.example.org',
      ],
    ],
    [
      { type: 'username', subjectDomain: 'org', issuerUrl: 'https://org.example' },
      ['subject-domain: URI hostname too short: org needs at least two labels'],
    ],
    [
      { type: 'github-workflow', issuerClaim: '$.x' },
      ['issuer-claim: only email issuers can use issuer claim mapping'],
    ],
    ...[
      'x',
      '$',
      '$.',
      '$..a',
      '$.a[*]',
      '$.a[-1]',
      '$.*',
      "$['a",
      '$.a[1:2]',
      '$.a[?(@.b)]',
      '$[0]',
      '$.a b',
    ].map((issuerClaim): [Parameters, string[]] => [
      { type: 'email', issuerClaim },
      ["issuer-claim: is no plain JSONPath; takes $.a.b, $['a'] or $.a[0]"],
    ]),
  ])('%j', (parameters, mistakes) => {
    expect(mistakesOf(parameters)).toEqual(mistakes);
  });

  test('every mistake at once', () => {
    const parameters: Parameters = {
      type: 'uri',
      issuerClaim: '$.a',
      values: { url: 'https://x' },
      subjectDomain: 'https://example.com',
    };
    expect(mistakesOf(parameters)).toHaveLength(3);
  });

  test.each(['github', 'circleci-job', 'constructor', '__proto__', ''])('unknown type %j', (type) => {
    expect(mistakesOf({ type, challengeClaim: 'sub' })).toEqual([
      `type: unknown type ${JSON.stringify(type)}; takes email, username, uri, chainguard-identity, spiffe, kubernetes, ci-provider, github-workflow, gitlab-pipeline, buildkite-job, codefresh-workflow`,
    ]);
  });

  test('the list form also knows the presets', () => {
    const [message] = mistakesOf({ type: 'gihtub', form: 'list' });
    expect(message).toContain(
      'codefresh-workflow, github, gitlab, gitea, forgejo, buildkite, circleci, codefresh, buddy',
    );
  });
});

describe('accepted', () => {
  test.each<[Parameters]>([
    [{ type: 'uri', subjectDomain: 'https://idp.example.org' }],
    [{ type: 'uri', subjectDomain: 'https://example.org' }],
    [{ type: 'uri', subjectDomain: 'https://users.example.org:8443/x' }],
    [{ type: 'uri', subjectDomain: 'http://localhost', issuerUrl: 'http://localhost:8080/i' }],
    [{ type: 'uri', subjectDomain: 'http://127.0.0.1', issuerUrl: 'http://127.0.0.1:8080/i' }],
    [{ type: 'username', subjectDomain: 'example.org' }],
    [{ type: 'username', subjectDomain: 'localhost', issuerUrl: 'http://localhost:8080/i' }],
    // The host of a pattern cannot be compared.
    [{ type: 'uri', subjectDomain: 'https://example.com', issuerUrl: 'https://*.example.org' }],
    [{ type: 'username', subjectDomain: 'example.com', issuerUrl: 'https://*.example.org/x' }],
    [{ type: 'spiffe', spiffeTrustDomain: 'mesh_1.example-x.org' }],
    [{ type: 'spiffe', spiffeTrustDomain: 'spiffe://mesh.example.org/x' }],
    [{ type: 'email', issuerClaim: '$.federated_claims.connector_id' }],
    [{ type: 'email', issuerClaim: '' }],
  ])('%j', (parameters) => {
    expect(mistakesOf(parameters)).toEqual([]);
  });

  test.each([...kinds].filter(([, { preset }]) => !preset).map(([name]) => [name]))(
    '%s advertises its challenge claim unless told another',
    (type) => {
      const metadata = { defaults: {}, extensions: {}, san: 'https://x/{{ .sub }}' };
      const more = { metadata, subjectDomain: type === 'uri' ? 'https://example.org' : 'example.org' };
      const parameters = { type, spiffeTrustDomain: 'example.org', ...more };
      expect(providerOf(parameters).challengeClaim).toBe(type === 'email' ? 'email' : 'sub');
      expect(providerOf({ ...parameters, challengeClaim: '' }).challengeClaim).toBe(
        type === 'email' ? 'email' : 'sub',
      );
      expect(providerOf({ ...parameters, challengeClaim: 'x' }).challengeClaim).toBe('x');
    },
  );

  test('settings that the kind does not read are advertised all the same, as Fulcio does', () => {
    const provider = providerOf({
      type: 'kubernetes',
      subjectDomain: 'a',
      spiffeTrustDomain: 'b',
      skipEmailVerification: true,
    });
    expect(provider).toMatchObject({
      type: 'kubernetes',
      subjectDomain: 'a',
      spiffeTrustDomain: 'b',
      skipEmailVerification: true,
    });
  });
});
