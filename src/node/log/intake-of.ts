// Intake: whose precertificates the log of role log takes, from the PEM that the settings hold.

import type { Bytes } from '../../encoding/bytes.ts';
import { decodePem } from '../../encoding/pem.ts';
import { Intake } from '../../log/submission.ts';
import { sha256 } from '../system/native-digest.ts';
import { nativeVerifier as verifier } from '../system/native-verifier.ts';

/** Throws an Error with a sentence where they are no CA certificates. */
export function intakeOf(logRoots: string): Intake {
  const authorities: Bytes[] = decodePem(logRoots)
    .filter(({ label }) => label === 'CERTIFICATE')
    .map(({ der }) => der);
  if (authorities.length === 0) throw new Error('log-roots holds no CERTIFICATE in PEM');
  try {
    return new Intake({ sha256, verifier, authorities });
  } catch (cause) {
    throw new Error(`log-roots: ${cause instanceof Error ? cause.message : 'a certificate cannot be read'}`, {
      cause,
    });
  }
}
