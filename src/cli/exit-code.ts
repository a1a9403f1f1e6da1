// Exit code: what a script learns of a command of the client without reading its words.

import { CommanderError } from 'commander';
import { ContradictionError } from '../config/contradiction.ts';
import { SettingsError } from '../config/mistake.ts';
import { isPinRefused } from '../node/keys/pin-refused.ts';

/** The signature does not hold. */
export const EXIT_FLAW = 1;
/** The work could not be done, so that nothing is known about any signature. */
export const EXIT_OBSTACLE = 2;

/** A token refuses the PIN, and would lock itself if a supervisor went on trying. */
export const EXIT_PIN = 3;

/** The configuration has mistakes, and will have them at the next try: EX_CONFIG of sysexits.h, which systemd calls CONFIG. */
export const EXIT_CONFIGURATION = 78;

/** Of a failure that ended a command. */
export function exitCodeOf(failure: unknown): number {
  if (failure instanceof CommanderError) return failure.exitCode === 0 ? 0 : EXIT_OBSTACLE;
  if (failure instanceof SettingsError || failure instanceof ContradictionError) return EXIT_CONFIGURATION;
  return isPinRefused(failure) ? EXIT_PIN : 1;
}
