// verify: whether a file was signed by whom it should have been.

import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import { IdentityPattern } from '../client/identity-pattern.ts';
import { PREDICATE_TYPES } from '../client/statement.ts';
import { readTrustedRoot } from '../client/trusted-root-file.ts';
import { readBundle, verifySignature } from '../client/verification.ts';
import {
  addClientFlags,
  type InstanceFlags,
  instanceOf,
  type JsonFlag,
  readInput,
  report,
} from './client-options.ts';
import { patiently } from './outcome.ts';
import { predicateType } from './predicate-type.ts';
import { attestationName, bundleName, describeSigner, facts } from './signature-report.ts';

interface VerifyFlags extends InstanceFlags, JsonFlag {
  identity: string;
  issuer: string;
  bundle?: string;
  trustedRoot?: string;
  attestation?: boolean;
  /** The URI. */
  type?: string;
}

export function verifyCommand(): Command {
  const command = new Command('verify')
    .description('check that a file was signed by an identity')
    .argument('<file>', 'what was signed')
    .requiredOption(
      '--identity <pattern>',
      'who must have signed: the name in the certificate, where each * stands for any text',
    )
    .requiredOption('--issuer <url>', 'whose word that identity is: the exact URL of the OIDC issuer')
    .option('--bundle <file>', 'the bundle (default: <file>.sigstore.json, or the attestation beside it)')
    .option('--trusted-root <file>', 'keys to trust, from "mayfly trust export" (default: ask the instance)')
    .option('--attestation', 'expect an attestation, of any type, and no plain signature')
    .option(
      '--type <type>',
      'expect an attestation of this type: slsa-provenance, pypi-publish, or a URI',
      predicateType,
    );
  return addClientFlags(command).action((file: string, flags: VerifyFlags) =>
    report(flags, async () => {
      const artifact = await readInput(file);
      const bundle = readBundle((await readInput(bundleFor(file, flags))).toString('utf8'));
      const trustedRoot =
        flags.trustedRoot === undefined
          ? await patiently('asking the instance for its keys', instanceOf(flags).trustedRoot())
          : readTrustedRoot((await readInput(flags.trustedRoot)).toString('utf8'), flags.trustedRoot);
      const signer = verifySignature(
        { bundle, artifact, trustedRoot },
        {
          identity: new IdentityPattern(flags.identity),
          issuer: flags.issuer,
          anyAttestation: flags.attestation === true,
          ...(flags.type === undefined ? {} : { predicateType: flags.type }),
        },
      );
      const about =
        signer.statement === undefined ? [] : [`  says      ${printable(signer.statement.predicateType)}`];
      const statement = signer.statement === undefined ? {} : { statement: signer.statement };
      return {
        lines: [`Verified ${printable(file)}`, ...describeSigner(signer), ...about],
        object: { ok: true, ...facts(signer), ...statement },
      };
    }),
  );
}

/** With no bundle named, the one beside the file that is of the kind asked for. */
function bundleFor(file: string, { bundle, attestation, type }: VerifyFlags): string {
  if (bundle !== undefined) return bundle;
  if (type !== undefined) return attestationName(file, type);
  const attestations = Object.values(PREDICATE_TYPES).map((known) => attestationName(file, known));
  const candidates = attestation === true ? attestations : [bundleName(file), ...attestations];
  return candidates.find((name) => existsSync(name)) ?? bundleName(file);
}
