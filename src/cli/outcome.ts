// Outcome: what a command of the operator found, for people or as JSON, with an exit code.

import type { Command } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import { SettingsError } from '../config/mistake.ts';

/** What was asked for is not so: a mistake in a file, a key that does not answer. */
export const EXIT_FOUND_WRONG = 1;
/** It could not be looked at: wrong use, a file that cannot be read. */
export const EXIT_NOT_DONE = 2;

export interface JsonFlag {
  json?: boolean;
}

export interface Outcome {
  readonly lines: readonly string[];
  /** With --json, instead of the lines. */
  readonly object: object;
  /** 0 unless given. */
  readonly exitCode?: number;
}

/** `ok` says what exit code 0 means, `wrong` what 1 means. */
export function addOutcome(command: Command, ok: string, wrong: string): Command {
  return command
    .option('--json', 'print one JSON object, whatever the outcome')
    .addHelpText(
      'after',
      `\nExit codes:\n  0  ${ok}\n  ${EXIT_FOUND_WRONG}  ${wrong}\n  ${EXIT_NOT_DONE}  could not be done: wrong use, or a file that cannot be read or written`,
    )
    .exitOverride();
}

/** Prints what `work` returns. Whatever it throws becomes one sentence; with --json an object with ok: false. */
export async function tell({ json }: JsonFlag, work: () => Promise<Outcome> | Outcome): Promise<void> {
  let outcome: Outcome;
  try {
    outcome = await work();
  } catch (failure) {
    const message = failure instanceof Error ? failure.message : String(failure);
    process.exitCode = EXIT_NOT_DONE;
    if (json === true) print({ ok: false, message });
    else
      process.stderr.write(
        failure instanceof SettingsError ? `${message}\n` : `mayfly: ${printable(message)}\n`,
      );
    return;
  }
  process.exitCode = outcome.exitCode ?? 0;
  if (json === true) print(outcome.object);
  else process.stdout.write(outcome.lines.map((line) => `${line}\n`).join(''));
}

function print(object: object): void {
  process.stdout.write(`${JSON.stringify(object, null, 2)}\n`);
}

/** A number with its noun, such as `1 entry`. */
export const counted = (count: number, one: string, more: string): string =>
  `${count} ${count === 1 ? one : more}`;

/** Says on standard error what is being waited for, once that takes more than a second. */
export async function patiently<T>(what: string, work: Promise<T>): Promise<T> {
  const timer = setTimeout(() => process.stderr.write(`${what} ...\n`), 1_000);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}
