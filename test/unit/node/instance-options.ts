// What an instance needs of its runtime, with the parts that Node has.

import { systemClock } from '../../../src/clock.ts';
import type { InstanceKind } from '../../../src/node/data-folder.ts';
import type { EphemeralOptions } from '../../../src/node/instance.ts';
import { sha256 } from '../../../src/node/native-digest.ts';
import { nativeRandom } from '../../../src/node/native-random.ts';
import { nativeVerifier } from '../../../src/node/native-verifier.ts';

export function optionsOf(kind: InstanceKind): EphemeralOptions {
  return { kind, clock: systemClock, random: nativeRandom, sha256, verifier: nativeVerifier };
}
