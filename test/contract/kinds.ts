// Kinds: a token of every kind of issuer, and the name and extensions that its certificate has (fulcio docs/oidc.md).

import type { ReadName } from '../fakes/certificate.ts';

type Claims = Readonly<Record<string, unknown>>;

export interface KindCase {
  readonly title: string;
  /** Of Fulcio's form, or a preset of the list form. */
  readonly form: 'fulcio' | 'list';
  /** Fields of the issuer's entry. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly claims: Claims;
  /** ISSUER stands for the issuer's URL, HOST for scheme, host and port. */
  readonly name: ReadName;
  /** Beside .24, the claim `sub`; the issuer's URL unless `issuer` says otherwise is .1 and .8. */
  readonly attributes?: Readonly<Record<number, string>>;
  readonly issuer?: string;
  /** What clients sign, where that is not `sub`. */
  readonly challenge?: string;
}

const GITHUB = {
  sub: 'repo:acme/site:ref:refs/heads/main',
  event_name: 'push',
  sha: 'c0ffee00',
  workflow: 'Release é',
  repository: 'acme/site',
  repository_id: '311',
  repository_owner: 'acme',
  repository_owner_id: '27',
  repository_visibility: 'public',
  ref: 'refs/heads/main',
  job_workflow_ref: 'acme/shared/.github/workflows/rel.yml@refs/tags/v2',
  job_workflow_sha: 'beef0001',
  runner_environment: 'github-hosted',
  workflow_ref: 'acme/site/.github/workflows/top.yml@refs/heads/main',
  workflow_sha: 'beef0002',
  run_id: '9001',
  run_attempt: '3',
};

const github = (url: string): Record<number, string> => ({
  2: 'push',
  3: 'c0ffee00',
  4: 'Release é',
  5: 'acme/site',
  6: 'refs/heads/main',
  ...githubCommon(url),
});

const githubCommon = (url: string): Record<number, string> => ({
  9: `${url}/acme/shared/.github/workflows/rel.yml@refs/tags/v2`,
  10: 'beef0001',
  11: 'github-hosted',
  12: `${url}/acme/site`,
  13: 'c0ffee00',
  14: 'refs/heads/main',
  15: '311',
  16: `${url}/acme`,
  17: '27',
  18: `${url}/acme/site/.github/workflows/top.yml@refs/heads/main`,
  19: 'beef0002',
  20: 'push',
  21: `${url}/acme/site/actions/runs/9001/attempts/3`,
  22: 'public',
});

const githubName = (url: string): ReadName => ({
  kind: 'uri',
  value: `${url}/acme/shared/.github/workflows/rel.yml@refs/tags/v2`,
});

const GITLAB = {
  sub: 'project_path:grp/app:ref_type:tag:ref:v1',
  namespace_id: '72',
  namespace_path: 'grp',
  project_id: '20',
  project_path: 'grp/app',
  project_visibility: 'internal',
  pipeline_id: '574',
  pipeline_source: 'web',
  job_id: '302',
  ref: 'v1',
  ref_type: 'tag',
  runner_id: 5,
  runner_environment: 'gitlab-hosted',
  sha: 'abad1dea',
  ci_config_ref_uri: 'gitlab.com/grp/app//.gitlab-ci.yml@refs/tags/v1',
  ci_config_sha: 'feed0003',
};

const gitlab = (url: string, definition: string): Record<number, string> => ({
  9: definition,
  10: 'feed0003',
  11: 'gitlab-hosted',
  12: `${url}/grp/app`,
  13: 'abad1dea',
  14: 'refs/tags/v1',
  15: '20',
  16: `${url}/grp`,
  17: '72',
  18: definition,
  19: 'feed0003',
  20: 'web',
  21: `${url}/grp/app/-/jobs/302`,
  22: 'internal',
});

const GITLAB_DEFINITION = 'https://gitlab.com/grp/app//.gitlab-ci.yml@refs/tags/v1';

const BUILDKITE = {
  sub: 'organization:acme:pipeline:site',
  organization_slug: 'acme',
  pipeline_slug: 'site',
  build_number: 88,
  job_id: 'j-1',
  runner_environment: 'self-hosted',
  build_commit: 'd00d',
  build_source: 'webhook',
};
const BUILDKITE_NAME = { kind: 'uri', value: 'https://buildkite.com/acme/site' } as const;
const BUILDKITE_ATTRIBUTES = {
  11: 'self-hosted',
  13: 'd00d',
  20: 'webhook',
  21: 'https://buildkite.com/acme/site/builds/88#j-1',
};

const CODEFRESH = {
  sub: 'account:a1:pipeline:p2',
  account_id: 'a1',
  account_name: 'acme',
  pipeline_id: 'p2',
  pipeline_name: 'web/site',
  workflow_id: 'w3',
  initiator: 'dana',
  scm_repo_url: 'https://github.com/acme/site',
  scm_ref: 'main',
  runner_environment: 'hybrid',
};
const CODEFRESH_NAME = { kind: 'uri', value: 'https://g.codefresh.io/acme/web/site:a1/p2' } as const;
const CODEFRESH_ATTRIBUTES = {
  9: 'https://g.codefresh.io/build/w3',
  11: 'hybrid',
  12: 'https://github.com/acme/site',
  14: 'main',
  18: 'https://g.codefresh.io/api/pipelines/p2',
  21: 'https://g.codefresh.io/build/w3',
};

const CIRCLECI = {
  sub: 'org/o1/project/p1/user/u1',
  'oidc.circleci.com/pipeline-id': 'pipe1',
  'oidc.circleci.com/project-id': 'proj1',
  'oidc.circleci.com/pipeline-definition-id': 'def1',
  'oidc.circleci.com/workflow-id': 'wf1',
  'oidc.circleci.com/job-id': 'job1',
  'oidc.circleci.com/ssh-rerun': true,
  'oidc.circleci.com/vcs-ref': 'refs/heads/main',
  'oidc.circleci.com/vcs-origin': 'github.com/acme/site',
};
const CIRCLECI_URL = 'https://circleci.com/api/v2/projects/proj1/pipeline-definitions/def1';
const CIRCLECI_ATTRIBUTES = {
  9: CIRCLECI_URL,
  11: 'ssh-rerun',
  12: 'github.com/acme/site',
  14: 'refs/heads/main',
  18: 'https://circleci.com/api/v2/pipeline/pipe1/config',
  21: 'https://app.circleci.com//workflow/wf1/job/job1',
};

const BUDDY = {
  sub: 'workspace:acme:project:site',
  workspace_domain: 'acme',
  project_name: 'site',
  pipeline_id: 7,
  execution_id: 41,
  triggered_on: 'PUSH',
  runner_environment: 'cloud',
  revision: 'd00d',
  ref: 'refs/heads/main',
};
const BUDDY_URL = 'https://app.buddy.works/acme/site/pipelines/pipeline/7';
const BUDDY_ATTRIBUTES = {
  9: BUDDY_URL,
  11: 'cloud',
  12: 'https://app.buddy.works/acme/site',
  13: 'd00d',
  14: 'refs/heads/main',
  16: 'https://app.buddy.works/acme',
  20: 'PUSH',
  21: `${BUDDY_URL}/execution/41`,
};

const fulcio = (
  title: string,
  config: KindCase['config'],
  rest: Omit<KindCase, 'title' | 'form' | 'config'>,
) => ({ title, form: 'fulcio', config, ...rest }) as const;
const preset = (
  title: string,
  config: KindCase['config'],
  rest: Omit<KindCase, 'title' | 'form' | 'config'>,
) => ({ title, form: 'list', config, ...rest }) as const;
const ci = (name: string, rest: Omit<KindCase, 'title' | 'form' | 'config'>): KindCase =>
  fulcio(`ci-provider ${name}`, { type: 'ci-provider', 'ci-provider': name }, rest);
const uri = (value: string): ReadName => ({ kind: 'uri', value });

export const KINDS: readonly KindCase[] = [
  fulcio(
    'email',
    { type: 'email' },
    {
      claims: { sub: 'u-17', email: 'Dana+ci@Example.org', email_verified: 'true' },
      name: { kind: 'email', value: 'Dana+ci@Example.org' },
      challenge: 'Dana+ci@Example.org',
    },
  ),
  fulcio(
    'email with an issuer claim',
    { type: 'email', 'issuer-claim': '$.federated_claims.connector_id' },
    {
      claims: {
        sub: 'u-17',
        email: 'dana@example.org',
        email_verified: true,
        federated_claims: { connector_id: 'https://up.example' },
      },
      name: { kind: 'email', value: 'dana@example.org' },
      issuer: 'https://up.example',
      challenge: 'dana@example.org',
    },
  ),
  fulcio(
    'email that nobody need have verified',
    { type: 'email', 'skip-email-verification': true },
    {
      claims: { sub: 'u-17', email: 'dana@example.org' },
      name: { kind: 'email', value: 'dana@example.org' },
      challenge: 'dana@example.org',
    },
  ),
  fulcio(
    'spiffe',
    { type: 'spiffe', 'spiffe-trust-domain': 'mesh.example.org' },
    {
      claims: { sub: 'spiffe://mesh.example.org/ns/build/sa/signer' },
      name: uri('spiffe://mesh.example.org/ns/build/sa/signer'),
    },
  ),
  fulcio(
    'uri',
    { type: 'uri', 'subject-domain': 'http://127.0.0.1' },
    { claims: { sub: 'http://127.0.0.1/people/a b?x=1' }, name: uri('http://127.0.0.1/people/a%20b?x=1') },
  ),
  fulcio(
    'username',
    { type: 'username', 'subject-domain': '127.0.0.1' },
    { claims: { sub: 'däna' }, name: { kind: 'other-name', value: 'däna!127.0.0.1' } },
  ),
  fulcio(
    'kubernetes',
    { type: 'kubernetes' },
    {
      claims: {
        sub: 'system:serviceaccount:ci:bot',
        'kubernetes.io': { namespace: 'ci', serviceaccount: { name: 'bot', uid: 'v' } },
      },
      name: uri('https://kubernetes.io/namespaces/ci/serviceaccounts/bot'),
    },
  ),
  fulcio(
    'chainguard-identity of a machine',
    { type: 'chainguard-identity' },
    { claims: { sub: 'org9/id4' }, name: uri('ISSUER/org9/id4') },
  ),
  fulcio(
    'chainguard-identity of a person',
    { type: 'chainguard-identity' },
    {
      claims: { sub: 'org9/id4', email: 'dana@example.org', email_verified: true },
      name: uri('ISSUER/org9/id4'),
      challenge: 'dana@example.org',
    },
  ),
  fulcio(
    'github-workflow',
    { type: 'github-workflow' },
    {
      claims: { ...GITHUB, environment: 'not written' },
      name: githubName('https://github.com'),
      attributes: github('https://github.com'),
    },
  ),
  fulcio(
    'gitlab-pipeline',
    { type: 'gitlab-pipeline' },
    {
      claims: GITLAB,
      name: uri(GITLAB_DEFINITION),
      attributes: gitlab('https://gitlab.com', GITLAB_DEFINITION),
    },
  ),
  fulcio('buildkite-job', { type: 'buildkite-job' }, { claims: BUILDKITE, name: BUILDKITE_NAME }),
  fulcio(
    'codefresh-workflow',
    { type: 'codefresh-workflow' },
    {
      claims: CODEFRESH,
      name: CODEFRESH_NAME,
      attributes: CODEFRESH_ATTRIBUTES,
    },
  ),
  ci('github', {
    claims: { ...GITHUB, environment: 'prod' },
    name: githubName('https://github.com'),
    attributes: { ...github('https://github.com'), 23: 'prod' },
  }),
  ci('gitlab', {
    claims: { ...GITLAB, environment: 'prod' },
    name: uri(GITLAB_DEFINITION),
    attributes: { ...gitlab('https://gitlab.com', GITLAB_DEFINITION), 23: 'prod' },
  }),
  ci('buildkite', { claims: BUILDKITE, name: BUILDKITE_NAME, attributes: BUILDKITE_ATTRIBUTES }),
  ci('codefresh', { claims: CODEFRESH, name: CODEFRESH_NAME, attributes: CODEFRESH_ATTRIBUTES }),
  ci('circleci', { claims: CIRCLECI, name: uri(CIRCLECI_URL), attributes: CIRCLECI_ATTRIBUTES }),
  ci('buddy', { claims: BUDDY, name: uri(BUDDY_URL), attributes: BUDDY_ATTRIBUTES }),
  preset(
    'github on a host of its own',
    { type: 'github' },
    {
      claims: GITHUB,
      name: githubName('HOST'),
      attributes: github('HOST'),
    },
  ),
  preset(
    'github with its url set',
    { type: 'github', values: { url: 'https://github.com' } },
    {
      claims: { ...GITHUB, url: 'https://evil.example', environment: 'prod' },
      name: githubName('https://github.com'),
      attributes: { ...github('https://github.com'), 23: 'prod' },
    },
  ),
  preset(
    'gitlab on a host of its own',
    { type: 'gitlab', values: { url: 'https://git.acme.example' } },
    {
      claims: { ...GITLAB, ci_config_ref_uri: 'git.acme.example/grp/app//.gitlab-ci.yml@refs/tags/v1' },
      name: uri('https://git.acme.example/grp/app//.gitlab-ci.yml@refs/tags/v1'),
      attributes: gitlab(
        'https://git.acme.example',
        'https://git.acme.example/grp/app//.gitlab-ci.yml@refs/tags/v1',
      ),
    },
  ),
  preset(
    'gitea',
    { type: 'gitea' },
    {
      claims: GITHUB,
      name: githubName('HOST'),
      attributes: githubCommon('HOST'),
    },
  ),
  preset(
    'forgejo',
    { type: 'forgejo' },
    {
      claims: { ...GITHUB, run_number: 12 },
      name: uri('HOST/acme/site/.github/workflows/top.yml@refs/heads/main'),
      attributes: {
        9: 'HOST/acme/site/.github/workflows/top.yml@refs/heads/main',
        12: 'HOST/acme/site',
        13: 'c0ffee00',
        14: 'refs/heads/main',
        15: '311',
        16: 'HOST/acme',
        17: '27',
        18: 'HOST/acme/site/.github/workflows/top.yml@refs/heads/main',
        20: 'push',
        21: 'HOST/acme/site/actions/runs/12#attempt-3',
      },
    },
  ),
  preset(
    'buildkite',
    { type: 'buildkite', values: { url: 'https://buildkite.com' } },
    {
      claims: BUILDKITE,
      name: BUILDKITE_NAME,
      attributes: BUILDKITE_ATTRIBUTES,
    },
  ),
  preset(
    'circleci',
    {
      type: 'circleci',
      values: { api_url: 'https://circleci.com/api/v2', platform_url: 'https://app.circleci.com' },
    },
    {
      claims: CIRCLECI,
      name: uri(CIRCLECI_URL),
      attributes: { ...CIRCLECI_ATTRIBUTES, 21: 'https://app.circleci.com/workflow/wf1/job/job1' },
    },
  ),
  preset(
    'codefresh',
    { type: 'codefresh', values: { platform_url: 'https://g.codefresh.io' } },
    {
      claims: CODEFRESH,
      name: CODEFRESH_NAME,
      attributes: CODEFRESH_ATTRIBUTES,
    },
  ),
  preset(
    'buddy',
    { type: 'buddy', values: { base_url: 'https://app.buddy.works' } },
    {
      claims: BUDDY,
      name: uri(BUDDY_URL),
      attributes: BUDDY_ATTRIBUTES,
    },
  ),
];
