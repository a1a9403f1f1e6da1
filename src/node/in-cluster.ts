// In-cluster credentials: what a pod shows the API server of its own cluster to read that server's key set.

import { readFile } from 'node:fs/promises';
import { FetchError } from '../token/fetcher.ts';
import { type Issuer, IssuerDirectory } from '../token/issuer.ts';
import type { IssuerCredentials } from '../token/key-source.ts';

/** The issuer that a cluster is by default, seen from inside. */
const apiServer = 'https://kubernetes.default.svc';

/** Where Fulcio's chart mounts the CA, then where Kubernetes does. */
const defaultCaFiles = [
  '/var/run/fulcio/ca.crt',
  '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt',
] as const;
const defaultTokenFile = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/**
 * The URLs of the issuers that are the cluster's own, by Fulcio's rule: where one entry matches the API server, every
 * exact entry of a Kubernetes kind, and the API server itself.
 */
export function inClusterIssuers(
  issuers: readonly Issuer[],
  isKubernetes: (issuer: Issuer) => boolean,
): ReadonlySet<string> {
  if (new IssuerDirectory(issuers).find(apiServer).length === 0) return new Set();
  const own = issuers.filter(
    (issuer) => !issuer.wildcard && (issuer.url === apiServer || isKubernetes(issuer)),
  );
  return new Set(own.map(({ url }) => url));
}

/** For the issuers that are configured at the time, by `isKubernetes` told apart. */
export function inClusterCredentials(
  issuers: () => readonly Issuer[],
  isKubernetes: (issuer: Issuer) => boolean,
): IssuerCredentials {
  return {
    presentTo(url, issuer) {
      return new InClusterCredentials(inClusterIssuers(issuers(), isKubernetes)).presentTo(url, issuer);
    },
  };
}

export interface InClusterOptions {
  /** The first that exists is taken. */
  readonly caFiles?: readonly string[];
  readonly tokenFile?: string;
}

export class InClusterCredentials implements IssuerCredentials {
  readonly #issuers: ReadonlySet<string>;
  readonly #caFiles: readonly string[];
  readonly #tokenFile: string;

  /** `issuers` are URLs, as inClusterIssuers finds them. */
  constructor(issuers: ReadonlySet<string>, options: InClusterOptions = {}) {
    this.#issuers = issuers;
    this.#caFiles = options.caFiles ?? defaultCaFiles;
    this.#tokenFile = options.tokenFile ?? defaultTokenFile;
  }

  /** Files are read each time: the token is replaced about once an hour. Rejects with a FetchError without a CA. */
  async presentTo(url: URL, issuer: Issuer): ReturnType<IssuerCredentials['presentTo']> {
    if (!this.#issuers.has(issuer.url)) return undefined;
    const caCert = issuer.caCert ?? (await this.#readCa());
    const isHome = url.protocol === 'https:' && url.host === URL.parse(issuer.url)?.host;
    const bearer = isHome ? (await readIfThere(this.#tokenFile))?.trim() : undefined;
    return { caCert, ...(bearer && { bearer }) };
  }

  async #readCa(): Promise<string> {
    for (const file of this.#caFiles) {
      const text = await readIfThere(file);
      if (text !== undefined) return text;
    }
    throw new FetchError('tls_failed', `no CA of the cluster at ${this.#caFiles.join(' or ')}`);
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new FetchError('tls_failed', `cannot read ${file}`, error);
  }
}
