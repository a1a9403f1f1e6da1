// Oversight: everything that is told of each decision: the audit lines, the log of the process, the metrics.

import { Gauge, type Registry } from 'prom-client';
import type { Audit, Observer, Trail } from '../../audit.ts';
import type { Settings } from '../../config/settings.ts';
import type { Logger } from '../system/logger.ts';
import { admissionMetrics } from './admission-metrics.ts';
import { AuditLog, openSink } from './audit-file.ts';

export interface Oversight extends Audit {
  /** Resolves when everything recorded so far is written. */
  close(): Promise<void>;
}

export interface OversightSurroundings {
  readonly logger: Logger;
  readonly metrics: Observer & { readonly registry: Registry };
}

/** Throws an Error with a sentence when the audit file cannot be opened. */
export async function openOversight(
  { audit: settings }: Pick<Settings, 'audit'>,
  { logger, metrics }: OversightSurroundings,
): Promise<Oversight> {
  const others = [metrics, admissionMetrics(metrics.registry), objectionLog(logger)];
  const tell = (trail: Trail, failure: unknown): void => {
    for (const other of others) other.record(trail, failure);
  };
  if (settings === undefined) return { record: tell, close: async () => {} };
  const up = new Gauge({
    registers: [metrics.registry],
    name: 'mayfly_audit_up',
    help: 'Whether audit lines arrive (1), or are lost (0).',
    aggregator: 'min',
  });
  up.set(1);
  const log = new AuditLog(await openSink(settings), {
    ...settings,
    onState(arriving, cause) {
      up.set(arriving ? 1 : 0);
      if (arriving) logger.info('audit lines are written again');
      else logger.error({ err: cause }, 'audit lines cannot be written');
    },
  });
  return {
    record(trail, failure) {
      const written = log.record(trail, failure);
      return written === undefined ? tell(trail, failure) : written.then(() => tell(trail, failure));
    },
    close: () => log.close(),
  };
}

/** What a policy in audit mode is there for: whom it would refuse. */
function objectionLog(logger: Logger): Observer {
  return {
    record({ authorization }) {
      if (authorization === undefined || authorization.objections.length === 0) return;
      const { token, san } = authorization.identity;
      const rules = authorization.objections.map(({ name }) => name);
      logger.warn(
        { issuer: token.issuer.name, san: san.value, rules },
        'a policy in audit mode would refuse',
      );
    },
  };
}
