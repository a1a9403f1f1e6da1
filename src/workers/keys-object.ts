// Keys object: the Durable Object of one configured issuer's keys.

import { DurableObject } from 'cloudflare:workers';
import { systemClock } from '../clock.ts';
import type { Outcome } from '../problem-wire.ts';
import { FetchFetcher } from '../web/fetch-fetcher.ts';
import { settings } from './bundle.ts';
import { DurableKeys } from './durable-keys.ts';
import type { Environment } from './environment.ts';
import type { FoundKeys, KeysQuery, KeysService } from './keys-service.ts';
import { report } from './report.ts';

export class KeysObject extends DurableObject<Environment> implements KeysService {
  readonly #keys: DurableKeys;

  constructor(state: DurableObjectState, environment: Environment) {
    super(state, environment);
    this.#keys = new DurableKeys({
      issuers: settings.issuers.map(({ issuer }) => issuer),
      sql: state.storage.sql,
      fetcher: new FetchFetcher(),
      clock: systemClock,
      observe({ name }, fault) {
        if (fault !== undefined)
          report('warn', "an issuer's keys could not be fetched", { issuer: name, fault: fault.message });
      },
    });
  }

  candidates(query: KeysQuery): Promise<Outcome<FoundKeys>> {
    return this.#keys.candidates(query);
  }
}
