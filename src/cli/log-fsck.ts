// log fsck: recomputes everything that is stored of a log, and says what is wrong and where; changes nothing.

import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { base64 } from '../encoding/bytes.ts';
import { parsePublicKey } from '../key/public-key.ts';
import type { FsckReport } from '../log/fsck.ts';
import { partOf } from '../node/keys/generations.ts';
import { bucketOf, logFolderOf } from '../node/log/builtin-log.ts';
import { type FolderFsckOptions, fsckDisk, fsckFolder } from '../node/log/file-fsck.ts';
import { fsckBucket } from '../node/log/s3-fsck.ts';
import { systemDisk } from '../node/system/disk.ts';
import { FolderInUse } from '../node/system/file-lock.ts';
import { readKey } from './log-access.ts';
import { findingLines } from './log-findings.ts';
import { type KeyFlags, logKeysOf, logPartOf } from './log-keys.ts';
import { loadSettings } from './options.ts';
import { addOutcome, counted, EXIT_FOUND_WRONG, type JsonFlag, type Outcome, tell } from './outcome.ts';
import { ProgressLine } from './progress.ts';

interface FsckFlags extends JsonFlag, Omit<KeyFlags, 'data'> {
  config?: string;
  data?: string;
  log?: number;
  key?: string;
}

export function fsckCommand(): Command {
  const command = new Command('fsck')
    .description('recompute all that is stored of a log; changes nothing')
    .option(
      '--config <file>',
      'configuration file that names the bucket or the folder (default: ./mayfly.yaml, unless --data is given)',
    )
    .option('--data <dir>', 'folder of keys and log (default: ./mayfly-data)')
    .option(
      '--log <number>',
      'an earlier log: 1 is the first (default: the one that takes entries)',
      logNumber,
    )
    .option('--key <file>', 'PEM public key of the log (default: that of the private key in the folder)')
    .option('--key-passphrase-file <file>', 'file whose first line decrypts the keys in the folder');
  return addOutcome(command, 'all is well', 'something is wrong').action((flags: FsckFlags) =>
    tell(flags, () => check(flags)),
  );
}

function logNumber(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('logs are numbered from 1');
  return Number(text);
}

async function check(flags: FsckFlags): Promise<Outcome> {
  const configured = flags.config !== undefined || flags.data === undefined;
  const { config } = flags;
  const settings = configured ? loadSettings(config === undefined ? {} : { config }).settings : undefined;
  const data = flags.data ?? settings?.data ?? '';
  const log = settings?.log;
  const s3 = log?.kind === 'builtin' ? log.s3 : undefined;
  const part = flags.log === undefined ? await logPartOf(data) : partOf('log', flags.log);
  const folder = logFolderOf(data, part);
  if (s3 === undefined && !existsSync(folder))
    throw new Error(
      `there is no log in ${data}; one that is kept in a bucket is checked with --config, and any from outside with: mayfly log verify URL`,
    );
  const progress = new ProgressLine('entries checked');
  const keys = flags.key === undefined ? await logKeysOf({ ...flags, data }, part) : undefined;
  const publicKey = keys?.log ?? parsePublicKey(readKey(flags.key ?? ''));
  const options = { publicKey, noteKey: keys?.note, submissions: true, onProgress: progress.tell };
  let report: FsckReport;
  try {
    report =
      s3 === undefined ? await run({ ...options, folder }) : await fsckBucket(bucketOf(s3, part), options);
  } catch (failure) {
    if (!(failure instanceof FolderInUse)) throw failure;
    throw new Error(
      `${failure.message}: stop that, or check a copy of the folder, or what it shows with: mayfly log verify URL`,
      { cause: failure },
    );
  } finally {
    progress.end();
  }
  const { size, root, findings } = report;
  const ok = findings.length === 0;
  return {
    lines: ok
      ? [`${counted(size, 'entry', 'entries')}, and all of it is well: root ${base64(root)}`]
      : [
          ...findingLines(findings),
          '',
          `${counted(findings.length, 'fault', 'faults')} in ${counted(size, 'entry', 'entries')}`,
        ],
    object: { ok, size, root: base64(root), findings },
    exitCode: ok ? 0 : EXIT_FOUND_WRONG,
  };
}

/** A folder that nobody can write to needs no lock, and could not have one. */
function run(options: FolderFsckOptions): Promise<FsckReport> {
  const { folder, ...rest } = options;
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    return fsckDisk(systemDisk, {
      ...rest,
      guard: folder,
      store: join(folder, 'public'),
      journal: join(folder, 'journal'),
    });
  }
  return fsckFolder(options);
}
