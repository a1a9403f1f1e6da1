// Advisories: what went wrong in Fulcio's handling of tokens, each tried against the whole of ours.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { InClusterCredentials, inClusterIssuers } from '../../../src/node/in-cluster.ts';
import { NodeFetcher } from '../../../src/node/system/fetcher.ts';
import { Problem } from '../../../src/problem.ts';
import { type Issuer, IssuerDirectory } from '../../../src/token/issuer.ts';
import { IssuerKeys, type IssuerKeysOptions } from '../../../src/token/issuer-keys.ts';
import { authenticate } from '../../../src/token/verified-token.ts';
import { send } from '../../fakes/client.ts';
import { startInstance } from '../../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';

let issuer: FakeIssuer;
let stranger: FakeIssuer;
beforeEach(async () => {
  issuer = await startIssuer();
  stranger = await startIssuer();
});
afterEach(async () => {
  await issuer.close();
  await stranger.close();
});

const entry = (url: string): Issuer => ({
  name: 'test',
  url,
  wildcard: url.includes('*'),
  audiences: ['sigstore'],
});

async function outcome(
  token: string,
  entries: readonly Issuer[],
  options: Partial<IssuerKeysOptions> = {},
): Promise<string> {
  const keys = new IssuerKeys({ fetcher: new NodeFetcher(), clock: systemClock, ...options });
  try {
    await authenticate(token, new IssuerDirectory(entries), keys, systemClock.now());
    return 'ok';
  } catch (failure) {
    if (failure instanceof Problem) return failure.code;
    throw failure;
  }
}

describe('GHSA-59jp-pj84-45mr: a wildcard that is not anchored leads requests where a token wants them', () => {
  it.each([
    (own: string, other: string) => `${other}/${own}/a`, // the pattern somewhere inside
    (own: string, other: string) => `${other}/?x=${own}/a`,
    (own: string) => `${own}/a/b`, // a * that crosses a slash
    (own: string) => `${own}/a?b`,
    (own: string) => `${own}/a.b`,
    (own: string) => `${own}/a@b:1`,
    (own: string) => `${own}/a#`,
    (own: string) => `${own}/`,
    (own: string) => `x${own}/a`,
    (own: string) => `${own}/a\n`,
  ])('%s is nobody we know, and nothing is fetched', async (url) => {
    const token = await stranger.sign({ iss: url(issuer.url, stranger.url) });
    expect(await outcome(token, [entry(`${issuer.url}/*`)])).toBe('issuer_unknown');
    expect(issuer.fetches + stranger.fetches).toBe(0);
  });

  it('and one that matches as it should is served', async () => {
    const tenant = await issuer.sibling('/a-Z_9');
    expect(await outcome(await tenant.sign(), [entry(`${issuer.url}/*`)])).toBe('ok');
  });
});

describe('GHSA-f83f-xpx7-ffpw: a token of many dots takes memory for each of them', () => {
  it.each([
    ['.'.repeat(16_000), 'token_malformed'],
    [`a.${'b.'.repeat(8_000)}c`, 'token_malformed'],
    ['.'.repeat(10_000_000), 'token_too_large'],
  ])('%#: refused before it is taken apart', async (token, code) => {
    expect(await outcome(token, [entry(issuer.url)])).toBe(code);
  });

  it('and no larger body is read', async () => {
    const instance = await startInstance({ settings: { log: 'none' } });
    for (const headers of [{}, { authorization: `Bearer ${'.'.repeat(20_000)}` }]) {
      const body = JSON.stringify({ credentials: { oidcIdentityToken: '.'.repeat(1_000_000) } });
      const answer = await send(instance.url, '/api/v2/signingCert', { method: 'POST', headers, body });
      expect(answer.status).toBe(413);
    }
    await instance.close();
  });
});

describe('GHSA-f5mr-q85p-6hh6: an issuer sends us to another host for its keys', () => {
  it.each(['discovery', 'jwks'] as const)('by a redirect of its %s: not followed', async (document) => {
    issuer[document] = { redirect: `${stranger.url}/jwks` };
    stranger.published = issuer.published; // they would even verify
    expect(await outcome(await issuer.sign(), [entry(issuer.url)])).toBe('issuer_unreachable');
    expect(stranger.fetches).toBe(0);
  });

  it.each([
    ['plain http', () => `${stranger.url}/jwks`],
    ['a private address', () => 'https://10.0.0.1/jwks'],
    ['the metadata service', () => 'http://169.254.169.254/latest/meta-data'],
    ['the same in IPv6', () => 'https://[::ffff:a9fe:a9fe]/jwks'],
  ])('by a jwks_uri at %s: not fetched', async (_, url) => {
    issuer.document['jwks_uri'] = url();
    expect(await outcome(await issuer.sign(), [entry(issuer.url)])).toBe('issuer_unreachable');
    expect(stranger.fetches).toBe(0);
  });

  it('by a document that names another issuer: not believed', async () => {
    issuer.document['issuer'] = stranger.url;
    expect(await outcome(await issuer.sign(), [entry(issuer.url)])).toBe('issuer_unreachable');
  });
});

describe('fulcio#2356: the service-account token of the pod reaches an issuer that is not the cluster', () => {
  let folder: string;
  let files: { caFiles: string[]; tokenFile: string };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mayfly-pod-'));
    files = { caFiles: [join(folder, 'ca.crt')], tokenFile: join(folder, 'token') };
    writeFileSync(join(folder, 'ca.crt'), '');
    writeFileSync(join(folder, 'token'), 'the-secret-of-the-pod');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it.each(['an exact issuer', 'one that a wildcard matches'])('%s gets no bearer', async (kind) => {
    const tenant = await issuer.sibling('/tenant');
    const own = entry('https://kubernetes.default.svc');
    const entries = [own, entry(kind === 'an exact issuer' ? tenant.url : `${issuer.url}/*`)];
    const credentials = new InClusterCredentials(
      inClusterIssuers(entries, ({ url }) => url === own.url),
      files,
    );
    expect(await outcome(await tenant.sign(), entries, { credentials })).toBe('ok');
    expect(tenant.authorizations).toEqual([undefined, undefined]);
  });
});
