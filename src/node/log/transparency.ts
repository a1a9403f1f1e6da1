// Transparency: the log that an instance was configured with: built in, remote, or none.

import type { Registry } from 'prom-client';
import type { Clock } from '../../clock.ts';
import type { TransparencySettings } from '../../config/transparency-settings.ts';
import type { Log } from '../../log/log.ts';
import type { LogInstance } from '../keys/log-instance.ts';
import type { ObserveSigner } from '../keys/signer-metrics.ts';
import type { Logger } from '../system/logger.ts';
import { externalLogs, type KnownExternalLog } from './external-logs.ts';
import { LogSuccession } from './log-succession.ts';

export interface Transparency {
  /** Undefined where certificates are issued without SCT. */
  readonly log: Log | undefined;
  /** The built-in log and those before it, whose read side is served too. */
  readonly builtin: LogSuccession | undefined;
  /** Logs elsewhere, for trust documents; the same list as long as nothing has changed. */
  external(): readonly KnownExternalLog[];
  /** As ExternalLogs.renewal, for the logs of the settings given. */
  renewal(wanted: TransparencySettings): () => void;
}

const nothing = (): void => {};
const NONE: readonly KnownExternalLog[] = [];
const none = (): readonly KnownExternalLog[] => NONE;

export interface TransparencyOptions {
  readonly settings: TransparencySettings;
  readonly instance: LogInstance;
  /** Where the log is served, without scheme and final slash; counts at the first start only. */
  readonly origin: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Put in front of the log's keys. */
  readonly through: ObserveSigner;
}

export async function openTransparency(options: TransparencyOptions): Promise<Transparency> {
  const { settings, logger } = options;
  const { log: configured, logBearers, witnesses } = settings;
  if (witnesses.length > 0 && configured.kind !== 'builtin')
    logger.warn('witnesses cosign the built-in log alone, and there is none');
  switch (configured.kind) {
    case 'none':
      return { log: undefined, builtin: undefined, external: none, renewal: () => nothing };
    case 'remote': {
      const logs = externalLogs(configured.logs, logBearers[0], logger);
      return {
        log: logs.log,
        builtin: undefined,
        external: () => logs.known,
        renewal: (wanted) => (wanted.log.kind === 'remote' ? logs.renewal(wanted.log.logs) : nothing),
      };
    }
    case 'builtin': {
      const builtin = await LogSuccession.open(options);
      return { log: builtin, builtin, external: none, renewal: () => nothing };
    }
    default:
      return configured satisfies never;
  }
}
