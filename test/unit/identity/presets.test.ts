// The presets of the list form: the public instance's certificates for public issuers, and any host of the same product.

import { describe, expect, test } from 'vitest';
import type { CiMetadata } from '../../../src/identity/provider.ts';
import metadata from '../../vectors/identity-ci-metadata.json' with { type: 'json' };
import {
  buddy,
  buildkite,
  type ClaimObject,
  circleci,
  codefresh,
  extensionsOf,
  facts,
  github,
  gitlab,
  kinds,
  mistakesOf,
  type Parameters,
  refusal,
} from './kinds.ts';

const list = (type: string, issuerUrl: string, values?: Record<string, string>): Parameters => ({
  type,
  form: 'list',
  issuerUrl,
  ...(values === undefined ? {} : { values }),
});

const GITHUB = 'https://token.actions.githubusercontent.com';

function publicMetadata(name: keyof typeof metadata.named): CiMetadata {
  const found = metadata.named[name];
  return {
    defaults: found['default-template-values'],
    extensions: found['extension-templates'],
    san: found['subject-alternative-name-template'],
  };
}

describe("the same certificate as with the public instance's templates", () => {
  test.each([
    ['github', GITHUB, { ...github, environment: 'prod' }],
    ['gitlab', 'https://gitlab.com', gitlab],
    ['buildkite', 'https://agent.buildkite.com', buildkite],
    ['circleci', 'https://oidc.circleci.com/org/o1', circleci],
    ['circleci', 'https://oidc.circleci.com/org/o1', { ...circleci, 'oidc.circleci.com/ssh-rerun': false }],
    ['codefresh', 'https://oidc.codefresh.io', codefresh],
    ['buddy', 'https://oidc.buddyusercontent.com', buddy],
  ] as const)('%s', (name, issuerUrl, claims) => {
    const fulcio = facts({ type: 'ci-provider', issuerUrl, metadata: publicMetadata(name) }, claims);
    const preset = facts(list(name, issuerUrl), claims);
    expect(preset.san).toEqual(fulcio.san);
    expect(preset.attributes).toEqual(fulcio.attributes);
    expect(preset.challenge).toBe(fulcio.challenge);
  });
});

describe('other hosts', () => {
  const urlOf = (type: string, issuerUrl: string, claims: ClaimObject, values?: Record<string, string>) =>
    extensionsOf(facts(list(type, issuerUrl, values), claims))[12];
  const ghe = { ...gitlab, ci_config_ref_uri: 'git.acme.example/sub/grp/app//.gitlab-ci.yml@refs/heads/dev' };

  test.each([
    ['github', GITHUB, github, 'https://github.com/acme/site'],
    ['github', `${GITHUB}/acme-inc`, github, 'https://github.com/acme/site'],
    ['github', 'https://token.actions.octo.ghe.com', github, 'https://octo.ghe.com/acme/site'],
    ['github', 'https://ghe.acme.example/_services/token', github, 'https://ghe.acme.example/acme/site'],
    ['github', 'http://127.0.0.1:5555/dev', github, 'http://127.0.0.1:5555/acme/site'],
    ['gitlab', 'https://git.acme.example/sub', ghe, 'https://git.acme.example/sub/grp/app'],
    ['gitea', 'https://gitea.acme.example/api/actions/oidc', github, 'https://gitea.acme.example/acme/site'],
    ['gitea', 'https://acme.example/git/api/actions/oidc', github, 'https://acme.example/git/acme/site'],
    ['forgejo', 'https://codeberg.org/api/actions', github, 'https://codeberg.org/acme/site'],
  ])('%s at %s', (type, issuerUrl, claims, url) => {
    expect(urlOf(type, issuerUrl, claims)).toBe(url);
  });

  test('Gitea: the workflow that was started is the signer of a job that is in no reusable one', () => {
    const at = list('gitea', 'https://gitea.acme.example/api/actions/oidc');
    const plain = facts(at, { ...github, job_workflow_ref: undefined, job_workflow_sha: undefined });
    const started = 'https://gitea.acme.example/acme/site/.github/workflows/top.yml@refs/heads/main';
    expect(plain.san.value).toBe(started);
    expect(extensionsOf(plain)).toMatchObject({ 9: started, 10: 'beef0002', 18: started, 19: 'beef0002' });
    const reused = 'https://gitea.acme.example/acme/shared/.github/workflows/rel.yml@refs/tags/v2';
    expect(facts(at, github).san.value).toBe(reused);
    expect(extensionsOf(facts(at, github))).toMatchObject({ 9: reused, 10: 'beef0001', 18: started });
  });

  test('the operator decides', () => {
    const values = { url: 'https://github.example.com/base//' };
    expect(urlOf('github', 'https://idp.example/x', github, values)).toBe(
      'https://github.example.com/base/acme/site',
    );
  });

  test('no claim overrides a constant', () => {
    const claims = { ...github, url: 'https://evil.example' };
    expect(facts(list('github', GITHUB), claims).san.value).toMatch(/^https:\/\/github\.com\//);
    const region = { ...buddy, base_url: 'https://evil.example' };
    expect(facts(list('buddy', 'https://eu-oidc.buddyusercontent.com'), region).san.value).toBe(
      'https://eu.buddy.works/acme/site/pipelines/pipeline/45289',
    );
  });

  test('a GitLab speaks for itself only', () => {
    const problem = refusal(list('gitlab', 'https://git.acme.example'), gitlab);
    expect(problem).toMatchObject({ code: 'claim_invalid', field: 'ci_config_ref_uri' });
    expect(problem.hint).toContain('git.acme.example/');
    const near = { ...gitlab, ci_config_ref_uri: 'gitlab.com.evil.example/grp/app//x@y' };
    expect(refusal(list('gitlab', 'https://gitlab.com'), near).field).toBe('ci_config_ref_uri');
  });

  test.each([
    ['buildkite', 'https://bk.acme.example', ['values.url']],
    ['circleci', 'https://cci.acme.example', ['values.api_url', 'values.platform_url']],
    ['codefresh', 'https://cf.acme.example', ['values.platform_url']],
    ['buddy', 'https://buddy.acme.example', ['values.base_url']],
    ['github', 'https://*.acme.example/_services/token', ['values.url']],
  ])('%s at %s needs %j', (type, issuerUrl, paths) => {
    expect(mistakesOf(list(type, issuerUrl)).map((one) => one.split(':')[0])).toEqual(paths);
  });

  test('a pattern below a known host needs nothing', () => {
    expect(mistakesOf(list('circleci', 'https://oidc.circleci.com/org/*'))).toEqual([]);
    expect(mistakesOf(list('github', `${GITHUB}/*`))).toEqual([]);
  });

  test.each([
    ['ftp://x'],
    ['github.example.com'],
    ['https://'],
    ['https://u@x'],
    ['https://x?y'],
    ['https://x/#y'],
    ['https://x\n'],
    ['https://a b'],
    [''],
  ])('%j is no value of url', (url) => {
    expect(mistakesOf(list('github', GITHUB, { url }))).toEqual([
      'values.url: takes a URL with http:// or https://, a host and perhaps a path',
    ]);
  });

  test('only constants can be set', () => {
    expect(mistakesOf(list('github', GITHUB, { sha: 'x' }))).toEqual([
      'values.sha: is no constant of github; its constants: url',
    ]);
    expect(mistakesOf(list('email', GITHUB, { url: 'https://x' }))).toEqual([
      'values.url: is no constant of email; its constants: none',
    ]);
  });
});

describe('Forgejo', () => {
  const forgejo = Object.fromEntries(
    [
      'sub',
      'event_name',
      'sha',
      'workflow',
      'repository',
      'ref',
      'repository_owner',
      'run_id',
      'run_number',
      'run_attempt',
    ]
      .map((name): [string, unknown] => [name, github[name]])
      .concat([['workflow_ref', 'acme/site/.forgejo/workflows/top.yml@refs/heads/main']]),
  );
  const at = list('forgejo', 'https://codeberg.org/api/actions');

  test('a token of a version without ids', () => {
    const made = facts(at, forgejo);
    expect(made.san.value).toBe('https://codeberg.org/acme/site/.forgejo/workflows/top.yml@refs/heads/main');
    expect(extensionsOf(made)).toEqual({
      9: made.san.value,
      12: 'https://codeberg.org/acme/site',
      13: 'c0ffee00',
      14: 'refs/heads/main',
      16: 'https://codeberg.org/acme',
      18: made.san.value,
      20: 'push',
      21: 'https://codeberg.org/acme/site/actions/runs/88#attempt-3',
    });
    expect(made.quota).toMatchObject({ identity: 'acme/site', owner: 'acme' });
  });

  test('a token with ids, and what the operator knows of the runners', () => {
    const claims = { ...forgejo, repository_id: '456', repository_owner_id: '123' };
    const values = { runner_environment: 'self-hosted' };
    const made = facts({ ...at, values }, claims);
    expect(extensionsOf(made)).toMatchObject({ 11: 'self-hosted', 15: '456', 17: '123' });
    expect(made.quota).toMatchObject({ identity: '456', owner: '123' });
  });
});

describe('older and smaller tokens', () => {
  test.each([
    [
      'github',
      `${GITHUB}`,
      github,
      [
        'workflow',
        'job_workflow_sha',
        'workflow_sha',
        'runner_environment',
        'repository_visibility',
        'environment',
      ],
    ],
    [
      'gitea',
      'https://x.example/api/actions/oidc',
      github,
      ['job_workflow_ref', 'job_workflow_sha', 'workflow_sha', 'runner_environment', 'repository_visibility'],
    ],
    [
      'gitlab',
      'https://gitlab.com',
      gitlab,
      ['ci_config_sha', 'runner_environment', 'project_visibility', 'environment'],
    ],
    [
      'buildkite',
      'https://agent.buildkite.com',
      buildkite,
      ['build_commit', 'build_source', 'runner_environment'],
    ],
    ['buddy', 'https://oidc.buddyusercontent.com', buddy, ['revision', 'ref', 'runner_environment']],
  ] as const)('%s leaves out what %s does not say', (type, issuerUrl, claims, optional) => {
    const small = Object.fromEntries(
      Object.entries(claims).filter(([name]) => !(optional as readonly string[]).includes(name)),
    );
    const nulls = { ...claims, ...Object.fromEntries(optional.map((name) => [name, null])) };
    const made = facts(list(type, issuerUrl), small);
    expect(facts(list(type, issuerUrl), nulls)).toEqual(made);
    expect(Object.values(extensionsOf(made))).not.toContain('');
    expect(JSON.stringify(made.attributes)).not.toMatch(/null|undefined/);
  });
});

describe('each required claim of a preset, removed', () => {
  const samples: ReadonlyMap<string, readonly [string, ClaimObject]> = new Map([
    ['github', [GITHUB, github]],
    ['gitlab', ['https://gitlab.com', gitlab]],
    ['gitea', ['https://x.example/api/actions/oidc', github]],
    ['forgejo', ['https://x.example/api/actions', github]],
    ['buildkite', ['https://agent.buildkite.com', buildkite]],
    ['circleci', ['https://oidc.circleci.com/org/o1', circleci]],
    ['codefresh', ['https://oidc.codefresh.io', codefresh]],
    ['buddy', ['https://oidc.buddyusercontent.com', buddy]],
  ]);

  test('every preset has a sample', () => {
    expect([...kinds].filter(([, { preset }]) => preset).map(([name]) => name)).toEqual([...samples.keys()]);
  });

  const table = [...samples].flatMap(([type, [issuerUrl, claims]]) =>
    [...(kinds.get(type)?.claims ?? [])]
      .filter(([, rule]) => rule.default === undefined)
      .map(([name, rule]): [string, string, string, ClaimObject] => [
        type,
        rule.path?.[0] ?? name,
        issuerUrl,
        claims,
      ]),
  );

  test.each(table)('%s: %s', (type, name, issuerUrl, claims) => {
    expect(facts(list(type, issuerUrl), claims).san.kind).toBe('uri');
    expect(refusal(list(type, issuerUrl), { ...claims, [name]: undefined })).toMatchObject({
      code: 'claim_missing',
      field: name,
    });
    expect(refusal(list(type, issuerUrl), { ...claims, [name]: ['x'] })).toMatchObject({
      code: 'claim_invalid',
      field: name,
    });
  });
});
