// ca init: a root CA for a machine without a network.

import { X509Certificate } from 'node:crypto';
import { Command, Option } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import { firstLine } from '../node/keys/existing-ca.ts';
import type { CaCurve } from '../node/keys/new-ca.ts';
import { makeOfflineRoot } from '../node/keys/offline-root.ts';
import { describeCa, factsOfCa } from './ca-words.ts';
import { addOutcome, type JsonFlag, type Outcome, tell } from './outcome.ts';

interface InitFlags extends JsonFlag {
  offlineRoot: string;
  organization: string;
  name: string;
  curve: CaCurve;
  passphraseFile?: string;
}

export function initCommand(): Command {
  const command = new Command('init')
    .description(
      'make a root that stays off line: run this on a machine without a network, and keep its folder there',
    )
    .requiredOption('--offline-root <dir>', 'folder to make for root.pem and root.key')
    .option('--organization <name>', 'organizationName of the root', 'Mayfly')
    .option('--name <name>', 'commonName of the root', 'Mayfly offline root')
    .addOption(new Option('--curve <curve>', 'of its key').choices(['P-256', 'P-384']).default('P-384'))
    .option('--passphrase-file <file>', 'file whose first line encrypts the key');
  return addOutcome(command, 'made', 'not used')
    .addHelpText('after', STEPS)
    .action((flags: InitFlags) => tell(flags, () => init(flags)));
}

/** The whole way, for whoever stands at the beginning of it. */
export const STEPS = `
The way of a certificate from an offline root:
  1. off line   mayfly ca init --offline-root ROOT        once
  2. instance   mayfly ca csr --out request.pem           makes the key, which never leaves the instance
  3. off line   mayfly ca sign request.pem --root ROOT --out chain.pem
                                                          compare the key's SHA-256 with what step 2 said
  4. instance   mayfly ca import chain.pem                in force at once for a new instance, else as the next
  5. instance   mayfly ca rotate --activate               where it was the next: once clients have the new trust documents`;

async function init(flags: InitFlags): Promise<Outcome> {
  const { offlineRoot: folder, organization, name: commonName, curve, passphraseFile } = flags;
  const passphrase = passphraseFile === undefined ? undefined : firstLine(passphraseFile);
  const der = await makeOfflineRoot({ folder, name: { organization, commonName }, curve, passphrase });
  const root = new X509Certificate(der);
  return {
    lines: [
      ...describeCa(root),
      '',
      `The root is in ${printable(folder)}: root.pem, and root.key ${passphrase === undefined ? 'in clear; --passphrase-file would have encrypted it' : 'encrypted'}.`,
      'Keep two copies on media that are locked away, and note the SHA-256 where people look.',
      'Next, on the instance: mayfly ca csr --out request.pem',
    ],
    object: { ok: true, folder, encrypted: passphrase !== undefined, root: factsOfCa(root) },
  };
}
