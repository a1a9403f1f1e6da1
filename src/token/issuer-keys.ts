// Issuer keys: the key sets of all issuers, fetched when first needed, shared, refreshed and bounded.

import type { Clock, Instant } from '../clock.ts';
import type { Problem } from '../problem.ts';
import type { Fetcher } from './fetcher.ts';
import { InlineKeys } from './inline-keys.ts';
import type { Issuer } from './issuer.ts';
import type { IssuerFault } from './issuer-fault.ts';
import { type IssuerCredentials, KeySource, type SourceLimits } from './key-source.ts';
import { type KeyHolder, Keyring, type KeyringLimits } from './keyring.ts';
import type { CachedKeySets, CandidateKeys, KeyRequest, KeySets } from './keyset.ts';
import { WildcardKeyrings, type WildcardLimits } from './wildcard-keyrings.ts';

export type IssuerKeysLimits = SourceLimits & KeyringLimits & WildcardLimits;

export const defaultLimits: IssuerKeysLimits = {
  fetchTimeoutMs: 5_000,
  maxBytes: 256 * 1024,
  discoveryMaxAgeMs: 3_600_000,
  refreshAfterMs: 600_000,
  waitAfterMs: 3_600_000,
  maxStaleMs: 86_400_000,
  cooldownMs: 30_000,
  minBackoffMs: 2_000,
  maxBackoffMs: 60_000,
  maxWaiters: 256,
  maxIssuers: 100,
  fetchesPerMinute: 60,
};

export interface IssuerKeysOptions {
  readonly fetcher: Fetcher;
  readonly clock: Clock;
  readonly limits?: Partial<IssuerKeysLimits>;
  readonly credentials?: IssuerCredentials;
  /** Told about every fetch of an entry's keys: undefined when it succeeded. For logs and metrics; must not throw. */
  readonly observe?: (issuer: Issuer, fault: IssuerFault | undefined) => void;
}

export interface IssuerHealth {
  /** The configured name. */
  readonly name: string;
  readonly up: boolean;
  readonly keysFetchedAt: Instant | undefined;
  readonly fault: IssuerFault | undefined;
}

export class IssuerKeys implements CachedKeySets {
  readonly #options: IssuerKeysOptions;
  readonly #limits: IssuerKeysLimits;
  /** Entries that differ only in what they do with a token share the holder. */
  readonly #holders = new Map<string, KeyHolder>();
  readonly #holderOf = new WeakMap<Issuer, KeyHolder>(); // spares the hot path the text of the facts

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
  }

  candidates(request: KeyRequest, failed?: CandidateKeys): Promise<CandidateKeys> {
    return this.#holder(request.issuer).candidates(request, failed, undefined);
  }

  cachedOnly(refuse: () => Problem): KeySets {
    return {
      candidates: (request, failed) => this.#holder(request.issuer).candidates(request, failed, refuse),
    };
  }

  /** Fetches the keys of exact issuers that have none yet, a few at a time. For start-up, in the background; never rejects. */
  async warm(issuers: readonly Issuer[]): Promise<void> {
    const rings = this.#rings(issuers).map(([, ring]) => ring);
    const cold = new Set(rings.filter((ring) => ring.keysFetchedAt === undefined)).values();
    const fetchInTurn = async () => {
      for (const ring of cold) await ring.refresh();
    };
    await Promise.all([fetchInTurn(), fetchInTurn(), fetchInTurn(), fetchInTurn()]);
  }

  /** Forgets the keys of entries that are no longer configured; the others keep theirs across a reload. */
  retain(issuers: readonly Issuer[]): void {
    const wanted = new Set(issuers.map(factsOf));
    for (const facts of this.#holders.keys()) if (!wanted.has(facts)) this.#holders.delete(facts);
  }

  /** How the exact issuers among these fare; one that was never asked counts as up. */
  health(issuers: readonly Issuer[]): readonly IssuerHealth[] {
    return this.#rings(issuers).map(([{ name }, { keysFetchedAt, fault }]) => ({
      name,
      up: fault === undefined,
      keysFetchedAt,
      fault,
    }));
  }

  #rings(issuers: readonly Issuer[]): readonly (readonly [Issuer, Keyring])[] {
    return issuers.flatMap((issuer) => {
      const holder = this.#holder(issuer);
      return holder instanceof Keyring ? [[issuer, holder] as const] : [];
    });
  }

  #holder(issuer: Issuer): KeyHolder {
    const known = this.#holderOf.get(issuer);
    if (known) return known;
    const facts = factsOf(issuer);
    const holder = this.#holders.get(facts) ?? this.#newHolder(issuer);
    this.#holders.set(facts, holder);
    this.#holderOf.set(issuer, holder);
    return holder;
  }

  #newHolder(issuer: Issuer): KeyHolder {
    if (issuer.jwks) return new InlineKeys(issuer.jwks);
    const isOne = !issuer.wildcard || issuer.jwksUri !== undefined; // one set of keys for the whole entry
    if (isOne) return this.#newRing(issuer, issuer.url, () => true);
    return new WildcardKeyrings(this.#limits, (iss, permit) => this.#newRing(issuer, iss, permit));
  }

  #newRing(issuer: Issuer, iss: string, permit: (now: Instant) => boolean): Keyring {
    const { fetcher, clock, credentials, observe } = this.#options;
    const limits = this.#limits;
    return new Keyring({
      source: new KeySource(issuer, iss, { fetcher, clock, credentials, limits }),
      clock,
      limits,
      permit,
      observe: (fault) => observe?.(issuer, fault),
    });
  }
}

/** Everything that decides which keys an entry gets; not its name, audiences and age limits. */
function factsOf(issuer: Issuer): string {
  const { url, wildcard, caCert, jwks, jwksUri, allowPrivateAddresses, jwksHosts } = issuer;
  return JSON.stringify([url, wildcard, caCert, jwks, jwksUri, allowPrivateAddresses, jwksHosts]);
}
