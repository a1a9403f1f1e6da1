// serve: the certificate authority as a service.

import { Command } from 'commander';
import { createLogger } from '../node/logger.ts';
import { type Service, startService } from '../node/service.ts';
import { addServeFlags, loadSettings, type ServeFlags } from './options.ts';

export function serveCommand(): Command {
  return addServeFlags(new Command('serve').description('serve certificates')).action(
    async (flags: ServeFlags) => {
      const { settings, warnings } = loadSettings(flags);
      const logger = createLogger();
      for (const warning of warnings)
        logger.warn({ path: warning.path, line: warning.line }, warning.message);
      const service = await startService({
        settings,
        kind: 'serve',
        ephemeral: flags.ephemeral === true,
        logger,
      });
      logger.info({ url: service.url, metrics: service.metricsUrl }, 'ready');
      closeOnSignal(service, settings.drainDelayMs);
    },
  );
}

/** SIGTERM and SIGINT drain; a second one ends at once. */
export function closeOnSignal(
  service: Service,
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
