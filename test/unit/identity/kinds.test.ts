// Every kind of spec section 11: what it accepts, what it makes of it, and what each missing claim is refused with.

import { describe, expect, test } from 'vitest';
import type { Problem } from '../../../src/problem.ts';
import {
  buildkite,
  type ClaimObject,
  codefresh,
  extensionsOf,
  facts,
  github,
  gitlab,
  ISSUER,
  kinds,
  type Parameters,
  refusal,
} from './kinds.ts';

const TOKEN = 'There was an error processing the identity token';

function without(claims: ClaimObject, name: string): ClaimObject {
  return Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name));
}

function told(problem: Problem): { code: string; field: string | undefined; message: string } {
  return { code: problem.code, field: problem.field, message: problem.message };
}

describe('email', () => {
  const email: Parameters = { type: 'email' };
  const claims = { sub: 'u1', email: 'Dana+x@Example.ORG', email_verified: true };

  test('the address is the name and the challenge, as it was given', () => {
    expect(facts(email, claims)).toEqual({
      issuer: ISSUER,
      subject: 'u1',
      san: { kind: 'email', value: 'Dana+x@Example.ORG' },
      challenge: 'Dana+x@Example.ORG',
      attributes: [
        { extension: 1, value: ISSUER },
        { extension: 8, value: ISSUER },
        { extension: 24, value: 'u1' },
      ],
      quota: { issuer: ISSUER, identity: 'Dana+x@Example.ORG' },
    });
  });

  test.each([[undefined], [null], ['']])('a sub of %j leaves extension .24 out', (sub) => {
    expect(facts(email, { ...claims, sub }).attributes.map(({ extension }) => extension)).toEqual([1, 8]);
  });

  test.each([[true], ['true'], ['True']])('email_verified %j is verified', (email_verified) => {
    expect(facts(email, { ...claims, email_verified }).san.kind).toBe('email');
  });

  test.each([
    [false, 'email_unverified'],
    ['false', 'email_unverified'],
    ['False', 'email_unverified'],
    [undefined, 'email_unverified'],
    ['TRUE', 'claim_invalid'],
    ['maybe', 'claim_invalid'],
    [1, 'claim_invalid'],
    [null, 'claim_invalid'],
    [[true], 'claim_invalid'],
  ])('email_verified %j is refused as %s', (email_verified, code) => {
    expect(told(refusal(email, { ...claims, email_verified }))).toEqual({
      code,
      field: 'email_verified',
      message: TOKEN,
    });
  });

  test('skip-email-verification accepts false and absent, not garbage', () => {
    const skipping: Parameters = { type: 'email', skipEmailVerification: true };
    expect(facts(skipping, without(claims, 'email_verified')).san.value).toBe('Dana+x@Example.ORG');
    expect(facts(skipping, { ...claims, email_verified: false }).san.value).toBe('Dana+x@Example.ORG');
    expect(refusal(skipping, { ...claims, email_verified: 'maybe' }).code).toBe('claim_invalid');
    expect(refusal(skipping, { ...claims, email_verified: null }).code).toBe('claim_invalid');
  });

  test.each([
    [undefined, 'claim_missing'],
    [null, 'claim_missing'],
    ['', 'claim_missing'],
    [7, 'claim_invalid'],
    ['dana@localhost', 'claim_invalid'],
    ['dana', 'claim_invalid'],
    ['"da na"@example.org', 'claim_invalid'],
    ['dana@example.org\n', 'claim_invalid'],
    ['da\u0000na@example.org', 'claim_invalid'],
    ['da\ud800na@example.org', 'claim_invalid'],
  ])('email %j is refused as %s', (address, code) => {
    expect(told(refusal(email, { ...claims, email: address }))).toEqual({
      code,
      field: 'email',
      message: TOKEN,
    });
  });

  test('an address beyond ASCII is proven but cannot be written', () => {
    const problem = refusal(email, { ...claims, email: 'ü@example.com' });
    expect(problem.code).toBe('identity_unencodable');
    expect(problem.message).toBe('x509: "ü@example.com" cannot be encoded as an IA5String');
  });

  describe('issuer-claim', () => {
    const federated: Parameters = { type: 'email', issuerClaim: '$.up.stream' };

    test.each([
      ['https://idp.partner.example', 'https://idp.partner.example'],
      [42, '42'],
      [true, 'true'],
    ])('%j becomes the issuer in the certificate, not in the quota', (stream, issuer) => {
      const { attributes, quota, issuer: written } = facts(federated, { ...claims, up: { stream } });
      expect(written).toBe(issuer);
      expect(attributes.slice(0, 2).map(({ value }) => value)).toEqual([issuer, issuer]);
      expect(quota.issuer).toBe(ISSUER);
    });

    test.each([
      [{}, 'claim_missing'],
      [undefined, 'claim_missing'],
      ['text', 'claim_missing'],
      [{ stream: null }, 'claim_invalid'],
      [{ stream: ['a'] }, 'claim_invalid'],
      [{ stream: {} }, 'claim_invalid'],
    ])('%j is refused as %s', (up, code) => {
      expect(told(refusal(federated, { ...claims, up }))).toEqual({
        code,
        field: 'up.stream',
        message: TOKEN,
      });
    });

    test('an empty issuer cannot be written', () => {
      const problem = refusal(federated, { ...claims, up: { stream: '' } });
      expect(problem.code).toBe('identity_unencodable');
      expect(problem.message).toBe('extensions must have a non-empty issuer url');
    });

    test.each([
      ["$['https://a.b/c'].d", { 'https://a.b/c': { d: 'x' } }],
      ['$["up"]["stream"]', { up: { stream: 'x' } }],
      ['$.groups[1]', { groups: ['y', 'x'] }],
      ['$.a[0].b-c', { a: [{ 'b-c': 'x' }] }],
    ])('%s', (issuerClaim, more) => {
      expect(facts({ type: 'email', issuerClaim }, { ...claims, ...more }).issuer).toBe('x');
    });

    test.each([['$.constructor'], ['$.__proto__'], ['$.up.constructor'], ['$.list.length'], ['$.list[2]']])(
      '%s is no claim',
      (issuerClaim) => {
        const more = { up: {}, list: ['a'] };
        expect(refusal({ type: 'email', issuerClaim }, { ...claims, ...more }).code).toBe('claim_missing');
      },
    );
  });
});

describe('spiffe', () => {
  const spiffe: Parameters = { type: 'spiffe', spiffeTrustDomain: 'mesh.example.org' };

  test.each([
    ['spiffe://mesh.example.org/ns/build/sa/signer'],
    ['spiffe://mesh.example.org'],
    ['spiffe://mesh.example.org/A_b-c.d'],
  ])('%s', (sub) => {
    const { san, challenge, subject } = facts(spiffe, { sub });
    expect(san).toEqual({ kind: 'uri', value: sub });
    expect([challenge, subject]).toEqual([sub, sub]);
  });

  test.each([
    ['spiffe://a.mesh.example.org/x'],
    ['spiffe://mesh.example.org/'],
    ['spiffe://mesh.example.org/a/'],
    ['spiffe://mesh.example.org//a'],
    ['spiffe://mesh.example.org/../a'],
    ['spiffe://mesh.example.org/a%20b'],
    ['SPIFFE://mesh.example.org/a'],
    ['spiffe://Mesh.example.org/a'],
    ['https://mesh.example.org/a'],
    [7],
  ])('%j is refused', (sub) => {
    expect(told(refusal(spiffe, { sub }))).toEqual({ code: 'claim_invalid', field: 'sub', message: TOKEN });
  });

  test('the trust domain may be given as an ID', () => {
    const given: Parameters = { type: 'spiffe', spiffeTrustDomain: 'spiffe://mesh.example.org/any' };
    expect(facts(given, { sub: 'spiffe://mesh.example.org/x' }).san.value).toBe(
      'spiffe://mesh.example.org/x',
    );
  });

  test('no sub', () => {
    expect(refusal(spiffe, {}).code).toBe('claim_missing');
  });
});

describe('uri', () => {
  const uri: Parameters = { type: 'uri', subjectDomain: 'https://people.example.org' };

  test.each([
    ['https://people.example.org/7', 'https://people.example.org/7'],
    ['https://people.example.org:8443/7', 'https://people.example.org:8443/7'],
    ['https://u:p@people.example.org/a?b=c#d', 'https://u:p@people.example.org/a?b=c#d'],
    ['https://people.example.org/a b/ü', 'https://people.example.org/a%20b/%C3%BC'],
    ['HTTPS://people.example.org/', 'https://people.example.org/'],
  ])('%s', (sub, san) => {
    expect(facts(uri, { sub })).toMatchObject({ san: { kind: 'uri', value: san }, challenge: sub });
  });

  test.each([
    ['http://people.example.org/7'],
    ['https://example.org/7'],
    ['https://PEOPLE.example.org/7'],
    ['https://people.example.org.evil.example/7'],
    ['https://people.example.org@evil.example/7'],
    ['https:people.example.org/7'],
    ['//people.example.org/7'],
    ['dana@people.example.org'],
    ['https://people.example.org/%zz'],
    ['https://people.example.org/\n'],
    [{}],
  ])('%j is refused', (sub) => {
    expect(refusal(uri, { sub })).toMatchObject({ code: 'claim_invalid', field: 'sub' });
  });

  test('what is proven but no URI of ASCII is refused when it is written', () => {
    expect(refusal(uri, { sub: 'https://people.example.org/?ü' })).toMatchObject({
      code: 'identity_unencodable',
      message: 'x509: "https://people.example.org/?ü" cannot be encoded as an IA5String',
    });
  });

  test('a space is escaped where a URL escapes it, and else refused, as no URI has one', () => {
    const { san } = facts(uri, { sub: 'https://people.example.org/a b#c d' });
    expect(san.value).toBe('https://people.example.org/a%20b#c%20d');
    expect(refusal(uri, { sub: 'https://people.example.org/?a b' })).toMatchObject({
      code: 'identity_unencodable',
      message: 'the subject alternative name would contain a space',
    });
  });

  test.each([['https://people.example.org/\u0085'], ['https://people.example.org/#\u0001']])(
    'a control character in %j would be hidden by escaping and is refused',
    (sub) => {
      expect(refusal(uri, { sub })).toMatchObject({
        code: 'identity_unencodable',
        message: expect.stringContaining('control character'),
      });
    },
  );

  test('half of a surrogate pair is refused', () => {
    expect(refusal(uri, { sub: 'https://people.example.org/\udc00' }).message).toContain('surrogate');
  });
});

describe('username', () => {
  const username: Parameters = { type: 'username', subjectDomain: 'people.example.org' };

  test.each([['dana'], ['da na'], ['日本'], ['']])('%j', (sub) => {
    expect(facts(username, { sub })).toMatchObject({
      san: { kind: 'other-name', value: `${sub}!people.example.org` },
      challenge: sub,
    });
  });

  test.each([
    ['dana!admin', 'claim_invalid'],
    ['dana@example.org', 'claim_invalid'],
    [undefined, 'claim_missing'],
    [null, 'claim_missing'],
    [1, 'claim_invalid'],
  ])('%j is refused as %s', (sub, code) => {
    expect(told(refusal(username, { sub }))).toEqual({ code, field: 'sub', message: TOKEN });
  });

  test.each([['da\nna'], ['da\u007fna'], ['da\u0090na'], ['da\ud800na']])('%j cannot be written', (sub) => {
    expect(refusal(username, { sub }).code).toBe('identity_unencodable');
  });
});

describe('kubernetes', () => {
  const kubernetes: Parameters = { type: 'kubernetes' };
  const sub = 'system:serviceaccount:ci:bot';

  test('namespace and service account', () => {
    const claims = { sub, 'kubernetes.io': { namespace: 'ci', serviceaccount: { name: 'bot b' } } };
    expect(facts(kubernetes, claims)).toMatchObject({
      san: { kind: 'uri', value: 'https://kubernetes.io/namespaces/ci/serviceaccounts/bot%20b' },
      challenge: sub,
    });
  });

  test.each([
    [undefined, 'claim_missing', 'kubernetes.io.namespace'],
    [{}, 'claim_missing', 'kubernetes.io.namespace'],
    [[], 'claim_missing', 'kubernetes.io.namespace'],
    ['text', 'claim_missing', 'kubernetes.io.namespace'],
    [{ namespace: '', serviceaccount: { name: 'b' } }, 'claim_missing', 'kubernetes.io.namespace'],
    [{ namespace: 7, serviceaccount: { name: 'b' } }, 'claim_invalid', 'kubernetes.io.namespace'],
    [{ namespace: 'ci' }, 'claim_missing', 'kubernetes.io.serviceaccount.name'],
    [{ namespace: 'ci', serviceaccount: 'b' }, 'claim_missing', 'kubernetes.io.serviceaccount.name'],
    [{ namespace: 'ci', serviceaccount: { name: [] } }, 'claim_invalid', 'kubernetes.io.serviceaccount.name'],
    [
      { namespace: 'ci', serviceaccount: { name: 'b' }, pod: { name: 7 } },
      'claim_invalid',
      'kubernetes.io.pod.name',
    ],
  ])('%j is refused as %s of %s', (value, code, field) => {
    expect(told(refusal(kubernetes, { sub, 'kubernetes.io': value }))).toEqual({
      code,
      field,
      message: TOKEN,
    });
  });
});

describe('chainguard-identity', () => {
  const chainguard: Parameters = { type: 'chainguard-identity', issuerUrl: 'https://issuer.example/t' };

  test('the subject below the issuer; the challenge is the subject', () => {
    expect(facts(chainguard, { sub: 'org9/id4' })).toMatchObject({
      san: { kind: 'uri', value: 'https://issuer.example/t/org9/id4' },
      challenge: 'org9/id4',
      subject: 'org9/id4',
    });
  });

  test('the challenge is the address where there is one', () => {
    const claims = { sub: 'org9/id4', email: 'dana@example.org', email_verified: 'true' };
    expect(facts(chainguard, claims)).toMatchObject({
      san: { kind: 'uri', value: 'https://issuer.example/t/org9/id4' },
      challenge: 'dana@example.org',
    });
  });

  test('the path is cleaned', () => {
    expect(facts(chainguard, { sub: '../../a//b' }).san.value).toBe('https://issuer.example/a/b');
  });

  test.each([
    [{ sub: 'a', email: 'dana@example.org' }, 'email_unverified', 'email_verified'],
    [{ sub: 'a', email: 'dana@example.org', email_verified: false }, 'email_unverified', 'email_verified'],
    [{ sub: 'a', email_verified: 'maybe' }, 'claim_invalid', 'email_verified'],
    [{ sub: 'a', email: 7 }, 'claim_invalid', 'email'],
    [{ sub: 'a', act: 'text' }, 'claim_invalid', 'act'],
    [{ sub: 'a', act: { x: 1 } }, 'claim_invalid', 'act'],
    [{ sub: 'a', act: ['x'] }, 'claim_invalid', 'act'],
    [{ sub: 'a', internal: { 'service-principal': 1 } }, 'claim_invalid', 'internal.service-principal'],
    [{}, 'claim_missing', 'sub'],
    [{ sub: '' }, 'claim_missing', 'sub'],
    [{ sub: '', email: 'dana@example.org', email_verified: true }, 'claim_missing', 'sub'],
    [{ email: 'dana@example.org', email_verified: true }, 'claim_missing', 'sub'],
  ])('%j is refused as %s of %s', (claims, code, field) => {
    expect(told(refusal(chainguard, claims))).toEqual({ code, field, message: TOKEN });
  });

  test('an actor is accepted and not written', () => {
    const claims = { sub: 'a', act: { iss: 'x', sub: 'y' }, internal: { 'service-principal': 'COSIGNED' } };
    expect(extensionsOf(facts(chainguard, claims))).toEqual({});
  });
});

describe('github-workflow', () => {
  const type: Parameters = { type: 'github-workflow' };

  test('every extension', () => {
    const made = facts(type, { ...github, environment: 'prod' });
    expect(made.san.value).toBe('https://github.com/acme/shared/.github/workflows/rel.yml@refs/tags/v2');
    expect(extensionsOf(made)).toEqual({
      2: 'push',
      3: 'c0ffee00',
      4: 'release',
      5: 'acme/site',
      6: 'refs/heads/main',
      9: 'https://github.com/acme/shared/.github/workflows/rel.yml@refs/tags/v2',
      10: 'beef0001',
      11: 'github-hosted',
      12: 'https://github.com/acme/site',
      13: 'c0ffee00',
      14: 'refs/heads/main',
      15: '311',
      16: 'https://github.com/acme',
      17: '27',
      18: 'https://github.com/acme/site/.github/workflows/top.yml@refs/heads/main',
      19: 'beef0002',
      20: 'push',
      21: 'https://github.com/acme/site/actions/runs/9001/attempts/3',
      22: 'public',
    });
    expect(made.quota).toEqual({ issuer: ISSUER, identity: '311', owner: '27' });
  });

  test('order of emission', () => {
    expect(facts(type, github).attributes.map(({ extension }) => extension)).toEqual([
      1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 24,
    ]);
  });

  test('a claim cannot move the name to another host', () => {
    expect(facts(type, { ...github, url: 'https://evil.example' }).san.value).toMatch(
      /^https:\/\/github\.com\//,
    );
  });

  test('a branch with characters that mean something in URLs', () => {
    const job_workflow_ref = 'acme/site/.github/workflows/x.yml@refs/heads/feat#1?ü é';
    expect(facts(type, { ...github, job_workflow_ref }).san.value).toBe(
      'https://github.com/acme/site/.github/workflows/x.yml@refs/heads/feat%231%3F%C3%BC%20%C3%A9',
    );
  });
});

describe('gitlab-pipeline', () => {
  const type: Parameters = { type: 'gitlab-pipeline' };

  test('every extension', () => {
    const made = facts(type, gitlab);
    const config = 'https://gitlab.com/grp/app//.gitlab-ci.yml@refs/heads/dev';
    expect(made.san.value).toBe(config);
    expect(extensionsOf(made)).toEqual({
      9: config,
      10: 'feed0003',
      11: 'gitlab-hosted',
      12: 'https://gitlab.com/grp/app',
      13: 'abad1dea',
      14: 'refs/heads/dev',
      15: '20',
      16: 'https://gitlab.com/grp',
      17: '72',
      18: config,
      19: 'feed0003',
      20: 'web',
      21: 'https://gitlab.com/grp/app/-/jobs/302',
      22: 'internal',
    });
    expect(made.quota).toEqual({ issuer: ISSUER, identity: '20', owner: '72' });
  });

  test('a tag', () => {
    expect(extensionsOf(facts(type, { ...gitlab, ref_type: 'tag', ref: 'v1' }))[14]).toBe('refs/tags/v1');
  });

  test.each([[undefined], [null], ['']])('optional claims of %j are left out', (value) => {
    const made = extensionsOf(facts(type, { ...gitlab, ci_config_sha: value, project_visibility: value }));
    expect(Object.keys(made)).not.toContain('10');
    expect(Object.keys(made)).not.toContain('19');
    expect(Object.keys(made)).not.toContain('22');
  });

  test.each([
    ['ref_type', 'commit'],
    ['runner_id', 0],
    ['runner_id', '5'],
    ['runner_id', 5.5],
    ['ci_config_sha', 7],
    ['project_id', 20],
  ])('%s of %j is refused', (name, value) => {
    expect(told(refusal(type, { ...gitlab, [name]: value }))).toEqual({
      code: 'claim_invalid',
      field: name,
      message: TOKEN,
    });
  });
});

describe('buildkite-job', () => {
  test('only issuer and subject beside the name', () => {
    const made = facts({ type: 'buildkite-job' }, { ...buildkite, pipeline_id: 'uuid-1' });
    expect(made.san.value).toBe('https://buildkite.com/acme/site');
    expect(extensionsOf(made)).toEqual({});
    expect(made.quota).toEqual({ issuer: ISSUER, identity: 'uuid-1', owner: 'acme' });
  });
});

describe('codefresh-workflow', () => {
  const type: Parameters = { type: 'codefresh-workflow' };

  test('on its own platform', () => {
    const made = facts(type, { ...codefresh, platform_url: 'https://cf.acme.example' });
    expect(made.san.value).toBe('https://cf.acme.example/acme/web/site:a1/p2');
    expect(extensionsOf(made)).toEqual({
      9: 'https://cf.acme.example/build/w3',
      11: 'hybrid',
      12: 'https://github.com/acme/site',
      14: 'main',
      18: 'https://cf.acme.example/api/pipelines/p2',
      21: 'https://cf.acme.example/build/w3',
    });
  });

  test.each([[undefined], [''], [null]])('a platform_url of %j is the public one', (platform_url) => {
    expect(facts(type, { ...codefresh, platform_url }).san.value).toBe(
      'https://g.codefresh.io/acme/web/site:a1/p2',
    );
  });

  test('ids alone suffice, as in Fulcio', () => {
    const claims = { sub: 's', account_id: 'a1', pipeline_id: 'p2', workflow_id: 'w3' };
    expect(facts(type, claims).san.value).toBe('https://g.codefresh.io/:a1/p2');
  });
});

describe('each required claim, removed, null or of another type', () => {
  const required = (type: string): string[] =>
    [...(kinds.get(type)?.claims ?? [])]
      .filter(([, rule]) => rule.default === undefined)
      .map(([name]) => name);
  const table = (
    [
      ['github-workflow', github, 16],
      ['gitlab-pipeline', gitlab, 13],
      ['buildkite-job', buildkite, 2],
      ['codefresh-workflow', codefresh, 3],
    ] as const
  ).flatMap(([type, claims, count]) => {
    expect(required(type)).toHaveLength(count);
    return required(type).map((name): [string, string, ClaimObject] => [type, name, claims]);
  });

  test.each(table)('%s: %s', (type, name, claims) => {
    expect(facts({ type }, claims).san.kind).toBe('uri');
    for (const gone of [without(claims, name), { ...claims, [name]: null }, { ...claims, [name]: '' }]) {
      expect(told(refusal({ type }, gone))).toEqual({ code: 'claim_missing', field: name, message: TOKEN });
    }
    for (const wrong of [{}, ['x'], true]) {
      expect(told(refusal({ type }, { ...claims, [name]: wrong }))).toEqual({
        code: 'claim_invalid',
        field: name,
        message: TOKEN,
      });
    }
    expect(refusal({ type }, without(claims, name)).hint).toContain(`The claim ${name} must be `);
  });
});

test.each([[7], [{}], [['a']], [true]])('a sub of %j is refused by every kind', (sub) => {
  expect(told(refusal({ type: 'email' }, { sub, email: 'a@b.c', email_verified: true }))).toEqual({
    code: 'claim_invalid',
    field: 'sub',
    message: TOKEN,
  });
});
