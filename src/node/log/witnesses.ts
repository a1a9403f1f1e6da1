// Witnesses on Node: those that were configured, with what the operator gets to hear and see of them.

import { performance } from 'node:perf_hooks';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { WitnessSettings } from '../../config/transparency-settings.ts';
import { readCosignerKey } from '../../log/cosignature.ts';
import { Witness } from '../../log/witness.ts';
import { Witnesses, type WitnessReport } from '../../log/witnesses.ts';
import { fetchPoster } from '../../web/fetch-poster.ts';
import type { Logger } from '../system/logger.ts';
import { sha256 } from '../system/native-digest.ts';
import { nativeVerifier } from '../system/native-verifier.ts';
import { later } from '../system/timer.ts';

export interface WitnessesOptions {
  readonly settings: readonly WitnessSettings[];
  readonly logger: Logger;
  readonly registry: Registry;
}

/**
 * Makes the witnesses of a log each time that it is opened; undefined where none are configured. Throws an Error with a
 * sentence where a verifier key cannot be used.
 */
export function witnessesOf({ settings, logger, registry }: WitnessesOptions): (() => Witnesses) | undefined {
  if (settings.length === 0) return undefined;
  const known = settings.map(({ key, ...rest }) => ({ ...rest, key: readCosignerKey(sha256, key) }));
  const count = witnessMetrics(
    registry,
    settings.map(({ name }) => name),
  );
  return () =>
    new Witnesses({
      witnesses: known.map((one) => new Witness({ ...one, poster: fetchPoster, verifier: nativeVerifier })),
      schedule: later,
      monotonic: () => performance.now(),
      onReport(report) {
        count(report);
        tell(logger, report);
      },
      onError: (error) => logger.error({ err: error }, 'a checkpoint could not be shown'),
    });
}

/** That a tree does not continue what a witness has seen is what witnesses are for: nothing is worse news. */
function tell(logger: Logger, { name, result, size, error }: WitnessReport): void {
  if (result === 'cosigned') logger.debug({ witness: name, size }, 'cosigned');
  else if (result === 'inconsistent' || result === 'ahead')
    logger.error({ witness: name, size, result, err: error }, 'a witness has seen another log than this one');
  else logger.warn({ witness: name, size, result, err: error }, 'a witness did not cosign');
}

function witnessMetrics(registry: Registry, names: readonly string[]): (report: WitnessReport) => void {
  const requests = new Counter({
    registers: [registry],
    name: 'mayfly_witness_requests_total',
    help: 'Checkpoints handed to witnesses, by witness and result.',
    labelNames: ['witness', 'result'],
  });
  const size = new Gauge({
    registers: [registry],
    name: 'mayfly_witness_cosigned_size',
    help: 'Entries of the newest tree that a witness has cosigned.',
    labelNames: ['witness'],
    aggregator: 'max',
  });
  const time = new Gauge({
    registers: [registry],
    name: 'mayfly_witness_cosigned_timestamp_seconds',
    help: 'Unix time at which a witness cosigned last; 0 before it did.',
    labelNames: ['witness'],
    aggregator: 'max',
  });
  for (const witness of names) {
    time.set({ witness }, 0); // one that never answers has to show
    for (const result of ['inconsistent', 'ahead'] as const) requests.inc({ witness, result }, 0); // so that the first is an increase
  }
  return (report) => {
    requests.inc({ witness: report.name, result: report.result });
    if (report.result !== 'cosigned') return;
    size.set({ witness: report.name }, report.size);
    time.set({ witness: report.name }, Date.now() / 1000);
  };
}
