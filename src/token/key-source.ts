// Key source: the two documents that lead to an issuer's keys, fetched within one deadline and checked.

import type { Clock, Instant } from '../clock.ts';
import { fromUtf8 } from '../encoding/bytes.ts';
import type { SignatureAlgorithm } from './algorithm.ts';
import {
  type Discovery,
  discoveryTarget,
  type FetchTarget,
  overrideTarget,
  readDiscovery,
} from './discovery.ts';
import type { Fetcher } from './fetcher.ts';
import type { Issuer } from './issuer.ts';
import { type IssuerDocument, IssuerFault } from './issuer-fault.ts';
import { JwkSet } from './jwk-set.ts';

export interface LoadedKeys {
  readonly set: JwkSet;
  readonly algorithms: readonly SignatureAlgorithm[];
}

/** What to present to an issuer that answers only to those it knows, as the API server of a Kubernetes cluster does. */
export interface IssuerCredentials {
  /** Asked before each fetch, so that a rotated secret is read again. Must answer with a bearer for the issuer's own host only. */
  presentTo(
    url: URL,
    issuer: Issuer,
  ): Promise<{ readonly caCert?: string; readonly bearer?: string } | undefined>;
}

export interface SourceLimits {
  /** For discovery document and key set together. */
  readonly fetchTimeoutMs: number;
  readonly maxBytes: number;
  /** After which the discovery document is fetched again along with the keys. */
  readonly discoveryMaxAgeMs: number;
  /** Up to which an older discovery document serves while it cannot be fetched. */
  readonly maxStaleMs: number;
}

export interface SourceParts {
  readonly fetcher: Fetcher;
  readonly clock: Clock;
  readonly credentials: IssuerCredentials | undefined;
  readonly limits: SourceLimits;
}

export class KeySource {
  readonly #issuer: Issuer;
  readonly #iss: string;
  readonly #parts: SourceParts;
  #discovery: { readonly value: Discovery; readonly at: Instant; readonly suspect: boolean } | undefined;

  constructor(issuer: Issuer, iss: string, parts: SourceParts) {
    this.#issuer = issuer;
    this.#iss = iss;
    this.#parts = parts;
  }

  /** Rejects with an IssuerFault, and with nothing else. */
  async load(): Promise<LoadedKeys> {
    let document: IssuerDocument = 'discovery document';
    try {
      const { clock, limits } = this.#parts;
      const deadline = clock.now() + limits.fetchTimeoutMs;
      const { jwksUri } = this.#issuer;
      if (jwksUri !== undefined) {
        document = 'key set';
        const set = await this.#fetchKeys(overrideTarget(jwksUri), deadline);
        return { set, algorithms: set.algorithms };
      }
      const discovery = await this.#discover(deadline);
      document = 'key set';
      const set = await this.#fetchKeys(discovery.jwks, deadline);
      return { set, algorithms: discovery.algorithms };
    } catch (error) {
      // Keys that are not where the document says may have moved: look there again the next time.
      if (document === 'key set' && this.#discovery) this.#discovery = { ...this.#discovery, suspect: true };
      throw IssuerFault.from(error, document);
    }
  }

  async #discover(deadline: number): Promise<Discovery> {
    const { clock, limits } = this.#parts;
    const now = clock.now();
    const known = this.#discovery;
    if (known && !known.suspect && now - known.at < limits.discoveryMaxAgeMs) return known.value;
    try {
      const json = await this.#fetchJson(
        discoveryTarget(this.#issuer, this.#iss),
        'discovery document',
        deadline,
      );
      const value = readDiscovery(json, this.#issuer, this.#iss);
      this.#discovery = { value, at: now, suspect: false };
      return value;
    } catch (error) {
      const fault = IssuerFault.from(error, 'discovery document');
      // An answer that contradicts what we know is not an outage.
      const isOutage = fault.code !== 'issuer_differs' && fault.code !== 'insecure_url';
      if (known && isOutage && now - known.at < limits.maxStaleMs) return known.value;
      throw fault;
    }
  }

  async #fetchKeys(target: FetchTarget, deadline: number): Promise<JwkSet> {
    const set = JwkSet.parse(await this.#fetchJson(target, 'key set', deadline));
    if (set === undefined) throw new IssuerFault('document_malformed', 'key set', 'not a JWK set');
    return set;
  }

  async #fetchJson(target: FetchTarget, document: IssuerDocument, deadline: number): Promise<unknown> {
    const { fetcher, clock, credentials, limits } = this.#parts;
    const presented = await credentials?.presentTo(target.url, this.#issuer);
    const caCert = presented?.caCert ?? this.#issuer.caCert;
    const { status, body } = await fetcher.get(target.url.href, {
      timeoutMs: Math.max(1, deadline - clock.now()),
      maxBytes: limits.maxBytes,
      addresses: target.addresses,
      ...(caCert !== undefined && { caCert }),
      ...(presented?.bearer !== undefined && { bearer: presented.bearer }),
    });
    if (status !== 200) throw new IssuerFault('status_not_ok', document, `HTTP status ${status}`);
    try {
      return JSON.parse(fromUtf8(body));
    } catch (cause) {
      throw new IssuerFault('document_malformed', document, 'not JSON', cause);
    }
  }
}
