// Issuer probe: what an OpenID issuer answers from here: its discovery document, its keys, and its clock.

import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { getCACertificates } from 'node:tls';
import { fromUtf8 } from '../encoding/bytes.ts';
import type { SignatureAlgorithm } from '../token/algorithm.ts';
import { type Discovery, discoveryTarget, type FetchTarget, readDiscovery } from '../token/discovery.ts';
import type { Fetcher } from '../token/fetcher.ts';
import type { Issuer } from '../token/issuer.ts';
import { type IssuerDocument, IssuerFault } from '../token/issuer-fault.ts';
import { defaultLimits } from '../token/issuer-keys.ts';
import { JwkSet } from '../token/jwk-set.ts';

export interface PublishedKey {
  readonly kid: string | undefined;
  /** Such as RSA 2048 or EC P-256. */
  readonly kind: string;
  readonly alg: string | undefined;
  /** Whether tokens may be signed with it here. */
  readonly usable: boolean;
}

export interface IssuerProbe {
  readonly discoveryUrl: string;
  readonly jwksUri: string;
  /** Those of its algorithms that are accepted here. */
  readonly algorithms: readonly SignatureAlgorithm[];
  readonly keys: readonly PublishedKey[];
  /** Its clock less ours, in ms, to the second; undefined where it does not say. */
  readonly clockAhead: number | undefined;
}

/** Rejects with an IssuerFault. */
export async function probeIssuer(issuer: Issuer, fetcher: Fetcher): Promise<IssuerProbe> {
  const found = await discover(issuer, fetcher);
  const document = await fetchJson(found.jwks, 'key set', issuer, fetcher);
  const keys = await keysIn(document);
  if (keys === undefined) throw new IssuerFault('document_malformed', 'key set', 'not a JWK set');
  return {
    discoveryUrl: discoveryTarget(issuer, issuer.url).url.href,
    jwksUri: found.jwks.url.href,
    algorithms: found.algorithms,
    keys,
    clockAhead: await clockAhead(found.jwks.url, issuer.caCert),
  };
}

async function discover(issuer: Issuer, fetcher: Fetcher): Promise<Discovery> {
  try {
    const target = discoveryTarget(issuer, issuer.url);
    return readDiscovery(await fetchJson(target, 'discovery document', issuer, fetcher), issuer, issuer.url);
  } catch (error) {
    throw IssuerFault.from(error, 'discovery document');
  }
}

async function fetchJson(
  target: FetchTarget,
  document: IssuerDocument,
  { caCert }: Issuer,
  fetcher: Fetcher,
): Promise<unknown> {
  try {
    const { status, body } = await fetcher.get(target.url.href, {
      timeoutMs: defaultLimits.fetchTimeoutMs,
      maxBytes: defaultLimits.maxBytes,
      addresses: target.addresses,
      ...(caCert !== undefined && { caCert }),
    });
    if (status !== 200) throw new IssuerFault('status_not_ok', document, `HTTP status ${status}`);
    return JSON.parse(fromUtf8(body));
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new IssuerFault('document_malformed', document, 'not JSON', error);
    throw IssuerFault.from(error, document);
  }
}

/** Those that Mayfly leaves out as well, so that it shows why a token does not verify. */
async function keysIn(document: unknown): Promise<readonly PublishedKey[] | undefined> {
  if (JwkSet.parse(document) === undefined) return undefined;
  const { keys } = document as { readonly keys: readonly unknown[] }; // what parse has looked at
  const described = keys.map(async (key) => {
    const own = (name: string): string | undefined => {
      const value: unknown = typeof key === 'object' && key !== null ? Reflect.get(key, name) : undefined;
      return typeof value === 'string' ? value : undefined;
    };
    const n = own('n');
    const size = n === undefined ? own('crv') : String(Buffer.from(n, 'base64url').length * 8);
    return {
      kid: own('kid'),
      kind: [own('kty') ?? 'unknown', size].filter((part) => part !== undefined).join(' '),
      alg: own('alg'),
      usable: await isUsable(key),
    };
  });
  return Promise.all(described);
}

/** Whether it is one of a set's keys here, and the runtime takes it, long enough and on its curve. */
async function isUsable(key: unknown): Promise<boolean> {
  const alone = JwkSet.parse({ keys: [key] });
  const found = await Promise.all(alone?.algorithms.map((alg) => alone.find(alg, undefined)) ?? []);
  return found.some((fit) => fit.length > 0);
}

/** By the Date of an answer (RFC 9110 section 6.6.1), and what a cache says of its Age (RFC 9111 section 5.1). */
function clockAhead(url: URL, caCert: string | undefined): Promise<number | undefined> {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const ca = caCert === undefined ? {} : { ca: [...getCACertificates('default'), caCert] };
  const sent = Date.now();
  return new Promise((resolve) => {
    const request = send(
      url,
      { method: 'HEAD', timeout: defaultLimits.fetchTimeoutMs, ...ca },
      (response) => {
        const age = Number(response.headers.age ?? 0);
        const told = Date.parse(response.headers.date ?? '') + age * 1000;
        response.destroy();
        const here = (sent + Date.now()) / 2;
        // A Date is cut to its second, so it is half a second behind on average.
        resolve(Number.isNaN(told) ? undefined : Math.round((told + 500 - here) / 1000) * 1000);
      },
    );
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
    request.end();
  });
}
