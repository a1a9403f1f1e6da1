// SLSA provenance: the predicates that the claims of a CI's token give, in full.

import { expect, test } from 'vitest';
import type { IdentityToken } from '../../../src/client/identity-token.ts';
import { provenanceOf } from '../../../src/client/slsa-provenance.ts';
import { SHAPES } from '../../../src/dev/shape.ts';

const token = (claims: Readonly<Record<string, unknown>>): IdentityToken => ({ jwt: '', issuer: '', claims });
const SHA = '2f4a6c8e0b1d3f5a7c9e1b3d5f7a9c0e2b4d6f8a';

test('of GitHub Actions', () => {
  const claims = {
    ...SHAPES.github.claims,
    job_workflow_ref: 'octo-org/shared/.github/workflows/build.yml@refs/tags/v2',
  };
  expect(provenanceOf(token(claims), { GITHUB_SERVER_URL: 'https://ghe.example.com' })).toEqual({
    buildDefinition: {
      buildType: 'https://actions.github.io/buildtypes/workflow/v1',
      externalParameters: {
        workflow: {
          ref: 'refs/heads/main',
          repository: 'https://ghe.example.com/octo-org/octo-repo',
          path: '.github/workflows/release.yml',
        },
      },
      internalParameters: {
        github: {
          event_name: 'push',
          repository_id: '74',
          repository_owner_id: '65',
          runner_environment: 'github-hosted',
        },
      },
      resolvedDependencies: [
        { uri: 'git+https://ghe.example.com/octo-org/octo-repo@refs/heads/main', digest: { gitCommit: SHA } },
      ],
    },
    runDetails: {
      builder: { id: 'https://ghe.example.com/octo-org/shared/.github/workflows/build.yml@refs/tags/v2' },
      metadata: {
        invocationId: 'https://ghe.example.com/octo-org/octo-repo/actions/runs/30433642/attempts/1',
      },
    },
  });
});

test('of GitLab CI', () => {
  const claims = {
    ...SHAPES.gitlab.claims,
    ci_config_ref_uri: 'gitlab.example.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main',
  };
  const env = {
    CI_JOB_NAME: 'build',
    CI_RUNNER_DESCRIPTION: 'blue',
    CI_RUNNER_EXECUTABLE_ARCH: 'linux/amd64',
  };
  expect(provenanceOf(token(claims), env)).toEqual({
    buildDefinition: {
      buildType: 'https://docs.gitlab.com/ci/pipeline_security/slsa/provenance_v1',
      externalParameters: { source: 'https://gitlab.example.com/my-group/my-project', entryPoint: 'build' },
      internalParameters: { name: 'blue', architecture: 'linux/amd64', job: '302' },
      resolvedDependencies: [
        { uri: 'git+https://gitlab.example.com/my-group/my-project@main', digest: { gitCommit: SHA } },
      ],
    },
    runDetails: {
      builder: { id: 'https://gitlab.example.com/my-group/my-project/-/runners/1' },
      metadata: { invocationId: 'https://gitlab.example.com/my-group/my-project/-/jobs/302' },
    },
  });
});

test('of a person there is none, whatever the environment says', () => {
  const env = { GITHUB_ACTIONS: 'true', GITHUB_REPOSITORY: 'octo-org/octo-repo', GITHUB_WORKFLOW_REF: 'x' };
  expect(() => provenanceOf(token(SHAPES.email.claims), env)).toThrow(
    expect.objectContaining({ code: 'predicate_unavailable' }),
  );
});
