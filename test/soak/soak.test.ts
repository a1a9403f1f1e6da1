// The soak in short; in full, and where nothing may be skipped, for a minute.

import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

const full =
  process.env['MAYFLY_TESTS_FULL'] !== undefined || process.env['MAYFLY_TESTS_MAY_SKIP'] !== undefined;
const SECONDS = full ? 60 : 15;

test.each([1, 2])('nothing goes wrong with %i workers', { timeout: 300_000 }, (workers) => {
  const soak = new URL('soak.ts', import.meta.url).pathname;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [soak, '--json', '--seconds', String(SECONDS), '--workers', String(workers)],
    { encoding: 'utf8' },
  );
  expect([status, stderr, stdout]).toEqual([0, '', expect.stringContaining('"violations":[]')]);
  const { issued, refused } = JSON.parse(stdout) as { readonly issued: number; readonly refused: number };
  expect(issued).toBeGreaterThan(1_000);
  expect(refused).toBeGreaterThan(0); // the outage was felt
});
