// Ambient token: an OIDC token that the place where this runs gives to its jobs, each place in its own way.

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { IssuerHint } from './audience.ts';
import { ClientError } from './client-error.ts';
import { exchange, NoAnswer, stringIn } from './exchange.ts';
import { fetchJwtSvid } from './workload-api.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where it runs: its variables, and the text of its files; undefined for one that cannot be read. */
export interface Place {
  readonly env: Environment;
  read(path: string): Promise<string | undefined>;
}

export function thisPlace(env: Environment): Place {
  return { env, read: (path) => readFile(path, 'utf8').catch(() => undefined) };
}

export interface AmbientSource {
  /** For sentences: `a token from ${name}`. */
  readonly name: string;
  readonly issuers?: IssuerHint;
  /** Whether this runs there. */
  present(place: Place): boolean | Promise<boolean>;
  /** The JWT. `audience` may refuse. Throws ClientError `token_unavailable` with what the job lacks. */
  token(place: Place, audience: () => string): string | Promise<string>;
}

/** Where Kubernetes projects a token for Sigstore's clients by convention. */
const PROJECTED = '/var/run/sigstore/cosign/oidc-token';

/** In this order: what a person has set comes before what a place offers. */
export const AMBIENT_SOURCES: readonly AmbientSource[] = [
  variable('MAYFLY_ID_TOKEN'),
  variable('SIGSTORE_ID_TOKEN'),
  file('MAYFLY_ID_TOKEN_FILE'),
  file('SIGSTORE_ID_TOKEN_FILE'),
  {
    name: 'GitHub Actions',
    issuers: {
      types: ['github', 'github-workflow', 'forgejo', 'gitea'],
      urls: ['https://token.actions.githubusercontent.com'],
    },
    present: ({ env }) => env['GITHUB_ACTIONS'] === 'true' || isSet(env, 'ACTIONS_ID_TOKEN_REQUEST_URL'),
    token: githubToken,
  },
  {
    name: 'GitLab CI',
    present: ({ env }) => env['GITLAB_CI'] === 'true',
    token: () => {
      throw unavailable(
        'this GitLab job has no ID token: add to it "id_tokens: { SIGSTORE_ID_TOKEN: { aud: sigstore } }", with the audience that the instance wants',
      );
    },
  },
  {
    name: 'Buildkite',
    issuers: { types: ['buildkite', 'buildkite-job'], urls: ['https://agent.buildkite.com'] },
    present: ({ env }) => env['BUILDKITE'] === 'true',
    token: ({ env }, audience) =>
      run(env, 'buildkite-agent', ['oidc', 'request-token', '--audience', audience()]),
  },
  {
    name: 'CircleCI',
    issuers: { types: ['circleci'], urls: ['https://oidc.circleci.com'] },
    present: ({ env }) => env['CIRCLECI'] === 'true',
    token: circleToken,
  },
  {
    name: PROJECTED,
    present: async ({ read }) => (await read(PROJECTED)) !== undefined,
    token: async ({ read }) => (await read(PROJECTED)) ?? '',
  },
  {
    name: 'the SPIFFE Workload API',
    issuers: { types: ['spiffe'], urls: [] },
    present: ({ env }) => isSet(env, 'SPIFFE_ENDPOINT_SOCKET'),
    token: ({ env }, audience) => fetchJwtSvid(env['SPIFFE_ENDPOINT_SOCKET'] ?? '', audience()),
  },
  {
    name: "Google Cloud's metadata server",
    issuers: { types: [], urls: ['https://accounts.google.com'] },
    present: isGoogleCloud,
    token: googleToken,
  },
];

/** The first place that this runs in, or undefined on a person's machine. */
export async function findAmbientSource(place: Place): Promise<AmbientSource | undefined> {
  for (const source of AMBIENT_SOURCES) if (await source.present(place)) return source;
  return undefined;
}

function variable(name: string): AmbientSource {
  return { name, present: ({ env }) => isSet(env, name), token: ({ env }) => env[name] ?? '' };
}

function file(name: string): AmbientSource {
  return {
    name,
    present: ({ env }) => isSet(env, name),
    async token({ env, read }) {
      const text = await read(env[name] ?? '');
      if (text === undefined) throw unavailable(`the file that ${name} names cannot be read`);
      return text;
    },
  };
}

async function githubToken({ env }: Place, audience: () => string): Promise<string> {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: endpoint, ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer } = env;
  if (endpoint === undefined || bearer === undefined || !URL.canParse(endpoint)) {
    throw unavailable(
      'this GitHub job may not ask for an ID token: give it "permissions: { id-token: write }" (a pull request from a fork cannot have it)',
    );
  }
  const url = new URL(endpoint);
  url.searchParams.set('audience', audience());
  const { json } = await get(url.href, { authorization: `bearer ${bearer}` }, 'GitHub Actions');
  return stringIn(json, 'value') ?? '';
}

/** CircleCI's own variable is for the organization's audience; its command makes a token for any. */
async function circleToken({ env }: Place, audience: () => string): Promise<string> {
  try {
    return await run(env, 'circleci', [
      'run',
      'oidc',
      'get',
      '--claims',
      JSON.stringify({ aud: audience() }),
    ]);
  } catch (failure) {
    const ready = env['CIRCLE_OIDC_TOKEN_V2'];
    if (ready !== undefined && ready !== '') return ready;
    throw failure;
  }
}

const METADATA_HOST = 'metadata.google.internal';

async function isGoogleCloud({ env, read }: Place): Promise<boolean> {
  if (['GCE_METADATA_HOST', 'K_SERVICE', 'CLOUD_RUN_JOB'].some((name) => isSet(env, name))) return true;
  return (await read('/sys/class/dmi/id/product_name'))?.startsWith('Google') === true;
}

async function googleToken({ env }: Place, audience: () => string): Promise<string> {
  const url = new URL(`http://${env['GCE_METADATA_HOST'] ?? METADATA_HOST}`);
  url.pathname = '/computeMetadata/v1/instance/service-accounts/default/identity';
  url.searchParams.set('audience', audience());
  url.searchParams.set('format', 'full');
  return (await get(url.href, { 'metadata-flavor': 'Google' }, 'the metadata server')).text;
}

async function get(
  url: string,
  headers: Readonly<Record<string, string>>,
  name: string,
): ReturnType<typeof exchange> {
  try {
    const answer = await exchange(url, { headers });
    if (answer.status === 200) return answer;
    throw unavailable(`${name} refused to give a token (${answer.status})`);
  } catch (cause) {
    if (!(cause instanceof NoAnswer)) throw cause;
    throw unavailable(`${name} gave no token: ${cause.message}`, cause);
  }
}

/** Output is a credential and errors may quote it, so that only the exit code is told. */
async function run(env: Environment, command: string, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(command, [...args], {
      env: { ...env },
      timeout: 30_000,
      encoding: 'utf8',
    });
    return stdout;
  } catch (failure) {
    const code = failure instanceof Error && 'code' in failure ? String(failure.code) : 'unknown';
    throw unavailable(
      code === 'ENOENT' ? `${command} is not on the PATH` : `${command} gave no token (exit code ${code})`,
    );
  }
}

function isSet(env: Environment, name: string): boolean {
  return (env[name] ?? '') !== '';
}

function unavailable(sentence: string, cause?: unknown): ClientError {
  return new ClientError('token_unavailable', sentence, cause);
}
