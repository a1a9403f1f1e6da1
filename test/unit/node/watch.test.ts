// Watched files that change at the moments in which nobody is told of it.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ReadFiles, watchFiles } from '../../../src/node/settings/watch.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mayfly-watch-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a change between a look and the watch that follows it is seen without waiting for the next look', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, 'before');
  let looks = 0;
  class ChangedAfterALook extends ReadFiles {
    override get changed(): boolean {
      const changed = super.changed;
      looks += 1;
      if (looks === 2) writeFileSync(file, 'after'); // the first is the one after the start; the folder is not watched now
      return changed;
    }
  }
  const files = new ChangedAfterALook();
  files.read(file);
  const LOOK_EVERY = 2_000;
  const seen = Promise.withResolvers<number>();
  const stop = watchFiles(
    () => files,
    () => seen.resolve(looks),
    { settle: 20, lookEvery: LOOK_EVERY },
  );
  const started = performance.now();
  await seen.promise;
  stop();
  expect(performance.now() - started).toBeLessThan(1.75 * LOOK_EVERY);
});
