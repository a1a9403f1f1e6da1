// Package: packed from a copy of what it is made of, as packing builds in the folder itself and tests run beside each other.

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const PARTS = [
  ...['package.json', 'package-lock.json', '.npmrc', 'tsconfig.json', 'LICENSE', 'README.md'],
  ...['config', 'src', join('deploy', 'npm')],
];

/** Copies what the package is made of into `folder`, with the clone's dependencies beside it. Returns `folder`. */
export function copyOfPackage(folder: string): string {
  for (const part of PARTS) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  if (!existsSync(join(folder, 'node_modules')))
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'dir');
  return folder;
}

/** Packs as npm would publish it. Returns the tarball's path. */
export function pack(copy: string, into: string): string {
  const words = ['pack', '--silent', '--pack-destination', into];
  const said = execFileSync('npm', words, { cwd: copy, encoding: 'utf8' });
  return join(into, said.trim().split('\n').at(-1) ?? '');
}
