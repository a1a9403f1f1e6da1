// ca import: the certificate that was asked for comes home: checked, and put in force, or kept as the next.

import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { AuthorityError } from '../certificate/authority-error.ts';
import { printable } from '../certificate/plain-words.ts';
import { systemClock } from '../clock.ts';
import { passphraseOf } from '../node/keys/existing-ca.ts';
import { pendingAt } from '../node/keys/generations.ts';
import { importCa } from '../node/keys/pending-request.ts';
import { STEPS } from './ca-init.ts';
import { describeCa, factsOfCa } from './ca-words.ts';
import { addOutcome, EXIT_FOUND_WRONG, type Outcome, tell } from './outcome.ts';
import {
  addPlace,
  beginning,
  duration,
  factsOf,
  linesOf,
  nextSteps,
  type PlaceFlags,
  settingsOf,
} from './rotation-words.ts';

interface ImportFlags extends PlaceFlags {
  after?: number;
}

export function importCommand(): Command {
  const command = addPlace(
    new Command('import')
      .description(
        'take in the chain for the key that "mayfly ca csr" asked for: in force where there is no CA yet, else as the next of a rotation',
      )
      .argument('<chain>', 'PEM file: the intermediate first, the root last'),
  ).option(
    '--after <duration>',
    'as the next, let it begin after this time by itself, such as 24h',
    duration,
  );
  return addOutcome(command, 'taken in', 'the chain is refused; nothing has changed')
    .addHelpText('after', STEPS)
    .action((chain: string, flags: ImportFlags) => tell(flags, () => takeIn(chain, flags)));
}

async function takeIn(file: string, flags: ImportFlags): Promise<Outcome> {
  const settings = settingsOf(flags);
  const { data: folder, ca } = settings;
  const chain = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Error(`${file} cannot be read`, { cause });
  });
  const now = systemClock.now();
  const activates = beginning(flags, now);
  try {
    const passphrase = passphraseOf(settings);
    const { authority, as, generations, files } = await importCa({
      folder,
      chain,
      passphrase,
      ca,
      activates,
    });
    const certificates = authority.chain.map((der) => new X509Certificate(der));
    const facts = factsOf(generations, 'ca', now);
    const root = certificates.at(-1);
    return {
      lines: [
        ...certificates.flatMap((one) => describeCa(one)),
        '',
        ...(root !== undefined && root.subject !== root.issuer
          ? ['It does not end in a root: some clients accept only a whole chain.']
          : []),
        `The chain is in ${files.map(printable).join(' and ')}.`,
        ...(as === 'in-force'
          ? ['It is in force: start the instance with mayfly serve.']
          : [
              'CAs, oldest first:',
              ...linesOf(facts),
              ...nextSteps('ca rotate', pendingAt(generations.ca, now), flags),
            ]),
      ],
      object: { ok: true, as, chain: certificates.map(factsOfCa), files, ca: facts },
    };
  } catch (failure) {
    if (!(failure instanceof AuthorityError)) throw failure;
    return {
      lines: [`${printable(file)}: ${printable(failure.message)}`],
      object: { ok: false, code: failure.code, message: failure.message },
      exitCode: EXIT_FOUND_WRONG,
    };
  }
}
