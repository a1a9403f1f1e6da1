// Client options: what sign, verify, attest and trust share: flags, files, and how a failure is told to people and scripts.

import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import { ClientError, SignatureFlaw } from '../client/client-error.ts';
import { RemoteInstance } from '../client/remote-instance.ts';
import { EXIT_FLAW, EXIT_OBSTACLE } from './exit-code.ts';

export const EXIT_CODES = `
Exit codes:
  0  done
  ${EXIT_FLAW}  the signature does not hold, or is not by whom it should be (verify)
  ${EXIT_OBSTACLE}  could not be done: wrong use, a file, the instance, no token`;

const DEFAULT_INSTANCE = 'http://127.0.0.1:5555';

export interface InstanceFlags {
  instance?: string;
  allowHttp?: boolean;
}

export interface JsonFlag {
  json?: boolean;
}

/** A wrong use ends with our own code, as commander's would say that a signature is bad. */
export function addClientFlags(command: Command): Command {
  return command
    .option('--instance <url>', `where the instance is (default: $MAYFLY_INSTANCE, else ${DEFAULT_INSTANCE})`)
    .option('--allow-http', 'take an instance over http although it is not on this machine')
    .option('--json', 'print one JSON object, whatever the outcome')
    .addHelpText('after', EXIT_CODES)
    .exitOverride();
}

export function instanceOf({ instance, allowHttp }: InstanceFlags): RemoteInstance {
  const url = instance ?? process.env['MAYFLY_INSTANCE'] ?? DEFAULT_INSTANCE;
  return new RemoteInstance(url, allowHttp === true);
}

/** Throws ClientError `file_unreadable`. */
export async function readInput(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw unusable(file, 'read', cause);
  }
}

export function unusable(file: string, verb: 'read' | 'written', cause: unknown): ClientError {
  const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
  return new ClientError('file_unreadable', `${file} cannot be ${verb}${code}`, cause);
}

/** Prints what `work` returns: the object with --json, the lines without. Failures become a sentence and an exit code. */
export async function report(
  { json }: JsonFlag,
  work: () => Promise<{ readonly lines: readonly string[]; readonly object: object }>,
): Promise<void> {
  try {
    const { lines, object } = await work();
    process.stdout.write(`${json === true ? JSON.stringify(object, null, 2) : lines.join('\n')}\n`);
  } catch (failure) {
    const { code, message } = told(failure);
    if (json === true) process.stdout.write(`${JSON.stringify({ ok: false, code, message }, null, 2)}\n`);
    else process.stderr.write(`mayfly: ${message}\n`);
    process.exitCode = failure instanceof SignatureFlaw ? EXIT_FLAW : EXIT_OBSTACLE;
  }
}

/** Whatever else is thrown is a mistake of ours, and says nothing about a signature either. */
function told(failure: unknown): { readonly code: string; readonly message: string } {
  if (failure instanceof ClientError) return { code: failure.code, message: printable(failure.message) };
  const text = failure instanceof Error ? failure.message : 'nothing is known of it';
  return { code: 'internal', message: `an unexpected failure: ${printable(text)}` };
}
