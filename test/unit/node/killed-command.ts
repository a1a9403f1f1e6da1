// A command of mayfly in a process that kills itself instead of its n-th change to the disk, and says how many there are.
// Arguments: n (0 for no end), then those of the command.

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import process, { argv, kill, pid } from 'node:process';

const [node = '', script = '', limit = '0', ...args] = argv;
let changes = 0;

/** Death comes instead of the change, as a power cut would. */
function count(): void {
  changes++;
  if (changes === Number(limit)) kill(pid, 'SIGKILL');
}

const files: Record<string, unknown> = { ...fs.promises };
for (const name of ['mkdir', 'mkdtemp', 'link', 'rename', 'rm', 'open', 'writeFile'] as const) {
  const original = files[name];
  if (typeof original !== 'function') throw new TypeError(`fs has no ${name}`);
  Object.assign(fs.promises, {
    [name]: (...values: unknown[]) => {
      count();
      return Reflect.apply(original, fs.promises, values);
    },
  });
}
syncBuiltinESMExports();

process.argv = [node, script, ...args];
await import('../../../src/cli/main.ts');
process.stderr.write(`changes ${changes}\n`);
