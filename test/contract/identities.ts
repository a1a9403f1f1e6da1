// Identities: what a certificate says about the token, for every kind of issuer, and which claims are refused.

import { describe, expect, test } from 'vitest';
import { issuedBy, request } from '../fakes/signing-client.ts';
import { KINDS, type KindCase } from './kinds.ts';
import { expectRefusal, TOKEN, type World } from './world.ts';

const named = (title: string): KindCase => {
  const found = KINDS.find((kind) => kind.title === title);
  if (found === undefined) throw new Error(`no kind ${title}`);
  return found;
};

export function identities(the: () => World): void {
  describe('identity', () => {
    test.each(KINDS)('$title', async (kind) => {
      const issuer = the().issuer(kind.title).url;
      const fill = (text: string): string => text.replace(/^ISSUER/, issuer).replace(/^HOST/, the().host);
      const token = await the().tokenOf(kind);
      const challenge = kind.challenge ?? String(kind.claims['sub']);
      const { leaf } = issuedBy(await request(the().url, { token, challenge }));
      expect(leaf.names).toEqual([{ ...kind.name, value: fill(kind.name.value) }]);
      const expected = Object.fromEntries(
        Object.entries(kind.attributes ?? {}).map(([n, value]) => [n, fill(value)]),
      );
      const stated = kind.issuer ?? issuer;
      expect(leaf.attributes).toEqual({ ...expected, 1: stated, 8: stated, 24: kind.claims['sub'] });
      expect(Object.keys(leaf.attributes)).toEqual(
        Object.keys(leaf.attributes).toSorted((a, b) => Number(a) - Number(b)),
      );
    });

    test.each(
      KINDS.filter(({ challenge, claims }) => challenge !== undefined && challenge !== claims['sub']),
    )('$title: a signature over sub proves nothing', async (kind) => {
      const answer = await request(the().url, {
        token: await the().tokenOf(kind),
        challenge: String(kind.claims['sub']),
      });
      expectRefusal(answer, { message: 'The signature supplied in the request could not be verified' });
    });
  });

  describe('claims that every token of a kind must have', () => {
    const needed: [string, readonly string[]][] = [
      ['email', ['email', 'email_verified']],
      [
        'github-workflow',
        Object.keys(named('github-workflow').claims).filter((name) => !['sub', 'environment'].includes(name)),
      ],
      [
        'gitlab-pipeline',
        [
          ...[
            'project_path',
            'pipeline_source',
            'pipeline_id',
            'ci_config_ref_uri',
            'job_id',
            'ref',
            'ref_type',
          ],
          ...['namespace_path', 'namespace_id', 'project_id', 'sha', 'runner_environment', 'runner_id'],
        ],
      ],
      ['buildkite-job', ['organization_slug', 'pipeline_slug']],
      ['codefresh-workflow', ['account_id', 'pipeline_id', 'workflow_id']],
      ['kubernetes', ['kubernetes.io']],
      ['spiffe', ['sub']],
      ['uri', ['sub']],
      ['chainguard-identity of a machine', ['sub']],
    ];
    test.each(needed)('%s', async (title, names) => {
      for (const name of names) {
        const claims = Object.entries({ ...named(title).claims, [name]: undefined });
        const token = await the().issuer(title).sign(Object.fromEntries(claims));
        const answer = await request(the().url, { token, challenge: 'x' });
        expectRefusal(answer, { message: TOKEN });
      }
    });
  });

  describe('claims that are refused', () => {
    const email = (claims: object): [string, Record<string, unknown>] => [
      'email',
      { email: 'a@example.org', email_verified: true, ...claims },
    ];
    const rows: [string, [string, Record<string, unknown>], string][] = [
      ['an address that nobody has verified', email({ email_verified: false }), 'EMAIL_UNVERIFIED'],
      ['verification by another word', email({ email_verified: 'TRUE' }), 'CLAIM_INVALID'],
      ['verification by a number', email({ email_verified: 1 }), 'CLAIM_INVALID'],
      ['no address', email({ email: '' }), 'CLAIM_'],
      ['an address without a domain', email({ email: 'dana' }), 'CLAIM_INVALID'],
      ['an address without a dot in its domain', email({ email: 'dana@localhost' }), 'CLAIM_INVALID'],
      ['two addresses', email({ email: 'a@example.org,b@example.org' }), 'CLAIM_INVALID'],
      ['an address with a line end', email({ email: 'a@example.org\nb' }), 'CLAIM_INVALID'],
      ['a list of addresses', email({ email: ['a@example.org'] }), 'CLAIM_INVALID'],
      [
        'verification by a number where nobody asks for it',
        ['email that nobody need have verified', { email: 'a@example.org', email_verified: 1 }],
        'CLAIM_INVALID',
      ],
      [
        'an issuer claim that is missing',
        ['email with an issuer claim', { email: 'a@example.org', email_verified: true }],
        'CLAIM_MISSING',
      ],
      ['another trust domain', ['spiffe', { sub: 'spiffe://other.example.org/ns' }], 'CLAIM_INVALID'],
      ['a longer trust domain', ['spiffe', { sub: 'spiffe://mesh.example.org.evil/ns' }], 'CLAIM_INVALID'],
      ['no SPIFFE ID', ['spiffe', { sub: 'https://mesh.example.org/ns' }], 'CLAIM_INVALID'],
      [
        'a SPIFFE ID with an empty segment',
        ['spiffe', { sub: 'spiffe://mesh.example.org/a//b' }],
        'CLAIM_INVALID',
      ],
      [
        'a SPIFFE ID with dots for a segment',
        ['spiffe', { sub: 'spiffe://mesh.example.org/a/../b' }],
        'CLAIM_INVALID',
      ],
      [
        'a SPIFFE ID with a final slash',
        ['spiffe', { sub: 'spiffe://mesh.example.org/a/' }],
        'CLAIM_INVALID',
      ],
      ['a SPIFFE ID in capitals', ['spiffe', { sub: 'SPIFFE://mesh.example.org/a' }], 'CLAIM_INVALID'],
      ['a URI of another host', ['uri', { sub: 'http://127.0.0.2/x' }], 'CLAIM_INVALID'],
      ['a URI of another scheme', ['uri', { sub: 'https://127.0.0.1/x' }], 'CLAIM_INVALID'],
      ['an address for a URI', ['uri', { sub: 'dana@127.0.0.1' }], 'CLAIM_INVALID'],
      ['a user with an exclamation mark', ['username', { sub: 'dana!evil' }], 'CLAIM_INVALID'],
      ['a user that is an address', ['username', { sub: 'dana@example.org' }], 'CLAIM_INVALID'],
      [
        'numbers where the fixed form wants text',
        ['github-workflow', { ...named('github-workflow').claims, run_id: 9001 }],
        'CLAIM_INVALID',
      ],
      [
        'a ref of another type',
        ['gitlab-pipeline', { ...named('gitlab-pipeline').claims, ref_type: 'merge_request' }],
        'CLAIM_INVALID',
      ],
      ['no service account', ['kubernetes', { 'kubernetes.io': { namespace: 'ci' } }], 'CLAIM_MISSING'],
      [
        'an empty namespace',
        ['kubernetes', { 'kubernetes.io': { namespace: '', serviceaccount: { name: 'bot' } } }],
        'CLAIM_',
      ],
      ['text for the claims of Kubernetes', ['kubernetes', { 'kubernetes.io': 'x' }], 'CLAIM_'],
      [
        'an actor that is text',
        ['chainguard-identity of a machine', { sub: 'a/b', act: 'x' }],
        'CLAIM_INVALID',
      ],
      [
        'a person that nobody has verified',
        ['chainguard-identity of a person', { sub: 'a/b', email: 'a@example.org' }],
        'EMAIL_UNVERIFIED',
      ],
      [
        'a preset without its repository',
        ['github with its url set', { ...named('github with its url set').claims, repository: undefined }],
        'CLAIM_MISSING',
      ],
      [
        'a definition on another host',
        [
          'gitlab on a host of its own',
          {
            ...named('gitlab on a host of its own').claims,
            ci_config_ref_uri: 'evil.example/x//.gitlab-ci.yml@refs/heads/main',
          },
        ],
        'CLAIM_INVALID',
      ],
    ];
    test.each(rows)('%s', async (_, [title, claims], reason) => {
      const token = await the().issuer(title).sign(claims);
      const { details } = expectRefusal(await request(the().url, { token, challenge: 'x' }), {
        message: TOKEN,
      });
      expect(details[0]?.reason).toMatch(new RegExp(`^${reason}`));
      for (const value of Object.values(claims))
        if (typeof value === 'string' && value.length > 3)
          expect(JSON.stringify(details)).not.toContain(value);
    });

    const raw: [string, string, Record<string, unknown>, RegExp][] = [
      [
        'an address beyond ASCII',
        'email',
        { email: 'ü@example.com', email_verified: true },
        /^x509: "ü@example.com" cannot be encoded as an IA5String$/,
      ],
      [
        'an empty issuer',
        'email with an issuer claim',
        { email: 'a@example.org', email_verified: true, federated_claims: { connector_id: '' } },
        /^extensions must have a non-empty issuer url$/,
      ],
      [
        'a broken escape',
        'gitlab-pipeline',
        { ...named('gitlab-pipeline').claims, ci_config_ref_uri: 'gitlab.com/%zz' },
        /^parse "https:\/\/gitlab.com\/%zz": invalid URL escape "%zz"$/,
      ],
      [
        'a space in the query of a URI',
        'gitlab-pipeline',
        { ...named('gitlab-pipeline').claims, ci_config_ref_uri: 'gitlab.com/grp/app//ci.yml?a b' },
        /^the subject alternative name would contain a space$/,
      ],
      [
        'a template that misses its claim',
        'ci-provider github',
        { ...named('ci-provider github').claims, sha: undefined },
        /^value <sha> not present in either claims or defaults\. \{/,
      ],
      [
        'a template that misses a field',
        'ci-provider buildkite',
        { ...named('ci-provider buildkite').claims, job_id: undefined },
        /map has no entry for key "job_id"/,
      ],
      [
        'a list in the name',
        'ci-provider buildkite',
        { ...named('ci-provider buildkite').claims, pipeline_slug: ['a'] },
        /./,
      ],
      [
        'null in the name',
        'ci-provider buildkite',
        { ...named('ci-provider buildkite').claims, pipeline_slug: null },
        /./,
      ],
    ];
    test.each(raw)('%s, in its own words', async (_, title, claims, message) => {
      const token = await the().issuer(title).sign(claims);
      expectRefusal(await request(the().url, { token, challenge: 'x' }), { message });
    });
  });

  describe('a name with a part missing', () => {
    const circleci = named('ci-provider circleci').claims;
    test.each<[string, Record<string, unknown>]>([
      ['that a template reads with index', { ...circleci, 'oidc.circleci.com/project-id': undefined }],
      ['that is null', { ...circleci, 'oidc.circleci.com/project-id': null }],
      ['that is an object', { ...circleci, 'oidc.circleci.com/project-id': { a: 1 } }],
    ])('%s is no name', async (_, claims) => {
      const token = await the().issuer('ci-provider circleci').sign(claims);
      const answer = await request(the().url, { token });
      expect(answer.status, answer.text).toBe(400);
      expect(answer.text).toContain('oidc.circleci.com/project-id');
    });
  });

  describe('an extension whose claim is no text', () => {
    const { claims } = named('ci-provider github');
    test.each<[string, unknown, string | undefined]>([
      ['a number', 12, '12'],
      ['a large number', 2 ** 53, '9007199254740992'],
      ['a fraction', 1.5, '1.5'],
      ['true', true, 'true'],
      ['empty', '', undefined],
      ['null', null, undefined],
      ['a list', ['a', 'b'], undefined],
      ['an object', { a: 1 }, undefined],
    ])('%s', async (_, value, text) => {
      const token = await the()
        .issuer('ci-provider github')
        .sign({ ...claims, runner_environment: value });
      const answer = await request(the().url, { token });
      // What is neither text, number nor truth is left out or refused, but never printed as Go prints it.
      if (answer.status === 400 && typeof value === 'object')
        expect(answer.text).toContain('runner_environment');
      else expect(issuedBy(answer).leaf.attributes['11']).toBe(text);
    });
  });

  describe('policy', () => {
    const sealed = async (claims: object): Promise<string> =>
      the()
        .issuer('sealed')
        .sign({ ...the().person(), ...claims });

    test.each(['signers', 'ops-eu', 'ops-'])('lets the team %s in', async (team) => {
      expect((await request(the().url, { token: await sealed({ team }) })).status).toBe(200);
    });

    test.each(['signer', 'signers2', 'xops-eu', '', undefined, null, ['signers'], true])(
      'keeps the team %j out, before it looks at the proof',
      async (team) => {
        const token = await sealed(team === undefined ? {} : { team });
        const answer = await request(the().url, { token, proof: null });
        expectRefusal(answer, { message: /policy/, reason: 'POLICY_DENIED', field: 'team' });
      },
    );
  });
}
