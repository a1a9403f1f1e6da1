// The systemd unit: as systemd reads it, how much it leaves exposed, what it starts, and all of it under a systemd that was booted.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { EXIT_CONFIGURATION, EXIT_OBSTACLE, EXIT_PIN } from '../../src/cli/exit-code.ts';
import { entryOf } from '../fakes/instance.ts';
import { startIssuer } from '../fakes/issuer.ts';
import { issue } from '../fakes/signing-client.ts';
import { describeWith } from '../fakes/skip.ts';
import { ownEnvironment, serveAs, temporary } from './container.ts';
import { copyOfPackage, pack } from './package.ts';

const FOLDER = join(import.meta.dirname, '..', '..', 'deploy', 'systemd');
const UNIT = readFileSync(join(FOLDER, 'mayfly.service'), 'utf8');
const valueOfKey = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(UNIT)?.[1] ?? '';

const folder = temporary('systemd');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeWith('systemd', 'the systemd unit', () => {
  /** With a Node that is here, as a command that is not there counts as a mistake. */
  const file = join(folder, 'mayfly.service');
  writeFileSync(file, UNIT.replace('/usr/bin/node', process.execPath));
  const analyze = (...args: readonly string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8' });

  test('has nothing that systemd does not understand', () => {
    const { status, stderr } = analyze('verify', '--man=no', file);
    expect([status, stderr]).toEqual([0, '']);
  });

  test('leaves next to nothing exposed', () => {
    const { status, stdout } = analyze('security', '--offline=true', '--threshold=15', file);
    expect([status, stdout]).toEqual([
      0,
      expect.stringMatching(/exposure level for mayfly.service: 1\.\d OK/),
    ]);
  });

  test('has the user that it names', () => {
    const { status, stdout, stderr } = spawnSync(
      'systemd-sysusers',
      ['--dry-run', join(FOLDER, 'mayfly.sysusers.conf')],
      { encoding: 'utf8' },
    );
    expect([status, stdout + stderr]).toEqual([0, expect.stringContaining(valueOfKey('User'))]);
  });
});

test('the unit is not started again by what would end the same way', () => {
  const prevented = [EXIT_OBSTACLE, EXIT_PIN, EXIT_CONFIGURATION];
  expect(valueOfKey('RestartPreventExitStatus')).toBe(prevented.join(' '));
});

test('what the unit starts issues, and reads its configuration again when it is told to', async () => {
  await using people = await startIssuer({
    claims: { email: 'dana@example.org', email_verified: true },
  }).then((issuer) => ({ issuer, [Symbol.asyncDispose]: () => issuer.close() }));
  const mounts = new Map([
    ['/etc/mayfly', join(folder, 'etc')],
    ['/var/lib/mayfly', join(folder, 'var')],
  ]);
  mkdirSync(join(folder, 'etc'));
  writeFileSync(
    join(folder, 'etc', 'mayfly.yaml'),
    stringify({ issuers: [entryOf({ issuer: people.issuer, type: 'email' })] }),
  );
  const words = valueOfKey('ExecStart').split(' ');
  const program = words.findIndex((word) => word.endsWith('/mayfly/deploy/npm/mayfly.mjs'));
  const server = await serveAs(words.slice(program + 1), mounts);
  try {
    expect((await issue(server.url, { token: await people.issuer.sign() })).leaf.names).toHaveLength(1);
    expect(valueOfKey('ExecReload')).toBe('/bin/kill -HUP $MAINPID');
    server.child.kill('SIGHUP');
    await server.saying(/"msg":"configuration reloaded|"cause":"signal"/);
  } finally {
    expect((await server.stop()).code).toBe(0);
  }
});

describeWith('nspawn', 'the unit under a systemd that was booted for it', () => {
  test('the unit issues, sees and writes nothing else, reloads, comes back, stays down when it cannot start, takes secrets, and stops', () => {
    const tarball = pack(copyOfPackage(join(folder, 'clone')), folder);
    const words = [process.execPath, tarball, FOLDER, join(import.meta.dirname, 'systemd-trial.sh')];
    const { status, stdout, stderr } = spawnSync(join(import.meta.dirname, 'boot.sh'), words, {
      env: ownEnvironment(),
      encoding: 'utf8',
      timeout: 240_000,
    });
    expect([status, stdout + stderr]).toEqual([
      0,
      expect.stringMatching(/exposure level for mayfly.service: 1\.\d OK/),
    ]);
  }, 300_000);
});
