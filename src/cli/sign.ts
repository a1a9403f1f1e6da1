// sign: a file signed with an OIDC identity, as a Sigstore bundle beside it.

import { writeFile } from 'node:fs/promises';
import { type Bundle, bundleToJSON } from '@sigstore/bundle';
import { Command } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import type { Signer } from '../client/verification.ts';
import { leafIndexOf } from '../log/entry.ts';
import {
  addClientFlags,
  addTokenFlags,
  bundleName,
  invocation,
  type JsonFlag,
  openSession,
  quoted,
  readInput,
  report,
  type TokenFlags,
  unusable,
} from './client-options.ts';

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
      const { bundle, signer } = await session.signArtifact(artifact);
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

export async function writeBundle(file: string, bundle: Bundle): Promise<void> {
  try {
    await writeFile(file, `${JSON.stringify(bundleToJSON(bundle))}\n`);
  } catch (cause) {
    throw unusable(file, 'written', cause);
  }
}

/** What is known of a signature, and the line that checks it. */
export function describe(
  signer: Signer,
  bundle: string,
  verify: readonly string[],
  { instance, allowHttp }: TokenFlags,
): readonly string[] {
  const where = instance === undefined ? [] : ['--instance', instance];
  const http = allowHttp === true ? ['--allow-http'] : [];
  const args = [...verify, '--identity', signer.identity, '--issuer', signer.issuer, ...where, ...http];
  return [
    ...describeSigner(signer),
    `  bundle    ${printable(bundle)}`,
    '',
    'Verify it with:',
    `  ${invocation()} ${args.map((one) => quoted(printable(one))).join(' ')}`,
  ];
}

export function describeSigner(signer: Signer): readonly string[] {
  const { logIndex, signedAt } = facts(signer);
  return [
    `  by        ${printable(signer.identity)}`,
    `  issuer    ${printable(signer.issuer)}`,
    `  at        ${signedAt}`,
    ...(logIndex === undefined ? [] : [`  log entry ${logIndex}`]),
  ];
}

/** For scripts. */
export function facts(signer: Signer): {
  readonly identity: string;
  readonly issuer: string;
  readonly signedAt: string;
  readonly logIndex?: number;
  readonly predicateType?: string;
} {
  const { identity, issuer, signedAt, leaf, statement } = signer;
  const [sct] = leaf.scts;
  const logIndex = sct === undefined ? undefined : leafIndexOf(sct.extensions);
  return {
    identity,
    issuer,
    signedAt: signedAt.toISOString(),
    ...(logIndex === undefined ? {} : { logIndex }),
    ...(statement === undefined ? {} : { predicateType: statement.predicateType }),
  };
}
