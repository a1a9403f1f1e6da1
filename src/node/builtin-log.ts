// Built-in log: the log of an instance, in its data folder or in memory.

import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import type { LogOptions, OpenLog } from '../log/open-log.ts';
import { openFileLog, openMemoryLog } from './file-log.ts';
import type { LogInstance } from './log-instance.ts';
import type { Logger } from './logger.ts';

export interface BuiltinLogOptions {
  readonly instance: LogInstance;
  /** Where the log is served, without scheme and final slash; counts at the first start only. */
  readonly origin: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Of the data folder: where the log lies in it. */
export function logFolderOf(dataFolder: string): string {
  return join(dataFolder, 'log', 'tree');
}

/** Where a log is served below an instance's URL. */
export const LOG_PATH = '/log';

/** The origin of a log that is served under `publicUrl`. */
export function originOf(publicUrl: string): string {
  return `${publicUrl.replace(/^https?:\/\//, '')}${LOG_PATH}`;
}

export function openBuiltinLog({ instance, origin, clock, logger }: BuiltinLogOptions): Promise<OpenLog> {
  const options: LogOptions = {
    origin,
    signer: instance.logSigner,
    cosigner: instance.noteSigner,
    clock,
    onError: (error) => logger.error({ err: error }, 'log'),
  };
  const { folder } = instance;
  return folder === undefined
    ? openMemoryLog(options)
    : openFileLog({ ...options, folder: logFolderOf(folder) });
}
