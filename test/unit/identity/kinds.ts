// The shipped kinds, and claims of each that are accepted, for the tests of this folder.

import { readFileSync } from 'node:fs';
import { parseProviders } from '../../../src/config/providers.ts';
import { derive, type IdentityFacts } from '../../../src/identity/identity.ts';
import { compileProvider, type Provider, type ProviderParameters } from '../../../src/identity/provider.ts';
import { Problem } from '../../../src/problem.ts';
import { claimsOf } from '../../../src/token/claims.ts';

export const providersText = readFileSync(new URL('../../../config/providers.yaml', import.meta.url), 'utf8');
export const kinds = parseProviders(providersText);

export const ISSUER = 'https://idp.example.org';

export type Parameters = Partial<ProviderParameters> & Pick<ProviderParameters, 'type'>;

export function providerOf(parameters: Parameters): Provider {
  const compiled = compileProvider(kinds, { form: 'fulcio', issuerUrl: ISSUER, ...parameters });
  if ('mistakes' in compiled) throw new Error(JSON.stringify(compiled.mistakes));
  return compiled.provider;
}

/** Messages with their paths: `subject-domain: ...`. */
export function mistakesOf(parameters: Parameters): string[] {
  const compiled = compileProvider(kinds, { form: 'fulcio', issuerUrl: ISSUER, ...parameters });
  if ('provider' in compiled) return [];
  return compiled.mistakes.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

export type ClaimObject = Readonly<Record<string, unknown>>;

export function facts(parameters: Parameters, claims: ClaimObject): IdentityFacts {
  const iss = parameters.issuerUrl ?? ISSUER;
  return derive(providerOf(parameters), iss, claimsOf({ iss, aud: 'sigstore', ...claims }));
}

/** The Problem that the claims meet; anything else that is thrown, or nothing, fails the test. */
export function refusal(parameters: Parameters, claims: ClaimObject): Problem {
  try {
    facts(parameters, claims);
  } catch (failure) {
    if (failure instanceof Problem) return failure;
    throw failure;
  }
  throw new Error('accepted');
}

/** Extensions by number, without the issuer's and the subject's. */
export function extensionsOf({ attributes }: IdentityFacts): Record<number, string> {
  return Object.fromEntries(
    attributes
      .filter(({ extension }) => ![1, 8, 24].includes(extension))
      .map(({ extension, value }) => [extension, value]),
  );
}

export const github: ClaimObject = {
  sub: 'repo:acme/site:ref:refs/heads/main',
  event_name: 'push',
  sha: 'c0ffee00',
  workflow: 'release',
  repository: 'acme/site',
  ref: 'refs/heads/main',
  job_workflow_ref: 'acme/shared/.github/workflows/rel.yml@refs/tags/v2',
  job_workflow_sha: 'beef0001',
  runner_environment: 'github-hosted',
  repository_id: '311',
  repository_owner: 'acme',
  repository_owner_id: '27',
  repository_visibility: 'public',
  workflow_ref: 'acme/site/.github/workflows/top.yml@refs/heads/main',
  workflow_sha: 'beef0002',
  run_id: '9001',
  run_attempt: '3',
  run_number: '88',
};

export const gitlab: ClaimObject = {
  sub: 'project_path:grp/app:ref_type:branch:ref:dev',
  namespace_id: '72',
  namespace_path: 'grp',
  project_id: '20',
  project_path: 'grp/app',
  project_visibility: 'internal',
  pipeline_id: '574',
  pipeline_source: 'web',
  job_id: '302',
  ref: 'dev',
  ref_type: 'branch',
  runner_id: 5,
  runner_environment: 'gitlab-hosted',
  sha: 'abad1dea',
  ci_config_ref_uri: 'gitlab.com/grp/app//.gitlab-ci.yml@refs/heads/dev',
  ci_config_sha: 'feed0003',
};

export const buildkite: ClaimObject = {
  sub: 'organization:acme:pipeline:site',
  organization_slug: 'acme',
  pipeline_slug: 'site',
  build_number: 88,
  job_id: 'j-1',
  runner_environment: 'self-hosted',
  build_commit: 'd00d',
  build_source: 'webhook',
};

export const codefresh: ClaimObject = {
  sub: 'account:a1:pipeline:p2',
  account_id: 'a1',
  account_name: 'acme',
  pipeline_id: 'p2',
  pipeline_name: 'web/site',
  workflow_id: 'w3',
  scm_repo_url: 'https://github.com/acme/site',
  scm_ref: 'main',
  runner_environment: 'hybrid',
};

export const circleci: ClaimObject = {
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

export const buddy: ClaimObject = {
  sub: 'https://app.buddy.works/acme/site/pipelines/pipeline/45289',
  workspace_domain: 'acme',
  project_name: 'site',
  pipeline_id: 45289,
  execution_id: 'RELEASE-69',
  triggered_on: 'MANUAL',
  runner_environment: 'platform-hosted',
  revision: 'c0ffee00',
  ref: 'refs/heads/main',
};
