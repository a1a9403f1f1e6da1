// The drills of the runbook, each against instances of its own; and that the runbook names each of them.

import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { COMPILED, MAIN } from '../fakes/process.ts';
import { maySkip } from '../fakes/skip.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const FOLDER = join(ROOT, 'deploy', 'drills');
/** What the drills use, and no drills themselves. */
const TOOLS = ['lib.sh', 'backup.sh', 'restore.sh'];
const DRILLS = readdirSync(FOLDER).filter((name) => !TOOLS.includes(name));
/** Each takes up to a minute: these in every run, all of them in npm run test:full. */
const SHORT = ['issuer-compromise.sh', 'disk-full.sh'];
const NEEDS: Readonly<Record<string, string>> = {
  'redis-down.sh': 'redis',
  'fulcio-migration.sh': 'openssl',
};

test('the runbook names every drill', () => {
  const runbook = readFileSync(join(ROOT, 'docs', 'operations.md'), 'utf8');
  for (const name of DRILLS) expect(runbook).toContain(`deploy/drills/${name}`);
});

const chosen = process.env['MAYFLY_TESTS_FULL'] === undefined ? SHORT : DRILLS;

for (const name of chosen)
  test(`drill: ${name}`, async ({ skip }) => {
    const { status, output } = await run(name);
    if (status === 77 && maySkip(NEEDS[name] ?? name, process.env['MAYFLY_TESTS_MAY_SKIP'])) {
      console.warn(`SKIPPED ${name}: ${output.trim()}`);
      skip();
    }
    expect({ status, output }).toEqual({ status: 0, output: expect.any(String) });
  }, 300_000);

test('a drill whose instance does not do what it should ends with failure', async () => {
  const { status, output } = await run('issuer-compromise.sh', { MAYFLY: 'false' });
  expect([status, output]).toEqual([1, expect.stringContaining('FAILED')]);
}, 120_000);

function run(name: string, env: Readonly<Record<string, string>> = {}) {
  const { promise, resolve } = Promise.withResolvers<{ status: number | null; output: string }>();
  const child = spawn('sh', [join(FOLDER, name)], {
    env: { ...process.env, MAYFLY: `${process.execPath} ${MAIN}`, NODE_COMPILE_CACHE: COMPILED, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 280_000,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk;
    });
  child.on('close', (status) => resolve({ status, output }));
  return promise;
}
