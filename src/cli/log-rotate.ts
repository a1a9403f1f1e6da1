// log rotate: a new log with a new key and name; the one before is frozen and goes on being read.

import type { KeyObject } from 'node:crypto';
import { Command } from 'commander';
import { systemClock } from '../clock.ts';
import type { Settings } from '../config/settings.ts';
import { passphraseOf } from '../node/keys/existing-ca.ts';
import { numberOf, pendingAt } from '../node/keys/generations.ts';
import { writePrivateKey } from '../node/keys/key-file.ts';
import { newLogKeys } from '../node/keys/log-instance.ts';
import { activatePending, addGenerations } from '../node/keys/next-generation.ts';
import { logPathOf } from '../node/log/builtin-log.ts';
import { nativeRandom as random } from '../node/system/native-random.ts';
import { addOutcome, type Outcome, tell } from './outcome.ts';
import {
  addRotation,
  beginning,
  factsOf,
  folderOf,
  linesOf,
  nextSteps,
  type RotateFlags,
  requireOne,
  settingsOf,
  takeBack,
} from './rotation-words.ts';

const KINDS = ['log'] as const;

export function rotateCommand(): Command {
  const command = addRotation(
    new Command('rotate').description(
      'make the next built-in log with keys and a name of its own: clients learn of it first; once it is told to it takes the entries, and the log before is frozen for good',
    ),
  );
  return addOutcome(command, 'done', 'not used').action((flags: RotateFlags) =>
    tell(flags, () => rotate(flags)),
  );
}

async function rotate(flags: RotateFlags): Promise<Outcome> {
  requireOne(flags);
  const settings = settingsOf(flags);
  requireFolderLog(settings);
  const folder = folderOf(settings);
  const now = systemClock.now();
  if (flags.discard === true) return takeBack(folder, KINDS, now);
  if (flags.activate === true) {
    const log = factsOf(await activatePending(folder, KINDS, now, now), 'log', now);
    return {
      lines: [
        'Logs, oldest first:',
        ...linesOf(log),
        'It takes the entries from now on; a running instance follows within a second (or at SIGHUP) and freezes the log before.',
      ],
      object: { ok: true, log },
    };
  }
  const passphrase = passphraseOf(settings);
  const pemOf = (key: KeyObject): string => writePrivateKey(key, random, passphrase);
  const generations = await addGenerations(folder, now, beginning(flags, now), async () => ({
    log: newLogKeys(pemOf),
  }));
  const log = factsOf(generations, 'log', now);
  const pending = pendingAt(generations.log, now);
  return {
    lines: [
      'Logs, oldest first:',
      ...linesOf(log),
      `The next will be served below ${logPathOf(numberOf(pending?.part ?? 'log'))}.`,
      ...nextSteps('log rotate', pending),
    ],
    object: { ok: true, log },
  };
}

/** Throws an Error with a sentence for a log that is not followed by another here. */
function requireFolderLog({ role, log }: Settings): void {
  if (role === 'log')
    throw new Error(
      'an instance in role log keeps its log for life: start another with a data folder of its own, and name that in the configuration of the CAs',
    );
  if (log.kind !== 'builtin')
    throw new Error('this instance has no log of its own: name the next one under log in the configuration');
  if (log.s3 !== undefined)
    throw new Error(
      'a log in a bucket is not followed by another in its own bucket, as each of its stand-bys has keys of its own folder: start an instance in role log with another log.s3.prefix, name that under log here, and this one under also-trusted (docs/rotation.md)',
    );
}
