// sigstore-python: the client as PyPI has it, in a virtual environment that is made once and kept beside the packages.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PACKAGES = ['sigstore==4.5.1', 'pypi-attestations==0.0.30'];
const FOLDER = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'sigstore-python');
const DONE = join(FOLDER, 'complete');
const PYTHON = join(FOLDER, 'bin', 'python');

/** Throws the output of pip where the package cannot be had. */
export function installSigstorePython(): void {
  if (existsSync(DONE) && readFileSync(DONE, 'utf8') === PACKAGES.join()) return;
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  execFileSync('python3', ['-m', 'venv', FOLDER], { stdio: 'pipe' });
  execFileSync(PYTHON, ['-m', 'pip', 'install', '--quiet', ...PACKAGES], { stdio: 'pipe' });
  writeFileSync(DONE, PACKAGES.join());
}

export interface Ran {
  readonly status: number | null;
  /** Standard output, then standard error. */
  readonly output: string;
}

/** Beside the test's own event loop, where the services answer that the client asks. */
export function python(args: readonly string[], home: string): Promise<Ran> {
  const { promise, resolve, reject } = Promise.withResolvers<Ran>();
  const child = spawn(PYTHON, [...args], { env: { PATH: process.env['PATH'], HOME: home }, timeout: 60_000 });
  const output: string[] = [];
  child.stdout.on('data', (part: Buffer) => output.push(part.toString()));
  child.stderr.on('data', (part: Buffer) => output.push(part.toString()));
  child.on('error', reject);
  child.on('close', (status) => resolve({ status, output: output.join('') }));
  return promise;
}
