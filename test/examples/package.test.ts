// The published package: packed as npm would, unpacked in an empty folder beside nothing but its declared dependencies.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { copyOfPackage, pack } from '../deploy/package.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const EXAMPLES = readdirSync(import.meta.dirname).filter((name) => !name.includes('.test.'));

const folder = mkdtempSync(join(tmpdir(), 'mayfly-package-'));
const modules = join(folder, 'node_modules');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Manifest {
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

const manifestOf = (path: string): Manifest => JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));

beforeAll(() => {
  const tarball = pack(copyOfPackage(join(folder, 'clone')), folder);
  mkdirSync(join(modules, 'mayfly'), { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', join(modules, 'mayfly'), '--strip-components', '1']);
  for (const name of Object.keys(manifestOf(join(modules, 'mayfly')).dependencies)) link(name);
  // What the examples themselves use to build and check types with.
  for (const name of ['@types/node', 'typescript']) link(name);
  for (const name of EXAMPLES) cpSync(join(import.meta.dirname, name), join(folder, name));
  writeFileSync(join(folder, 'package.json'), '{"type":"module","private":true}');
}, 120_000);

function link(name: string): void {
  mkdirSync(dirname(join(modules, name)), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules', name), join(modules, name), 'dir');
}

function run(...args: readonly string[]): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...args], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
    env: { PATH: process.env['PATH'], HOME: folder },
  });
  return { status, output: stdout + stderr };
}

describe('the packed package', () => {
  const mayfly = join(modules, 'mayfly', 'deploy', 'npm', 'mayfly.mjs');

  test('names a bin that is in it, and holds no TypeScript, no test and no key', () => {
    const files = readdirSync(join(modules, 'mayfly'), { recursive: true, encoding: 'utf8' });
    expect(files).toContain(manifestOf(join(modules, 'mayfly')).bin['mayfly']);
    expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', join('config', 'mayfly.yaml')]));
    expect(files.filter((name) => /(?<!\.d)\.ts$|\.test\.|\.key$|\.pem$/.test(name))).toEqual([]);
  });

  test('runs a whole issuance', () => {
    const { status, output } = run(mayfly, 'demo');
    expect(output).toContain('and it is there: recomputed from its tiles');
    expect(status).toBe(0);
  }, 90_000);

  test.each(EXAMPLES)(
    'runs %s',
    (name) => {
      const { status, output } = run(name);
      expect({ status, output }).toEqual({ status: 0, output: expect.not.stringContaining('Error') });
    },
    90_000,
  );

  test('has types that a strict project takes', () => {
    const { status, output } = run(
      ...[join(modules, 'typescript', 'bin', 'tsc'), '--noEmit', '--strict', '--target', 'esnext'],
      ...['--module', 'nodenext', '--types', 'node', '--exactOptionalPropertyTypes', '--skipLibCheck'],
      ...EXAMPLES,
    );
    expect({ status, output }).toEqual({ status: 0, output: '' });
  }, 90_000);
});
