// Built-in log: the log of an instance, in its data folder, in a bucket, or in memory.

import { join } from 'node:path';
import type { Registry } from 'prom-client';
import type { Clock } from '../../clock.ts';
import type { S3Settings, TransparencySettings } from '../../config/transparency-settings.ts';
import { isFrozen } from '../../log/frozen.ts';
import type { LogOptions, OpenLog } from '../../log/open-log.ts';
import type { Credentials } from '../../s3/bucket.ts';
import { GENERATIONS_FILE, numberOf } from '../keys/generations.ts';
import { type LogInstance, type LogKeys, partOf } from '../keys/log-instance.ts';
import type { ObserveSigner } from '../keys/signer-metrics.ts';
import { systemDisk } from '../system/disk.ts';
import type { Logger } from '../system/logger.ts';
import { openFileLog, openMemoryLog } from './file-log.ts';
import { FileStore } from './file-store.ts';
import { logErrors, logTimings, treeMetrics } from './log-metrics.ts';
import { openS3Log, type S3LogOptions } from './s3-log.ts';
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
  /** Put in front of the log's keys. */
  readonly through: ObserveSigner;
}

/** Of the data folder: where the log lies in it whose keys are in `part`. */
export function logFolderOf(dataFolder: string, part = 'log'): string {
  return join(dataFolder, part, 'tree');
}

/** Where a log is served below an instance's URL. */
export const LOG_PATH = '/log';

/** The same of the log with that number; the first has the short one. */
export function logPathOf(number: number): string {
  return number === 1 ? LOG_PATH : `${LOG_PATH}/${number}`;
}

/** The origin of a log that is served under `publicUrl`. */
export function originOf(publicUrl: string): string {
  return `${publicUrl.replace(/^https?:\/\//, '')}${LOG_PATH}`;
}

/** Throws an Error with a sentence for the operator when something that was configured cannot be used. */
export async function openBuiltinLog(options: BuiltinLogOptions): Promise<OpenLog> {
  const { instance, registry } = options;
  const opened = await logOpener(options)(instance, partOf(instance.logs));
  treeMetrics(registry, opened);
  return opened;
}

/** Opens the log whose keys are in that part of the data folder. Throws an Error with a sentence. */
export type LogOpener = (keys: LogKeys, part: string) => Promise<OpenLog>;

export function logOpener(given: BuiltinLogOptions): LogOpener {
  const { settings, logger, registry } = given;
  const witnesses = witnessesOf({ settings: settings.witnesses, logger, registry });
  const count = logErrors(registry);
  const timings = logTimings(registry);
  const onError = (error: unknown): void => {
    count();
    logger.error({ err: error }, 'log');
  };
  return (keys, part) => openWherever(given, { witnesses, onError, timings }, keys, part);
}

async function openWherever(
  given: BuiltinLogOptions,
  own: Pick<LogOptions, 'witnesses' | 'onError' | 'timings'>,
  keys: LogKeys,
  part: string,
): Promise<OpenLog> {
  const { instance, clock, settings, through } = given;
  const s3 = settings.log.kind === 'builtin' ? settings.log.s3 : undefined;
  const number = numberOf(part);
  const options: LogOptions = {
    origin: number === 1 ? given.origin : `${given.origin}/${number}`,
    signer: through(keys.logSigner, 'log'),
    cosigner: through(keys.noteSigner, 'note'),
    clock,
    ...own,
  };
  const { folder } = instance;
  if (s3 !== undefined)
    return openS3Log({
      ...options,
      bucket: bucketOf(s3, part),
      folder: folder === undefined ? undefined : join(folder, part),
    });
  if (folder === undefined) return openMemoryLog(options);
  const tree = logFolderOf(folder, part);
  if (await isFrozen(new FileStore(tree, systemDisk, 0o600)))
    throw new Error(
      `the log in ${tree} was retired and takes no more entries: restore ${GENERATIONS_FILE} from a newer backup`,
    );
  return openFileLog({ ...options, folder: tree });
}

/**
 * Where the log lies in a bucket whose keys are in `part` of the data folder: the first right below the prefix, those that
 * follow it each below a prefix of their own. Throws an Error with a sentence when there are no credentials.
 */
export function bucketOf(s3: S3Settings, part = 'log'): S3LogOptions['bucket'] {
  const { endpoint, bucket, region, prefix } = s3;
  const own = numberOf(part) === 1 ? prefix : `${prefix}${part}/`;
  return { endpoint, bucket, region, prefix: own, credentials: credentialsOf(s3) };
}

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
