// A log through crashes that lose whatever was not synced: no SCT is ever lost, nothing wrong is ever signed.

import fc from 'fast-check';
import { describe, it } from 'vitest';
import { LogRig } from '../fakes/log-rig.ts';

const RUNS = Number(process.env['LOG_DURABILITY_RUNS'] ?? 300);

type Step = { readonly append: number } | 'publish' | 'timers' | 'clock';

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ append: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 90 })) }) },
  { weight: 3, arbitrary: fc.constant('publish' as const) },
  fc.constant('timers' as const),
  fc.constant('clock' as const),
);

const life = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 8 }),
  /** The disk operation at which the process dies, and how far that one got. */
  death: fc.integer({ min: 0, max: 160 }),
  way: fc.constantFrom('before' as const, 'after' as const, 'half' as const),
  /** Which of the unsynced writes the crash kept. */
  seed: fc.integer(),
});

/** xorshift32 */
function chanceOf(seed: number): () => number {
  let x = seed | 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}

async function run(rig: LogRig, steps: readonly Step[]): Promise<void> {
  const log = await rig.open();
  for (const next of steps) {
    if (next === 'publish') await log.publish().catch(() => undefined);
    else if (next === 'timers') rig.timers.runDue();
    else if (next === 'clock') rig.clock.value += 7;
    else await rig.append(log, next.append);
  }
  await log.close();
}

describe('a log on a disk that loses power', () => {
  it('keeps every SCT and never contradicts itself', { timeout: 600_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 5 }), async (lives) => {
        const rig = new LogRig();
        for (const { steps, death, way, seed } of lives) {
          let count = 0;
          rig.disk.fault = () => {
            count += 1;
            return count === death ? way : count > death ? 'before' : undefined;
          };
          // A start may die too. What it must not do is refuse what a crash left.
          await run(rig, steps).catch((error: unknown) => {
            if (!(error instanceof Error && /^(EIO|ENOSPC)/.test(error.message))) throw error;
          });
          rig.disk = rig.disk.crash(chanceOf(seed));
        }
        const log = await rig.open();
        await rig.append(log, 1);
        await log.publish();
        await rig.check(log);
        await log.close();
      }),
      { numRuns: RUNS },
    );
  });
});
