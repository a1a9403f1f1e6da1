// Transparency: the log that an instance was configured with: built in, remote, or none.

import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import type { TransparencySettings } from '../config/transparency-settings.ts';
import type { Log } from '../log/log.ts';
import type { LogOptions, OpenLog } from '../log/open-log.ts';
import { externalLogs, type KnownExternalLog } from './external-logs.ts';
import { openFileLog, openMemoryLog } from './file-log.ts';
import type { Instance } from './instance.ts';
import type { Logger } from './logger.ts';

export interface Transparency {
  /** Undefined where certificates are issued without SCT. */
  readonly log: Log | undefined;
  /** The built-in log, whose read side is served too. */
  readonly builtin: OpenLog | undefined;
  /** Logs elsewhere, for trust documents. */
  readonly external: readonly KnownExternalLog[];
}

export interface TransparencyOptions {
  readonly settings: TransparencySettings;
  readonly instance: Instance;
  /** Where the log is served, without scheme and final slash; counts at the first start only. */
  readonly origin: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export async function openTransparency(options: TransparencyOptions): Promise<Transparency> {
  const { settings, instance, logger } = options;
  const { log: configured, logBearers } = settings;
  switch (configured.kind) {
    case 'none':
      return { log: undefined, builtin: undefined, external: [] };
    case 'remote': {
      const { log, known } = externalLogs(configured.logs, logBearers[0], logger);
      return { log, builtin: undefined, external: known };
    }
    case 'builtin': {
      const common: LogOptions = {
        origin: options.origin,
        signer: instance.logSigner,
        cosigner: instance.noteSigner,
        clock: options.clock,
        onError: (error) => logger.error({ err: error }, 'log'),
      };
      const { folder } = instance;
      const builtin =
        folder === undefined
          ? await openMemoryLog(common)
          : await openFileLog({ ...common, folder: join(folder, 'log', 'tree') });
      return { log: builtin.log, builtin, external: [] };
    }
    default:
      return configured satisfies never;
  }
}
