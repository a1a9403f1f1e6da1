// Built-in log: the log of an instance, in its data folder, in a bucket, or in memory.

import { join } from 'node:path';
import type { Registry } from 'prom-client';
import type { Clock } from '../clock.ts';
import type { S3Settings, TransparencySettings } from '../config/transparency-settings.ts';
import type { LogOptions, OpenLog } from '../log/open-log.ts';
import type { Credentials } from '../s3/bucket.ts';
import { openFileLog, openMemoryLog } from './file-log.ts';
import type { LogInstance } from './log-instance.ts';
import { treeMetrics } from './log-metrics.ts';
import type { Logger } from './logger.ts';
import { openS3Log } from './s3-log.ts';
import { witnessesOf } from './witnesses.ts';

export interface BuiltinLogOptions {
  readonly instance: LogInstance;
  /** Where the log is served, without scheme and final slash; counts at the first start only. */
  readonly origin: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: TransparencySettings;
  /** What the log and its witnesses tell of themselves. */
  readonly registry: Registry;
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

/** Throws an Error with a sentence for the operator when something that was configured cannot be used. */
export async function openBuiltinLog(options: BuiltinLogOptions): Promise<OpenLog> {
  const opened = await openWherever(options);
  treeMetrics(options.registry, opened.reader);
  return opened;
}

function openWherever(given: BuiltinLogOptions): Promise<OpenLog> {
  const { instance, origin, clock, logger, settings, registry } = given;
  const s3 = settings.log.kind === 'builtin' ? settings.log.s3 : undefined;
  const options: LogOptions = {
    origin,
    signer: instance.logSigner,
    cosigner: instance.noteSigner,
    clock,
    witnesses: witnessesOf({ settings: settings.witnesses, logger, registry }),
    onError: (error) => logger.error({ err: error }, 'log'),
  };
  const { folder } = instance;
  if (s3 !== undefined) {
    const { endpoint, bucket, region, prefix } = s3;
    return openS3Log({
      ...options,
      bucket: { endpoint, bucket, region, prefix, credentials: credentialsOf(s3) },
      folder: folder === undefined ? undefined : join(folder, 'log'),
    });
  }
  return folder === undefined
    ? openMemoryLog(options)
    : openFileLog({ ...options, folder: logFolderOf(folder) });
}

/** Throws an Error with a sentence when there are none. */
function credentialsOf({ accessKeyId, secretAccessKey }: S3Settings): Credentials {
  const id = accessKeyId ?? process.env['AWS_ACCESS_KEY_ID'];
  const secret = secretAccessKey ?? process.env['AWS_SECRET_ACCESS_KEY'];
  if (!id || !secret)
    throw new Error(
      'a log in a bucket needs credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log.s3.access-key-id and log.s3.secret-access-key',
    );
  const sessionToken = accessKeyId === undefined ? process.env['AWS_SESSION_TOKEN'] : undefined;
  return { accessKeyId: id, secretAccessKey: secret, sessionToken };
}
