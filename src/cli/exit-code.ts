// Exit code: what a script learns of a command of the client without reading its words.

import { CommanderError } from 'commander';

/** The signature does not hold. */
export const EXIT_FLAW = 1;
/** The work could not be done, so that nothing is known about any signature. */
export const EXIT_OBSTACLE = 2;

/** Of a wrong use that commander has already explained; undefined for any other failure. */
export function exitCodeOf(failure: unknown): number | undefined {
  if (failure instanceof CommanderError) return failure.exitCode === 0 ? 0 : EXIT_OBSTACLE;
  return undefined;
}
