// SLSA provenance: how a CI job built an artifact (slsa.dev/spec/v1.0/provenance), from what the job's token says about it.

import type { Environment } from './ambient-token.ts';
import { ClientError } from './client-error.ts';
import type { IdentityToken } from './identity-token.ts';

export interface Provenance {
  readonly buildDefinition: {
    readonly buildType: string;
    readonly externalParameters: object;
    readonly internalParameters?: object;
    readonly resolvedDependencies: readonly {
      readonly uri: string;
      readonly digest: Readonly<Record<string, string>>;
    }[];
  };
  readonly runDetails: {
    readonly builder: { readonly id: string };
    readonly metadata: { readonly invocationId: string };
  };
}

/**
 * The token's claims are the CI's own word, which variables of the job are not: those only add what no claim has.
 * Throws ClientError `predicate_unavailable` for a token of no known CI.
 */
export function provenanceOf({ claims }: IdentityToken, env: Environment): Provenance {
  const claim = (name: string): string => {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  };
  if (claim('job_workflow_ref') !== '' && claim('repository') !== '') return github(claim, env);
  if (claim('ci_config_ref_uri') !== '' && claim('project_path') !== '') return gitlab(claim, env);
  throw new ClientError(
    'predicate_unavailable',
    'the token is of no CI whose build can be described (GitHub Actions, GitLab CI): give the provenance with --predicate FILE',
  );
}

type ClaimReader = (name: string) => string;

/** As https://actions.github.io/buildtypes/workflow/v1 describes it. */
function github(claim: ClaimReader, env: Environment): Provenance {
  const server = env['GITHUB_SERVER_URL'] ?? 'https://github.com';
  const repository = `${server}/${claim('repository')}`;
  const [workflow = '', ref = ''] = claim('workflow_ref').split('@');
  return {
    buildDefinition: {
      buildType: 'https://actions.github.io/buildtypes/workflow/v1',
      externalParameters: {
        workflow: { ref, repository, path: workflow.slice(claim('repository').length + 1) },
      },
      internalParameters: {
        github: {
          event_name: claim('event_name'),
          repository_id: claim('repository_id'),
          repository_owner_id: claim('repository_owner_id'),
          runner_environment: claim('runner_environment'),
        },
      },
      resolvedDependencies: [
        { uri: `git+${repository}@${claim('ref')}`, digest: { gitCommit: claim('sha') } },
      ],
    },
    runDetails: {
      builder: { id: `${server}/${claim('job_workflow_ref')}` },
      metadata: {
        invocationId: `${repository}/actions/runs/${claim('run_id')}/attempts/${claim('run_attempt')}`,
      },
    },
  };
}

/** As https://docs.gitlab.com/ci/pipeline_security/slsa/provenance_v1 describes it, without the job's variables: they may be secret. */
function gitlab(claim: ClaimReader, env: Environment): Provenance {
  const server =
    env['CI_SERVER_URL'] ?? `https://${claim('ci_config_ref_uri').split('/')[0] ?? 'gitlab.com'}`;
  const source = `${server}/${claim('project_path')}`;
  return {
    buildDefinition: {
      buildType: 'https://docs.gitlab.com/ci/pipeline_security/slsa/provenance_v1',
      externalParameters: { source, entryPoint: env['CI_JOB_NAME'] ?? '' },
      internalParameters: {
        name: env['CI_RUNNER_DESCRIPTION'] ?? claim('runner_id'),
        architecture: env['CI_RUNNER_EXECUTABLE_ARCH'] ?? '',
        job: claim('job_id'),
      },
      resolvedDependencies: [{ uri: `git+${source}@${claim('ref')}`, digest: { gitCommit: claim('sha') } }],
    },
    runDetails: {
      builder: { id: `${source}/-/runners/${claim('runner_id')}` },
      metadata: { invocationId: `${source}/-/jobs/${claim('job_id')}` },
    },
  };
}
