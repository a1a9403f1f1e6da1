// Durable keys: the keys of one configured issuer, fetched for every isolate, under the limits that Node has.

import { type CryptoKey, exportJWK } from 'jose';
import { type Clock, instantOf } from '../clock.ts';
import { type Outcome, outcomeOf } from '../problem-wire.ts';
import type { Fetcher } from '../token/fetcher.ts';
import type { Issuer } from '../token/issuer.ts';
import { IssuerFault, unreachable } from '../token/issuer-fault.ts';
import { defaultLimits, IssuerKeys, type IssuerKeysOptions } from '../token/issuer-keys.ts';
import type { CandidateKeys } from '../token/keyset.ts';
import type { FoundKeys, KeysQuery, KeysService } from './keys-service.ts';
import type { Sql } from './sql.ts';
import { SqlDocuments } from './sql-documents.ts';
import { StoredFetcher } from './stored-fetcher.ts';

export interface DurableKeysOptions {
  readonly issuers: readonly Issuer[];
  readonly sql: Sql;
  readonly fetcher: Fetcher;
  readonly clock: Clock;
  readonly observe?: IssuerKeysOptions['observe'];
}

export class DurableKeys implements KeysService {
  readonly #issuers: readonly Issuer[];
  readonly #keys: IssuerKeys;
  readonly #texts = new WeakMap<CryptoKey, string>();

  constructor({ issuers, sql, fetcher, clock, observe }: DurableKeysOptions) {
    this.#issuers = issuers;
    this.#keys = new IssuerKeys({
      fetcher: new StoredFetcher({
        fetcher,
        store: new SqlDocuments(sql, clock),
        clock,
        freshMs: defaultLimits.refreshAfterMs,
        maxStaleMs: defaultLimits.maxStaleMs,
      }),
      clock,
      ...(observe !== undefined && { observe }),
    });
  }

  candidates(query: KeysQuery): Promise<Outcome<FoundKeys>> {
    return outcomeOf(async () => {
      const issuer = this.#issuers.find(({ name }) => name === query.name);
      // While a deployment spreads, the asking Worker and this object may have been built from different files.
      if (issuer?.url !== query.url)
        throw unreachable(new IssuerFault('unsupported', 'key set', 'the issuer is not configured here'));
      const request = { ...query, issuer, now: instantOf(query.now) };
      const found = await this.#keys.candidates(request);
      const known = await this.#foundKeys(found);
      const { failed } = query;
      if (failed === undefined || known.keys.some((text) => !failed.includes(text))) return known;
      return this.#foundKeys(await this.#keys.candidates(request, found));
    });
  }

  async #foundKeys({ keys, algorithms }: CandidateKeys): Promise<FoundKeys> {
    return { keys: await Promise.all(keys.map((key) => this.#textOf(key))), algorithms };
  }

  async #textOf(key: CryptoKey): Promise<string> {
    const known = this.#texts.get(key);
    if (known !== undefined) return known;
    const { kty, crv, x, y, n, e } = await exportJWK(key);
    const text = JSON.stringify({ kty, crv, x, y, n, e });
    this.#texts.set(key, text);
    return text;
  }
}
