// Witnesses at the edge: those that were configured, asked by the log's Durable Object.

import type { WitnessSettings } from '../config/transparency-settings.ts';
import { readCosignerKey } from '../log/cosignature.ts';
import type { Schedule } from '../log/schedule.ts';
import { Witness } from '../log/witness.ts';
import { Witnesses } from '../log/witnesses.ts';
import { fetchPoster as poster } from '../web/fetch-poster.ts';
import { webCryptoVerifier as verifier } from '../web/webcrypto-verifier.ts';
import { sha256 } from './crypto.ts';
import { report, reportError } from './report.ts';

/** Undefined where none are configured. Throws an Error with a sentence where a verifier key cannot be used. */
export function witnessesOf(
  settings: readonly WitnessSettings[],
): ((schedule: Schedule) => Witnesses) | undefined {
  if (settings.length === 0) return undefined;
  const known = settings.map(({ key, ...rest }) => ({ ...rest, key: readCosignerKey(sha256, key) }));
  return (schedule) =>
    new Witnesses({
      witnesses: known.map((one) => new Witness({ ...one, poster, verifier })),
      schedule,
      monotonic: () => performance.now(),
      onReport({ name, result, size, error }) {
        if (result === 'inconsistent' || result === 'ahead')
          reportError(`the witness ${name} has seen another log than this one of ${size} entries`, error);
        else if (result !== 'cosigned')
          report('warn', 'a witness did not cosign', { witness: name, result, size });
      },
      onError: (error) => reportError('a checkpoint could not be shown', error),
    });
}
