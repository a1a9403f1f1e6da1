import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { InClusterCredentials, inClusterIssuers } from '../../../src/node/in-cluster.ts';
import { NodeFetcher } from '../../../src/node/system/fetcher.ts';
import { Problem } from '../../../src/problem.ts';
import { type Issuer, IssuerDirectory } from '../../../src/token/issuer.ts';
import { IssuerKeys } from '../../../src/token/issuer-keys.ts';
import { authenticate } from '../../../src/token/verified-token.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { newTlsIdentity, type TlsIdentity } from '../../fakes/tls.ts';

let folder: string;
let tls: TlsIdentity;
let cluster: FakeIssuer;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mayfly-'));
  tls = await newTlsIdentity();
  cluster = await startIssuer({ tls });
});
afterEach(async () => {
  await cluster.close();
  await rm(folder, { recursive: true });
});

function entry(url: string): Issuer {
  return { name: url, url, wildcard: url.includes('*'), audiences: ['sigstore'] };
}

function keysFor(...own: string[]): IssuerKeys {
  const credentials = new InClusterCredentials(new Set(own), {
    caFiles: [join(folder, 'none.crt'), join(folder, 'ca.crt')],
    tokenFile: join(folder, 'token'),
  });
  return new IssuerKeys({ fetcher: new NodeFetcher(), clock: systemClock, credentials });
}

async function outcome(token: string, keys: IssuerKeys, issuer: Issuer): Promise<string> {
  try {
    await authenticate(token, new IssuerDirectory([issuer]), keys, systemClock.now());
    return 'ok';
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
}

it('presents the token of the pod, read anew each time, over the CA of the cluster', async () => {
  await writeFile(join(folder, 'ca.crt'), tls.cert);
  const issuer = entry(cluster.url);
  expect(await outcome(await cluster.sign(), keysFor(cluster.url), issuer)).toBe('ok');
  expect(cluster.authorizations).toEqual([undefined, undefined]); // no token, no bearer
  await writeFile(join(folder, 'token'), 'first\n');
  const keys = keysFor(cluster.url);
  expect(await outcome(await cluster.sign(), keys, issuer)).toBe('ok');
  await writeFile(join(folder, 'token'), 'second');
  keys.retain([]);
  expect(await outcome(await cluster.sign(), keys, { ...issuer })).toBe('ok');
  expect(cluster.authorizations.slice(2)).toEqual([
    'Bearer first',
    'Bearer first',
    'Bearer second',
    'Bearer second',
  ]);
});

it('leaves the issuer unusable without a CA', async () => {
  expect(await outcome(await cluster.sign(), keysFor(cluster.url), entry(cluster.url))).toBe(
    'issuer_unreachable',
  );
  expect(cluster.fetches).toBe(0);
});

it('presents nothing to other issuers, nor to another host that holds the keys', async () => {
  await writeFile(join(folder, 'ca.crt'), tls.cert);
  await writeFile(join(folder, 'token'), 'secret');
  const other = await startIssuer({ tls });
  const trusting = { ...entry(other.url), caCert: tls.cert };
  expect(await outcome(await other.sign(), keysFor(cluster.url), trusting)).toBe('ok');
  cluster.document['jwks_uri'] = other.jwksUri;
  const away = { ...entry(cluster.url), jwksHosts: [new URL(other.url).host] };
  const token = await cluster.sign({}, { key: other.keys[0] });
  expect(await outcome(token, keysFor(cluster.url), away)).toBe('ok');
  expect(cluster.authorizations).toEqual(['Bearer secret']);
  expect(other.authorizations).toEqual([undefined, undefined, undefined]);
  await other.close();
});

it('is for the exact Kubernetes issuers of a configuration that knows the API server', () => {
  const [api, kube, ci, wild] = [
    'https://kubernetes.default.svc',
    'https://kube.test',
    'https://ci.test',
    'https://*.kube.test',
  ].map(entry);
  if (!api || !kube || !ci || !wild) throw new Error('four entries');
  const isKubernetes = (issuer: Issuer) => issuer.url.includes('kube');
  expect([...inClusterIssuers([api, kube, ci, wild], isKubernetes)]).toEqual([api.url, kube.url]);
  expect([...inClusterIssuers([kube, ci, wild], isKubernetes)]).toEqual([]);
  expect([...inClusterIssuers([kube, entry('https://kubernetes.*.svc')], isKubernetes)]).toEqual([kube.url]);
});
