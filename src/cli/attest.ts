// attest: a signed statement about a file, as a Sigstore bundle: how it was built, that it was published, or any predicate.

import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { Command } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import { ClientError } from '../client/client-error.ts';
import type { IdentityToken } from '../client/identity-token.ts';
import { pep740Of } from '../client/pep740.ts';
import { provenanceOf } from '../client/slsa-provenance.ts';
import { PREDICATE_TYPES, predicateName, statementAbout } from '../client/statement.ts';
import { addClientFlags, type JsonFlag, readInput, report, unusable } from './client-options.ts';
import { patiently } from './outcome.ts';
import { predicateType } from './predicate-type.ts';
import { attestationName, describe, facts, writeBundle } from './signature-report.ts';
import { addTokenFlags, openSession, type TokenFlags } from './token-options.ts';

interface AttestFlags extends TokenFlags, JsonFlag {
  /** The URI. */
  type: string;
  predicate?: string;
  bundle?: string;
  pep740?: string;
}

export function attestCommand(): Command {
  const command = new Command('attest')
    .description('sign a statement about a file (in-toto, DSSE); writes a Sigstore bundle')
    .argument('<file>', 'what the statement is about')
    .option(
      '--type <type>',
      'what kind of statement: slsa-provenance, pypi-publish, or the URI of a predicate type',
      predicateType,
      PREDICATE_TYPES['slsa-provenance'],
    )
    .option(
      '--predicate <file>',
      'the statement itself, as JSON (default: for slsa-provenance what the CI says of the job, for pypi-publish none)',
    )
    .option('--bundle <file>', 'where the bundle goes (default: <file>.<type>.sigstore.json)')
    .option(
      '--pep740 <file>',
      'write the attestation as a Python package index takes it, too; needs a signature log',
    );
  return addClientFlags(addTokenFlags(command)).action((file: string, flags: AttestFlags) =>
    report(flags, async () => {
      const { type } = flags;
      const artifact = await readInput(file);
      const given = flags.predicate === undefined ? undefined : await readPredicate(flags.predicate);
      if (given === undefined) requireOwnPredicate(type);
      const session = await openSession(flags);
      const predicate = given ?? ownPredicate(type, session.token);
      const statement = statementAbout({ name: basename(file), data: artifact }, type, predicate);
      const { bundle, signer } = await patiently('signing', session.signStatement(statement, artifact));
      const target = flags.bundle ?? attestationName(file, type);
      await writeBundle(target, bundle);
      if (flags.pep740 !== undefined) await write(flags.pep740, pep740Of(bundle));
      const known = predicateName(type);
      const verify = ['verify', file, ...(flags.bundle === undefined ? [] : ['--bundle', flags.bundle])];
      return {
        lines: [
          `Attested ${printable(file)}: ${printable(type)}`,
          ...describe(signer, target, [...verify, '--type', known ?? type], flags),
        ],
        object: { ok: true, bundle: target, ...facts(signer) },
      };
    }),
  );
}

/** Before a token is asked for. */
function requireOwnPredicate(type: string): void {
  if (predicateName(type) !== undefined) return;
  throw new ClientError('predicate_unavailable', `what shall be said? ${type} needs --predicate FILE`);
}

function ownPredicate(type: string, token: IdentityToken): unknown {
  return type === PREDICATE_TYPES['slsa-provenance'] ? provenanceOf(token, process.env) : {};
}

async function readPredicate(file: string): Promise<unknown> {
  const text = (await readInput(file)).toString('utf8');
  try {
    const predicate: unknown = JSON.parse(text);
    if (typeof predicate === 'object' && predicate !== null && !Array.isArray(predicate)) return predicate;
  } catch {
    // told below
  }
  throw new ClientError('predicate_unavailable', `${file} holds no JSON object`);
}

async function write(file: string, content: object): Promise<void> {
  try {
    await writeFile(file, `${JSON.stringify(content)}\n`);
  } catch (cause) {
    throw unusable(file, 'written', cause);
  }
}
