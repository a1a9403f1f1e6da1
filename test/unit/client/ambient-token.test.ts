// Ambient tokens: each place that gives one, as it does it: environment, files, programs, HTTP, and gRPC on a socket.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import {
  type Environment,
  findAmbientSource,
  type Place,
  thisPlace,
} from '../../../src/client/ambient-token.ts';

const folder = mkdtempSync(join(tmpdir(), 'mayfly-ambient-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const AUDIENCE = () => 'mayfly';

/** The files of the tests and those of `files`, and nothing of what this machine is. */
function placeOf(env: Environment, files: Readonly<Record<string, string>> = {}): Place {
  const { read } = thisPlace(env);
  return { env, read: async (path) => files[path] ?? (path.startsWith(folder) ? read(path) : undefined) };
}

async function tokenIn(env: Environment, files?: Readonly<Record<string, string>>): Promise<string> {
  const place = placeOf(env, files);
  const source = await findAmbientSource(place);
  if (source === undefined) throw new Error('no source');
  return source.token(place, AUDIENCE);
}

const refusal = (words: RegExp): unknown =>
  expect.objectContaining({ code: 'token_unavailable', message: expect.stringMatching(words) });

/** A server that answers each request with what `answer` says. */
async function serve(answer: (request: IncomingMessage) => readonly [number, string]): Promise<string> {
  const server: Server = createServer((request, response) => {
    const [status, text] = answer(request);
    response.writeHead(status).end(text);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  cleanups.push(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A folder for PATH with one program in it, a shell script. */
function program(name: string, script: string): string {
  const bin = mkdtempSync(join(folder, 'bin-'));
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, name), 0o755);
  return bin;
}

test('is nowhere on a machine of no kind', async () => {
  expect(await findAmbientSource(placeOf({}))).toBeUndefined();
});

describe('the environment', () => {
  test.each(['MAYFLY_ID_TOKEN', 'SIGSTORE_ID_TOKEN'])(
    '%s holds the token, whatever else is there',
    async (name) => {
      expect(await tokenIn({ [name]: 'the token', GITLAB_CI: 'true', GITHUB_ACTIONS: 'true' })).toBe(
        'the token',
      );
    },
  );

  test.each(['MAYFLY_ID_TOKEN_FILE', 'SIGSTORE_ID_TOKEN_FILE'])('%s names its file', async (name) => {
    const file = join(folder, 'token');
    writeFileSync(file, 'the token\n');
    expect(await tokenIn({ [name]: file })).toBe('the token\n');
    await expect(tokenIn({ [name]: join(folder, 'absent') })).rejects.toThrow(refusal(/cannot be read/));
  });
});

describe('GitHub Actions', () => {
  const env = (host: string): Environment => ({
    GITHUB_ACTIONS: 'true',
    ACTIONS_ID_TOKEN_REQUEST_URL: `http://${host}/token?api-version=2`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'request token',
  });

  test('is asked for the audience', async () => {
    const host = await serve(({ url, headers }) => [
      url === '/token?api-version=2&audience=mayfly' && headers.authorization === 'bearer request token'
        ? 200
        : 400,
      '{"value":"the token"}',
    ]);
    expect(await tokenIn(env(host))).toBe('the token');
  });

  test('refuses', async () => {
    const host = await serve(() => [403, 'no']);
    await expect(tokenIn(env(host))).rejects.toThrow(
      refusal(/GitHub Actions refused to give a token \(403\)/),
    );
  });

  test('says what a job without the permission lacks', async () => {
    await expect(tokenIn({ GITHUB_ACTIONS: 'true' })).rejects.toThrow(refusal(/id-token: write/));
  });
});

test('GitLab CI says what the job lacks', async () => {
  await expect(tokenIn({ GITLAB_CI: 'true' })).rejects.toThrow(refusal(/id_tokens: { SIGSTORE_ID_TOKEN/));
});

describe('Buildkite', () => {
  test("'s agent is asked for the audience", async () => {
    const PATH = program(
      'buildkite-agent',
      '[ "$*" = "oidc request-token --audience mayfly" ] && echo "the token"',
    );
    expect(await tokenIn({ BUILDKITE: 'true', PATH })).toBe('the token\n');
  });

  test("'s agent fails, and nothing that it printed is told", async () => {
    const PATH = program('buildkite-agent', 'echo secret; echo secret >&2; exit 3');
    const failure = await tokenIn({ BUILDKITE: 'true', PATH }).catch((error: unknown) => error);
    expect(failure).toEqual(refusal(/^buildkite-agent gave no token \(exit code 3\)$/));
    expect(JSON.stringify(failure, Object.getOwnPropertyNames(failure))).not.toContain('secret');
  });

  test("'s agent is missing", async () => {
    await expect(tokenIn({ BUILDKITE: 'true', PATH: folder })).rejects.toThrow(refusal(/not on the PATH/));
  });
});

describe('CircleCI', () => {
  test('makes a token for the audience', async () => {
    const PATH = program('circleci', `[ "$5" = '{"aud":"mayfly"}' ] && echo "the token"`);
    expect(await tokenIn({ CIRCLECI: 'true', CIRCLE_OIDC_TOKEN_V2: 'other', PATH })).toBe('the token\n');
  });

  test('has a token ready where its command is missing', async () => {
    expect(await tokenIn({ CIRCLECI: 'true', CIRCLE_OIDC_TOKEN_V2: 'ready', PATH: folder })).toBe('ready');
    await expect(tokenIn({ CIRCLECI: 'true', PATH: folder })).rejects.toThrow(refusal(/not on the PATH/));
  });
});

test('Kubernetes projects a token where Sigstore looks for one', async () => {
  expect(await tokenIn({}, { '/var/run/sigstore/cosign/oidc-token': 'the token' })).toBe('the token');
});

test('the token that Kubernetes gives every pod is for its own API, and stays there', async () => {
  const files = { '/var/run/secrets/kubernetes.io/serviceaccount/token': 'a credential' };
  expect(await findAmbientSource(placeOf({ KUBERNETES_SERVICE_HOST: '10.0.0.1' }, files))).toBeUndefined();
});

test('a machine of Google Cloud is known by its board', async () => {
  const files = { '/sys/class/dmi/id/product_name': 'Google Compute Engine\n' };
  expect((await findAmbientSource(placeOf({}, files)))?.name).toBe("Google Cloud's metadata server");
});

test("Google Cloud's metadata server is asked for the audience", async () => {
  const host = await serve(({ url, headers }) => [
    headers['metadata-flavor'] === 'Google' &&
    url === '/computeMetadata/v1/instance/service-accounts/default/identity?audience=mayfly&format=full'
      ? 200
      : 404,
    'the token',
  ]);
  expect(await tokenIn({ GCE_METADATA_HOST: host })).toBe('the token');
});

describe('the SPIFFE Workload API', () => {
  /** A server of one method; `answer` gives the status and the tokens for an audience. */
  function workloadApi(
    answer: (audience: string) => { readonly status: number; readonly svids: readonly string[] },
  ): {
    listen(...at: readonly [string] | readonly [number, string]): Promise<Http2Server>;
  } {
    const server = createHttp2Server();
    server.on('stream', (stream: ServerHttp2Stream, headers) => {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        const reader = new BinaryReader(Buffer.concat(parts).subarray(5));
        const known =
          headers[':path'] === '/SpiffeWorkloadAPI/FetchJWTSVID' && headers['workload.spiffe.io'] === 'true';
        const [field] = reader.tag();
        const { status, svids } = known && field === 1 ? answer(reader.string()) : { status: 12, svids: [] };
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(status) }));
        stream.end(status === 0 ? framed(svids) : undefined);
      });
    });
    cleanups.push(() => void server.close());
    return {
      listen: (...at) =>
        new Promise((listening) => {
          const done = (): void => listening(server);
          if (at.length === 1) server.listen(at[0], done);
          else server.listen(at[0], at[1], done);
        }),
    };
  }

  function framed(svids: readonly string[]): Buffer {
    const response = new BinaryWriter();
    for (const svid of svids)
      response.tag(1, 2).fork().tag(1, 2).string('spiffe://example.org/build').tag(2, 2).string(svid).join();
    const message = response.finish();
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    return Buffer.concat([prefix, message]);
  }

  test('gives its first identity, on a socket', async () => {
    const socket = join(folder, 'agent.sock');
    const api = workloadApi((audience) => ({ status: 0, svids: [`for ${audience}`, 'another'] }));
    await api.listen(socket);
    expect(await tokenIn({ SPIFFE_ENDPOINT_SOCKET: `unix://${socket}` })).toBe('for mayfly');
    expect(await tokenIn({ SPIFFE_ENDPOINT_SOCKET: `unix:${socket}` })).toBe('for mayfly');
  });

  test('gives it on a port', async () => {
    const api = workloadApi(() => ({ status: 0, svids: ['the token'] }));
    const { port } = (await api.listen(0, '127.0.0.1')).address() as AddressInfo;
    expect(await tokenIn({ SPIFFE_ENDPOINT_SOCKET: `tcp://127.0.0.1:${port}` })).toBe('the token');
  });

  test.each([
    ['knows no such workload', 7, [], /no identity for this workload/],
    ['gives none', 0, [], /no identity for this workload/],
    ['fails', 14, [], /gave no token/],
  ] as const)('%s', async (_, status, svids, words) => {
    const socket = join(mkdtempSync(join(folder, 's-')), 'agent.sock');
    await workloadApi(() => ({ status, svids })).listen(socket);
    await expect(tokenIn({ SPIFFE_ENDPOINT_SOCKET: `unix://${socket}` })).rejects.toThrow(refusal(words));
  });

  test.each([
    ['nobody listens', `unix://${join(folder, 'absent.sock')}`, /gave no token/],
    ['the address is none', 'agent.sock', /unix:\/\/\/path or tcp/],
  ])('%s', async (_, endpoint, words) => {
    await expect(tokenIn({ SPIFFE_ENDPOINT_SOCKET: endpoint })).rejects.toThrow(refusal(words));
  });
});
