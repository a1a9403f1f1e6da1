// Keys object: fetches the keys of one configured issuer for every isolate, under the limits that Node has.

import { DurableObject } from 'cloudflare:workers';
import { type CryptoKey, exportJWK } from 'jose';
import { instantOf, systemClock } from '../clock.ts';
import { IssuerFault, unreachable } from '../token/issuer-fault.ts';
import { defaultLimits, IssuerKeys } from '../token/issuer-keys.ts';
import type { CandidateKeys } from '../token/keyset.ts';
import { FetchFetcher } from '../web/fetch-fetcher.ts';
import { settings } from './bundle.ts';
import type { Environment } from './environment.ts';
import type { FoundKeys, KeysQuery, KeysService } from './keys-service.ts';
import { type Outcome, outcomeOf } from './problem-wire.ts';
import { report } from './report.ts';
import { SqlDocuments } from './sql-documents.ts';
import { StoredFetcher } from './stored-fetcher.ts';

export class KeysObject extends DurableObject<Environment> implements KeysService {
  readonly #keys: IssuerKeys;
  readonly #texts = new WeakMap<CryptoKey, string>();

  constructor(state: DurableObjectState, environment: Environment) {
    super(state, environment);
    this.#keys = new IssuerKeys({
      fetcher: new StoredFetcher({
        fetcher: new FetchFetcher(),
        store: new SqlDocuments(state.storage.sql, systemClock),
        clock: systemClock,
        freshMs: defaultLimits.refreshAfterMs,
        maxStaleMs: defaultLimits.maxStaleMs,
      }),
      clock: systemClock,
      observe: ({ name }, fault) => {
        if (fault !== undefined)
          report('warn', "an issuer's keys could not be fetched", { issuer: name, fault: fault.message });
      },
    });
  }

  candidates(query: KeysQuery): Promise<Outcome<FoundKeys>> {
    return outcomeOf(async () => {
      const entry = settings.issuers.find(({ issuer }) => issuer.name === query.name);
      // While a deployment spreads, the asking Worker and this object may have been built from different files.
      if (entry?.issuer.url !== query.url)
        throw unreachable(new IssuerFault('unsupported', 'key set', 'the issuer is not configured here'));
      const request = { ...query, issuer: entry.issuer, now: instantOf(query.now) };
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
