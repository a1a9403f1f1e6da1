// serve: the certificate authority as a service.

import { fstatSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { type Cluster, startCluster } from '../node/cluster/cluster.ts';
import { CHANNEL_FD, RELAY_FD, runWorker } from '../node/cluster/worker.ts';
import { GENERATIONS_FILE } from '../node/keys/generations.ts';
import { type LogService, startLogService } from '../node/log-service.ts';
import type { MayflyOptions } from '../node/mayfly.ts';
import { type Service, startService } from '../node/service.ts';
import { reloadOnChange } from '../node/settings/reload.ts';
import { ReadFiles } from '../node/settings/watch.ts';
import { createLogger } from '../node/system/logger.ts';
import { EXIT_CONFIGURATION, EXIT_PIN } from './exit-code.ts';
import { addRoleFlags, addServeFlags, frozenIn, loadSettings, type ServeFlags } from './options.ts';

export function serveCommand(): Command {
  const command = new Command('serve').description('serve certificates, their log, or both');
  return addRoleFlags(addServeFlags(command)).addHelpText('after', SERVE_EXIT_CODES).action(serve);
}

export const SERVE_EXIT_CODES = `
Exit codes:
  0   stopped by a signal, in good order
  1   could not start: a key, an address, a service that does not answer; or a second signal
  2   wrong use
  ${EXIT_PIN}   the PKCS#11 token refuses the PIN: not to be started again by itself, as the token would lock
  ${EXIT_CONFIGURATION}  the configuration has mistakes: not to be started again before file or flags are others`;

async function serve(flags: ServeFlags): Promise<void> {
  const files = new ReadFiles();
  const { settings, warnings } = loadSettings(flags, undefined, files);
  if (flags.ephemeral !== true) files.readIfThere(join(settings.data, GENERATIONS_FILE));
  const logger = createLogger(settings.logLevel);
  for (const warning of warnings) logger.warn({ path: warning.path, line: warning.line }, warning.message);
  const options = { settings, kind: 'serve', ephemeral: flags.ephemeral === true, logger } as const;
  const [service, facts] = await started(options, flags, files);
  const stop = reloadOnChange({
    reload(load, cause, read) {
      if ('rotate' in service) void service.rotate(cause);
      return service.reload(load, cause, read);
    },
    load(read) {
      read.readIfThere(join(settings.data, GENERATIONS_FILE));
      return loadSettings(flags, undefined, read);
    },
    frozen: (read) => frozenIn(settings.data, flags, read),
    files,
    logger,
  });
  logger.info({ url: service.url, ...facts, metrics: service.metricsUrl }, 'ready');
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => logger.info({ signal, drainDelayMs: settings.drainDelayMs }, 'stopping'));
  closeOnSignal(service, settings.drainDelayMs, async () => {
    stop();
    logger.info('stopped');
  });
}

/** The instance in its role, and what the line that says it is ready tells beside its URL. */
async function started(
  options: MayflyOptions,
  flags: ServeFlags,
  files: ReadFiles,
): Promise<readonly [Service | Cluster | LogService, object]> {
  const { role, workers } = options.settings;
  if (role !== 'log' && workers > 1) {
    const cluster = await startCluster({ ...options, flags, files, command: workerWords() });
    return [cluster, { grpc: cluster.grpcUrl, workers }];
  }
  if (role !== 'log') {
    const service = await startService(options);
    return [service, { grpc: service.grpcUrl }];
  }
  const log = await startLogService(options);
  return [log, { log: log.prefix }];
}

/** This very program, with the command that only its parent calls. */
function workerWords(): readonly [string, ...string[]] {
  const [, program = ''] = process.argv;
  return [process.execPath, ...process.execArgv, program, 'worker'];
}

/** Issues for a `serve` with several workers, which has started this process. */
export function workerCommand(): Command {
  return new Command('worker')
    .description('what serve starts by itself for each of its workers')
    .action(() => {
      if (!hasParent()) throw new Error('a worker is started by "mayfly serve" alone');
      runWorker({
        load: (flags, files) => loadSettings(flags, undefined, files),
        frozen: ({ data }, flags, files) => frozenIn(data, flags, files),
        logger: ({ logLevel }) => createLogger(logLevel),
      });
    });
}

/** Whether a sequencer is at the other end. */
function hasParent(): boolean {
  try {
    return fstatSync(CHANNEL_FD).isSocket() && fstatSync(RELAY_FD).isSocket();
  } catch {
    return false;
  }
}

/** SIGTERM and SIGINT drain; a second one ends at once. */
export function closeOnSignal(
  service: Pick<Service, 'close'>,
  drainDelayMs: number,
  also: () => Promise<void> = async () => {},
): void {
  let closing = false;
  const close = async (): Promise<void> => {
    if (closing) process.exit(1);
    closing = true;
    await service.close(drainDelayMs);
    await also();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void close());
}
