// log rotate: a new log with a new key and name; the one before is frozen and goes on being read.

import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { Command } from 'commander';
import { systemClock } from '../clock.ts';
import type { Settings } from '../config/settings.ts';
import { passphraseOf } from '../node/keys/existing-ca.ts';
import { GENERATIONS_FILE, type Generation, numberOf, pendingAt } from '../node/keys/generations.ts';
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
  requireOwnLog(settings);
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
      ...nextSteps('log rotate', pending, flags),
      ...standBySteps(settings, folder, pending),
    ],
    object: { ok: true, log },
  };
}

/** Of a log in a bucket: others may stand ready to write it, with data folders of their own. */
function standBySteps({ log }: Settings, folder: string, pending: Generation | undefined): readonly string[] {
  if (pending === undefined || log.kind !== 'builtin' || log.s3 === undefined) return [];
  return [
    '',
    `Instances that stand by for the bucket need it too, before it begins: copy ${join(folder, pending.part)} to their data folders, and then ${GENERATIONS_FILE}.`,
  ];
}

/** Throws an Error with a sentence for a log that is not followed by another here. */
function requireOwnLog({ role, log }: Settings): void {
  if (role === 'log')
    throw new Error(
      'an instance in role log keeps its log for life: start another with a data folder of its own, and name that in the configuration of the CAs, step by step as docs/rotation.md has it',
    );
  if (log.kind !== 'builtin')
    throw new Error('this instance has no log of its own: name the next one under log in the configuration');
}
