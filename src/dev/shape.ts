// Shape: the claims that a token of a well-known provider carries, with made-up values.

export type DevShape = 'github' | 'gitlab' | 'email';

interface Shape {
  readonly title: string;
  /** Provider type in the list form of the configuration. */
  readonly type: string;
  /** In text `{site}` stands for the issuer's URL without its scheme. */
  readonly claims: Readonly<Record<string, unknown>>;
}

const SHA = '2f4a6c8e0b1d3f5a7c9e1b3d5f7a9c0e2b4d6f8a';

export const SHAPES: Readonly<Record<DevShape, Shape>> = {
  github: {
    title: 'GitHub Actions job',
    type: 'github',
    claims: {
      sub: 'repo:octo-org/octo-repo:ref:refs/heads/main',
      repository: 'octo-org/octo-repo',
      repository_id: '74',
      repository_owner: 'octo-org',
      repository_owner_id: '65',
      repository_visibility: 'public',
      ref: 'refs/heads/main',
      ref_type: 'branch',
      sha: SHA,
      workflow: 'Release',
      workflow_ref: 'octo-org/octo-repo/.github/workflows/release.yml@refs/heads/main',
      workflow_sha: SHA,
      job_workflow_ref: 'octo-org/octo-repo/.github/workflows/release.yml@refs/heads/main',
      job_workflow_sha: SHA,
      event_name: 'push',
      run_id: '30433642',
      run_number: '10',
      run_attempt: '1',
      runner_environment: 'github-hosted',
      actor: 'octocat',
      actor_id: '12',
    },
  },
  gitlab: {
    title: 'GitLab CI job',
    type: 'gitlab',
    claims: {
      sub: 'project_path:my-group/my-project:ref_type:branch:ref:main',
      namespace_id: '72',
      namespace_path: 'my-group',
      project_id: '20',
      project_path: 'my-group/my-project',
      project_visibility: 'public',
      user_login: 'sample-user',
      pipeline_id: '574',
      pipeline_source: 'push',
      job_id: '302',
      ref: 'main',
      ref_type: 'branch',
      runner_id: 1,
      runner_environment: 'gitlab-hosted',
      sha: SHA,
      ci_config_ref_uri: '{site}/my-group/my-project//.gitlab-ci.yml@refs/heads/main',
      ci_config_sha: SHA,
    },
  },
  email: {
    title: 'Person with an e-mail address',
    type: 'email',
    claims: { sub: 'user-1', email: 'dev@example.com', email_verified: true },
  },
};

export const SHAPE_NAMES: readonly DevShape[] = ['github', 'gitlab', 'email'];

/** Configuration that trusts every shape of the dev issuer at `baseUrl`. */
export function devConfiguration(baseUrl: string, audience: string): string {
  const issuers = Object.entries(SHAPES).map(([name, { type }]) => ({
    name: `dev-${name}`,
    'issuer-url': `${baseUrl}/${name}`,
    audiences: [audience],
    type,
  }));
  return JSON.stringify({ issuers });
}
