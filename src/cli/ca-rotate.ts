// ca rotate: a new intermediate, or a whole new CA, beside the one in force: published first, signing later.

import { X509Certificate } from 'node:crypto';
import { Command } from 'commander';
import { type Instant, systemClock } from '../clock.ts';
import type { Settings } from '../config/settings.ts';
import { passphraseOf } from '../node/keys/existing-ca.ts';
import { type Generations, pendingAt } from '../node/keys/generations.ts';
import { chainIn, nextCa } from '../node/keys/next-ca.ts';
import { activatePending, addGenerations } from '../node/keys/next-generation.ts';
import { describeCa, factsOfCa } from './ca-words.ts';
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

interface CaRotateFlags extends RotateFlags {
  root?: boolean;
  rootKey?: string;
}

/** The timestamp authority stands under the same root and lives as long, so it goes along. */
const KINDS = ['ca', 'timestamp'] as const;

export function rotateCommand(): Command {
  const command = addRotation(
    new Command('rotate').description(
      'make the next CA (and timestamp authority) beside those in force: clients learn of it first, and it signs once it is told to',
    ),
  )
    .option('--root', 'make a new root, too')
    .option('--root-key <file>', 'the key of the root, where it is not in the data folder');
  return addOutcome(command, 'done', 'not used').action((flags: CaRotateFlags) =>
    tell(flags, () => rotate(flags)),
  );
}

async function rotate(flags: CaRotateFlags): Promise<Outcome> {
  requireOne(flags);
  const settings = settingsOf(flags);
  const folder = folderOf(settings);
  const now = systemClock.now();
  if (flags.discard === true) return takeBack(folder, KINDS, now);
  if (flags.activate === true) {
    const generations = await activatePending(folder, KINDS, now, now);
    return outcomeOf(generations, settings, now, [
      'It signs from now on; a running instance follows within a second (or at SIGHUP).',
    ]);
  }
  requireOwn(settings);
  const passphrase = passphraseOf(settings);
  const generations = await addGenerations(folder, now, beginning(flags, now), (making) =>
    nextCa(
      { folder, kind: 'serve', passphrase, newRoot: flags.root === true, rootKey: flags.rootKey },
      making,
    ),
  );
  return outcomeOf(generations, settings, now, nextSteps('ca rotate', pendingAt(generations.ca, now), flags));
}

/** Throws an Error with a sentence for a CA whose key Mayfly has not made. */
function requireOwn({ ca }: Settings): void {
  if (ca === undefined) return;
  throw new Error(
    'the configuration names an existing CA, whose root is not at hand here: ask for the next certificate with "mayfly ca csr", and hand it over with "mayfly ca import"',
  );
}

/** What is there now, and what comes next. */
export async function outcomeOf(
  generations: Generations,
  { data }: Pick<Settings, 'data'>,
  now: Instant,
  then: readonly string[],
): Promise<Outcome> {
  const ca = factsOf(generations, 'ca', now);
  const timestamp = factsOf(generations, 'timestamp', now);
  const newest = generations.ca.at(-1)?.part ?? 'ca';
  const chain = (await chainIn(data, newest)).map((der) => new X509Certificate(der));
  return {
    lines: [
      `${newest}:`,
      ...chain.flatMap((one) => describeCa(one)),
      '',
      'Generations, oldest first:',
      ...linesOf(ca),
      ...linesOf(timestamp),
      ...then,
    ],
    object: { ok: true, chain: chain.map(factsOfCa), ca, timestamp },
  };
}
