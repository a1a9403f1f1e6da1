// What an instance needs of its runtime, with the parts that Node has.

import { systemClock } from '../../../src/clock.ts';
import type { InstanceKind } from '../../../src/node/keys/data-folder.ts';
import type { EphemeralOptions } from '../../../src/node/keys/instance.ts';
import { sha256 } from '../../../src/node/system/native-digest.ts';
import { nativeRandom } from '../../../src/node/system/native-random.ts';
import { nativeVerifier } from '../../../src/node/system/native-verifier.ts';

export function optionsOf(kind: InstanceKind): EphemeralOptions {
  return { kind, clock: systemClock, random: nativeRandom, sha256, verifier: nativeVerifier };
}
