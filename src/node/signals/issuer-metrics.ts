// Issuer metrics: whether the keys of each configured issuer can be fetched, and how old those in use are.

import { Counter, Gauge, type Registry } from 'prom-client';
import type { Clock } from '../../clock.ts';
import type { Issuer } from '../../token/issuer.ts';
import type { IssuerFault } from '../../token/issuer-fault.ts';
import type { IssuerHealth } from '../../token/issuer-keys.ts';

export interface IssuerMetricsOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  /** Asked at each scrape; of issuers with one set of keys. */
  readonly health: () => readonly IssuerHealth[];
}

/**
 * Returns what to tell of each fetch. An entry with a wildcard in its URL has as many sets of keys as tokens have named,
 * and whoever sends a token chooses which, so it shows in the counter alone: nobody shall turn an alarm on from outside.
 */
export function issuerMetrics(
  options: IssuerMetricsOptions,
): (issuer: Issuer, fault: IssuerFault | undefined) => void {
  const { registry, clock, health } = options;
  const registers = [registry];
  new Gauge({
    registers,
    name: 'mayfly_issuer_up',
    help: 'Whether the last fetch of the keys of an issuer succeeded (1), by configured issuer; 1 before the first.',
    labelNames: ['issuer'],
    aggregator: 'min',
    collect() {
      this.reset(); // an entry may be configured no more
      for (const { name, up } of health()) this.set({ issuer: name }, up ? 1 : 0);
    },
  });
  new Gauge({
    registers,
    name: 'mayfly_jwks_age_seconds',
    help: 'Seconds since the keys of an issuer that are in use were fetched, by configured issuer.',
    labelNames: ['issuer'],
    aggregator: 'max',
    collect() {
      this.reset();
      const now = clock.now();
      for (const { name, keysFetchedAt } of health())
        if (keysFetchedAt !== undefined) this.set({ issuer: name }, (now - keysFetchedAt) / 1000);
    },
  });
  const fetches = new Counter({
    registers,
    name: 'mayfly_issuer_key_fetches_total',
    help: "Fetches of issuers' keys, by configured issuer and result.",
    labelNames: ['issuer', 'result'],
  });
  return ({ name }, fault) =>
    fetches.inc({ issuer: name, result: fault === undefined ? 'fetched' : 'failed' });
}
