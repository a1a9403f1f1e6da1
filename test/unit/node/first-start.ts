// A process that opens a data folder and prints its keys; it kills itself after a given number of changes to the disk.
// Arguments: folder, kind, changes (0 for no end).

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { argv, kill, pid, stdout } from 'node:process';

const [folder = '', kind, limit = '0'] = argv.slice(2);
let changes = 0;

/** Death comes instead of the change, as a power cut would. */
function count(): void {
  changes++;
  if (changes === Number(limit)) kill(pid, 'SIGKILL');
}

const files: Record<string, unknown> = { ...fs.promises };
for (const name of ['mkdir', 'mkdtemp', 'link', 'rename', 'rm', 'open'] as const) {
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

const { openInstance } = await import('../../../src/node/keys/instance.ts');
const { optionsOf } = await import('./instance-options.ts');
const { authority, logSigner, noteSigner } = await openInstance({
  ...optionsOf(kind === 'dev' ? 'dev' : 'serve'),
  folder,
});
const keys = [authority.signer, logSigner, noteSigner].map(({ publicKey }) => Buffer.from(publicKey));
const [issuing, root] = authority.chain.map((der) => Buffer.from(der));
stdout.write(JSON.stringify({ changes, keys, issuing, root }));
