// Skipping: a few tests need a program that npm does not bring; without it they are skipped loudly, or fail where
// nothing may be skipped.

import { spawnSync } from 'node:child_process';
import { describe, test } from 'vitest';

interface Program {
  /** Exits with 0 where the program is installed. */
  readonly probe: readonly [string, ...string[]];
  readonly install: string;
}

const PROGRAMS = {
  openssl: { probe: ['openssl', 'version'], install: 'apt-get install -y openssl' },
  redis: { probe: ['redis-server', '--version'], install: 'apt-get install -y redis-server' },
  softhsm2: { probe: ['softhsm2-util', '--version'], install: 'apt-get install -y softhsm2' },
  chromium: { probe: ['chromium', '--version'], install: 'apt-get install -y chromium' },
  python: { probe: ['python3', '-m', 'ensurepip', '--version'], install: 'apt-get install -y python3-venv' },
  systemd: { probe: ['systemd-analyze', '--version'], install: 'apt-get install -y systemd' },
  nspawn: {
    probe: ['unshare', '--mount', 'systemd-nspawn', '--version'],
    install: 'as root: apt-get install -y systemd-container',
  },
  promtool: { probe: ['promtool', '--version'], install: 'apt-get install -y prometheus' },
  go: { probe: ['go', 'version'], install: 'apt-get install -y golang-go' },
} as const satisfies Record<string, Program>;

export type ProgramName = keyof typeof PROGRAMS;

const found = new Map<ProgramName, boolean>();

export function isInstalled(name: ProgramName): boolean {
  const known = found.get(name);
  if (known !== undefined) return known;
  const [command, ...args] = PROGRAMS[name].probe;
  const installed = spawnSync(command, args, { stdio: 'ignore' }).status === 0;
  found.set(name, installed);
  return installed;
}

/**
 * `describe` where the program is installed; `body` does not run elsewhere. Then the tests are skipped with the line that
 * installs the program, or fail when the environment variable MAYFLY_TESTS_MAY_SKIP is set and does not list it.
 */
export function describeWith(name: ProgramName, title: string, body: () => void): void {
  if (isInstalled(name)) {
    describe(title, body);
    return;
  }
  const line = `${title}: needs ${name} (${PROGRAMS[name].install})`;
  if (maySkip(name, process.env['MAYFLY_TESTS_MAY_SKIP'])) {
    console.warn(`SKIPPED ${line}`);
    describe.skip(title, () => test(`needs ${name}`));
  } else {
    describe(title, () => {
      test(`needs ${name}`, () => {
        throw new Error(line);
      });
    });
  }
}

/** Everything may be skipped where the variable is not set. */
export function maySkip(name: string, list: string | undefined): boolean {
  return list === undefined || list.split(/[\s,]+/).includes(name);
}
