// Shared keys: the KeySets of an isolate, which asks one Durable Object for each issuer instead of the issuer itself.

import type { CryptoKey } from 'jose';
import { importJWK } from 'jose';
import type { Problem } from '../problem.ts';
import { type Outcome, unwrap } from '../problem-wire.ts';
import { InlineKeys } from '../token/inline-keys.ts';
import type { Issuer } from '../token/issuer.ts';
import { IssuerFault, unreachable } from '../token/issuer-fault.ts';
import type { CachedKeySets, CandidateKeys, KeyRequest, KeySets } from '../token/keyset.ts';
import type { FoundKeys, KeysQuery } from './keys-service.ts';

/** Asks the object of an issuer entry. Rejects when the object cannot be reached. */
export type AskKeys = (query: KeysQuery) => Promise<Outcome<FoundKeys>>;

/** Milliseconds that keys serve in an isolate before the object is asked again; it refreshes them every ten minutes. */
const FRESH = 60_000;
/** Milliseconds between two questions whether there is anything newer than keys that did not verify a token. */
const COOLDOWN = 30_000;
/** Milliseconds that keys go on serving while the object cannot be asked. */
const MAX_STALE = 86_400_000;
/** Answers kept: a handful for each issuer. */
const CAPACITY = 1024;

interface Held {
  readonly found: CandidateKeys;
  /** The same keys as JWKs. */
  readonly texts: readonly string[];
  readonly at: number;
  renewedAt: number;
}

export class SharedKeys implements CachedKeySets {
  readonly #ask: AskKeys;
  /** Nothing in here waits: a promise that one request makes must not be awaited by another. */
  readonly #held = new Map<string, Held>();
  readonly #inline = new WeakMap<Issuer, InlineKeys>();

  constructor(ask: AskKeys) {
    this.#ask = ask;
  }

  async candidates(request: KeyRequest, failed?: CandidateKeys): Promise<CandidateKeys> {
    const { issuer, now } = request;
    if (issuer.jwks !== undefined) return this.#inlineOf(issuer).candidates(request, failed);
    const place = placeOf(request);
    const held = this.#held.get(place);
    if (failed === undefined) {
      if (held !== undefined && Math.abs(now - held.at) < FRESH) return held.found;
      return this.#fetch(place, request, held);
    }
    if (held === undefined) return failed;
    if (held.found !== failed) return held.found; // another request has brought newer ones meanwhile
    if (Math.abs(now - held.renewedAt) < COOLDOWN) return failed;
    held.renewedAt = now;
    return this.#renew(place, request, held);
  }

  cachedOnly(refuse: () => Problem): KeySets {
    return {
      candidates: async (request, failed) => {
        if (request.issuer.jwks !== undefined)
          return this.#inlineOf(request.issuer).candidates(request, failed);
        const held = this.#held.get(placeOf(request));
        const isThere = held !== undefined && Math.abs(request.now - held.at) < MAX_STALE;
        if (!isThere || held.found === failed) throw refuse();
        return held.found;
      },
    };
  }

  async #fetch(place: string, request: KeyRequest, held: Held | undefined): Promise<CandidateKeys> {
    let outcome: Outcome<FoundKeys>;
    try {
      outcome = await this.#ask(queryOf(request, undefined));
    } catch (cause) {
      if (held !== undefined && request.now - held.at < MAX_STALE) return held.found;
      throw unreachable(new IssuerFault('connection_failed', 'key set', 'its object does not answer', cause));
    }
    return (await this.#hold(place, request, unwrap(outcome), held)).found;
  }

  async #renew(place: string, request: KeyRequest, held: Held): Promise<CandidateKeys> {
    let outcome: Outcome<FoundKeys>;
    try {
      outcome = await this.#ask(queryOf(request, held.texts));
    } catch {
      return held.found;
    }
    const found = unwrap(outcome);
    const isNews = found.keys.some((text) => !held.texts.includes(text));
    return isNews ? (await this.#hold(place, request, found, held)).found : held.found;
  }

  async #hold(
    place: string,
    { alg, now }: KeyRequest,
    { keys: texts, algorithms }: FoundKeys,
    before: Held | undefined,
  ): Promise<Held> {
    const same = before !== undefined && sameTexts(before.texts, texts);
    const keys = same ? before.found.keys : await Promise.all(texts.map((text) => importKey(text, alg)));
    const found =
      same && sameTexts(before.found.algorithms, algorithms) ? before.found : { keys, algorithms };
    const held = { found, texts, at: now, renewedAt: before?.renewedAt ?? Number.NEGATIVE_INFINITY };
    if (keys.length === 0) return held; // not worth a place: the algorithm is not one of the issuer's
    if (this.#held.size >= CAPACITY && !this.#held.has(place)) this.#held.clear();
    this.#held.set(place, held);
    return held;
  }

  #inlineOf(issuer: Issuer): InlineKeys {
    const known = this.#inline.get(issuer) ?? new InlineKeys(issuer.jwks ?? { keys: [] });
    this.#inline.set(issuer, known);
    return known;
  }
}

function placeOf({ issuer, iss, alg, kid }: KeyRequest): string {
  return JSON.stringify([issuer.name, iss, alg, kid]);
}

function queryOf({ issuer, iss, alg, kid, now }: KeyRequest, failed: KeysQuery['failed']): KeysQuery {
  return { name: issuer.name, url: issuer.url, iss, alg, kid, now, failed };
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}

/** The object has imported the very same key before it passed it on. */
async function importKey(text: string, alg: string): Promise<CryptoKey> {
  const key = await importJWK(JSON.parse(text), alg);
  if (key instanceof Uint8Array) throw new TypeError('a symmetric key among public ones');
  return key;
}
