// serve: the certificate authority as a service.

import { join } from 'node:path';
import { Command, Option } from 'commander';
import { GENERATIONS_FILE } from '../node/generations.ts';
import { type LogService, startLogService } from '../node/log-service.ts';
import { createLogger } from '../node/logger.ts';
import type { MayflyOptions } from '../node/mayfly.ts';
import { reloadOnChange } from '../node/reload.ts';
import { type Service, startService } from '../node/service.ts';
import { ReadFiles } from '../node/watch.ts';
import { addServeFlags, frozenIn, loadSettings, type ServeFlags } from './options.ts';

export function serveCommand(): Command {
  return addServeFlags(new Command('serve').description('serve certificates, their log, or both'))
    .addOption(
      new Option('--role <role>', 'issue and log, issue only, or log only (default: all)').choices([
        'all',
        'ca',
        'log',
      ]),
    )
    .option(
      '--log-roots <file>',
      'PEM certificates of the CAs, roots or intermediates, whose precertificates role log takes',
    )
    .addHelpText('after', SERVE_EXIT_CODES)
    .action(serve);
}

export const SERVE_EXIT_CODES = `
Exit codes:
  0  stopped by a signal, in good order
  1  could not start: a mistake in the configuration, a key, an address; or a second signal
  2  wrong use`;

async function serve(flags: ServeFlags): Promise<void> {
  const files = new ReadFiles();
  const { settings, warnings } = loadSettings(flags, undefined, files);
  if (flags.ephemeral !== true) files.readIfThere(join(settings.data, GENERATIONS_FILE));
  const logger = createLogger(settings.logLevel);
  for (const warning of warnings) logger.warn({ path: warning.path, line: warning.line }, warning.message);
  const options = { settings, kind: 'serve', ephemeral: flags.ephemeral === true, logger } as const;
  const [service, facts] = await started(options);
  const stop = reloadOnChange({
    reload(load, cause) {
      if ('rotate' in service) void service.rotate(cause);
      return service.reload(load, cause);
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
  closeOnSignal(service, settings.drainDelayMs, async () => stop());
}

/** The instance in its role, and what the line that says it is ready tells beside its URL. */
async function started(options: MayflyOptions): Promise<readonly [Service | LogService, object]> {
  if (options.settings.role !== 'log') {
    const service = await startService(options);
    return [service, { grpc: service.grpcUrl }];
  }
  const log = await startLogService(options);
  return [log, { log: log.prefix }];
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
