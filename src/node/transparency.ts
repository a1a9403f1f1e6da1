// Transparency: the log that an instance was configured with: built in, remote, or none.

import { createPublicKey } from 'node:crypto';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Clock } from '../clock.ts';
import type { LogSettings } from '../config/general-settings.ts';
import { parsePublicKey } from '../key/public-key.ts';
import type { Log } from '../log/log.ts';
import type { LogOptions, OpenLog } from '../log/open-log.ts';
import { RemoteLog } from '../log/remote.ts';
import { fetchPoster } from '../web/fetch-poster.ts';
import { openFileLog, openMemoryLog } from './file-log.ts';
import type { Instance } from './instance.ts';
import type { Logger } from './logger.ts';
import { sha256 } from './native-digest.ts';
import { nativeVerifier } from './native-verifier.ts';
import { later } from './timer.ts';

export interface Transparency {
  /** Undefined where certificates are issued without SCT. */
  readonly log: Log | undefined;
  /** The built-in log, whose read side is served too. */
  readonly builtin: OpenLog | undefined;
}

export interface TransparencyOptions {
  readonly settings: LogSettings;
  readonly instance: Instance;
  /** Where the log is served, without scheme and final slash; counts at the first start only. */
  readonly origin: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export async function openTransparency(options: TransparencyOptions): Promise<Transparency> {
  const { settings, instance, logger } = options;
  switch (settings.kind) {
    case 'none':
      return { log: undefined, builtin: undefined };
    case 'remote': {
      if (settings.publicKey === undefined) {
        logger.warn(
          { url: settings.url },
          "the log's public key is not configured, so its SCTs are embedded unverified",
        );
      }
      return { log: remoteLog(settings.url, settings.publicKey), builtin: undefined };
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
      return { log: builtin.log, builtin };
    }
    default:
      return settings satisfies never;
  }
}

function remoteLog(url: string, publicKeyPem: string | undefined): Log {
  const publicKey =
    publicKeyPem === undefined
      ? undefined
      : parsePublicKey(new Uint8Array(createPublicKey(publicKeyPem).export({ type: 'spki', format: 'der' })));
  return new RemoteLog({
    url,
    publicKey,
    poster: fetchPoster,
    schedule: later,
    monotonic: () => performance.now(),
    sha256,
    verifier: nativeVerifier,
  });
}
