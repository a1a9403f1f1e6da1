// Signature report: what is told of a signature, to people and to scripts, and where its bundle is kept.

import { writeFile } from 'node:fs/promises';
import { type Bundle, bundleToJSON } from '@sigstore/bundle';
import { printable } from '../certificate/plain-words.ts';
import { predicateName } from '../client/statement.ts';
import type { Signer } from '../client/verification.ts';
import { leafIndexOf } from '../log/entry.ts';
import { type InstanceFlags, unusable } from './client-options.ts';
import { invocation, quoted } from './invocation.ts';

/** The bundle beside its file, as Sigstore's clients name it. */
export function bundleName(file: string): string {
  return `${file}.sigstore.json`;
}

/** Where the attestation of a type about a file is kept. */
export function attestationName(file: string, type: string): string {
  return `${file}.${predicateName(type) ?? 'attestation'}.sigstore.json`;
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
  { instance, allowHttp }: InstanceFlags,
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
