// sign: a file signed with an OIDC identity, as a Sigstore bundle beside it.

import { Command } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import { addClientFlags, type JsonFlag, readInput, report } from './client-options.ts';
import { patiently } from './outcome.ts';
import { bundleName, describe, facts, writeBundle } from './signature-report.ts';
import { addTokenFlags, openSession, type TokenFlags } from './token-options.ts';

interface SignFlags extends TokenFlags, JsonFlag {
  bundle?: string;
}

export function signCommand(): Command {
  const command = new Command('sign')
    .description('sign a file with an OIDC identity; writes a Sigstore bundle')
    .argument('<file>', 'what to sign')
    .option('--bundle <file>', 'where the bundle goes (default: <file>.sigstore.json)');
  return addClientFlags(addTokenFlags(command)).action((file: string, flags: SignFlags) =>
    report(flags, async () => {
      const artifact = await readInput(file);
      const session = await openSession(flags);
      const { bundle, signer } = await patiently('signing', session.signArtifact(artifact));
      const target = flags.bundle ?? bundleName(file);
      await writeBundle(target, bundle);
      const custom = flags.bundle === undefined ? [] : ['--bundle', flags.bundle];
      return {
        lines: [`Signed ${printable(file)}`, ...describe(signer, target, ['verify', file, ...custom], flags)],
        object: { ok: true, bundle: target, ...facts(signer) },
      };
    }),
  );
}
