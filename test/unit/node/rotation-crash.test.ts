// Rotation killed before a change to the disk, whichever it is: what was in force is in force, and the command can be given again.

import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { hex } from '../../../src/encoding/bytes.ts';
import { currentAt, readGenerations } from '../../../src/node/keys/generations.ts';
import { type Instance, openInstance } from '../../../src/node/keys/instance.ts';
import { optionsOf } from './instance-options.ts';

let base: string;
let config: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'mayfly-rotation-crash-'));
  config = join(base, 'mayfly.yaml');
  await writeFile(config, 'issuers: []\n');
});
afterEach(() => rm(base, { recursive: true }));

interface Ended {
  readonly code: number | string | null;
  readonly signal: string | null;
  readonly changes: number;
  readonly said: string;
}

/** With the command's place; killed before change number `limit`. */
function command(limit: number, folder: string, args: readonly string[]): Promise<Ended> {
  const script = new URL('killed-command.ts', import.meta.url).pathname;
  const place = ['--config', config, '--data', folder];
  return new Promise((resolve) => {
    const child = execFile(execPath, [script, String(limit), ...args, ...place], (error, stdout, stderr) => {
      const changes = Number(/changes (\d+)/.exec(stderr)?.[1] ?? 0);
      resolve({
        code: error?.code ?? child.exitCode,
        signal: child.signalCode,
        changes,
        said: stdout + stderr,
      });
    });
  });
}

async function finish(folder: string, ...args: readonly string[]): Promise<void> {
  const ended = await command(0, folder, args);
  expect([ended.code, ended.said]).toEqual([0, ended.said]);
}

const open = (folder: string): Promise<Instance> => openInstance({ ...optionsOf('serve'), folder });

/** Which keys sign. */
const inForce = ({ authority, timestamp, logSigner }: Instance): readonly string[] =>
  [authority.signer, timestamp?.signer, logSigner].map((signer) =>
    hex(signer?.publicKey ?? new Uint8Array()),
  );

/** Runs `args` on copies of a folder, and kills each at another change; FULL tries all. */
async function atEachChange(
  folder: string,
  args: readonly string[],
  after: (copy: string) => Promise<void>,
): Promise<void> {
  const whole = join(base, 'whole');
  await cp(folder, whole, { recursive: true });
  const { code, changes, said } = await command(0, whole, args);
  expect([code, said]).toEqual([0, said]);
  expect(changes).toBeGreaterThan(3);
  const step = process.env['MAYFLY_TESTS_FULL'] === undefined ? Math.ceil(changes / 4) : 1;
  for (let limit = 1; limit <= changes; limit += step) {
    const copy = join(base, `killed-${limit}`);
    await cp(folder, copy, { recursive: true });
    const { signal } = await command(limit, copy, args);
    expect(signal).toBe('SIGKILL');
    await after(copy);
    await rm(copy, { recursive: true });
  }
  await rm(whole, { recursive: true });
}

describe('killed while', () => {
  const folder = (): string => join(base, 'data');

  test.each([
    ['ca rotate', ['ca', 'rotate']],
    ['ca rotate --root', ['ca', 'rotate', '--root']],
    ['log rotate', ['log', 'rotate']],
  ] as const)('%s makes the next', { timeout: 120_000 }, async (_, args) => {
    const before = inForce(await open(folder()));
    await atEachChange(folder(), args, async (copy) => {
      const instance = await open(copy);
      expect(inForce(instance)).toEqual(before);
      // It is whole and published, or not there at all.
      const kind = args[0] === 'log' ? 'log' : 'ca';
      const made = (await readGenerations(copy))[kind].length;
      if (kind === 'ca') expect(instance.trusted.authorities).toHaveLength(made);
      else expect(instance.pendingLog === undefined).toBe(made === 1);
      if (made === 1) await finish(copy, ...args);
      await finish(copy, args[0], 'rotate', '--activate');
      expect(inForce(await open(copy))).not.toEqual(before);
      expect((await readdir(copy)).filter((name) => name.endsWith('-3'))).toEqual([]);
    });
  });

  test('ca rotate --activate puts the next in force', { timeout: 120_000 }, async () => {
    const before = inForce(await open(folder()));
    await finish(folder(), 'ca', 'rotate');
    await atEachChange(folder(), ['ca', 'rotate', '--activate'], async (copy) => {
      const { ca, timestamp } = await readGenerations(copy);
      const now = systemClock.now();
      expect(currentAt(ca, now)).toBe(currentAt(timestamp, now)); // both or neither
      if (currentAt(ca, now) === 0) {
        expect(inForce(await open(copy))).toEqual(before);
        await finish(copy, 'ca', 'rotate', '--activate');
      }
      expect(inForce(await open(copy)).slice(0, 2)).not.toContain(before[0]);
    });
  });

  test('the chain of an offline root is imported', { timeout: 120_000 }, async () => {
    const before = inForce(await open(folder()));
    const [root, request, chain] = ['root', 'it.csr', 'it.pem'].map((name) => join(base, name));
    const ca = async (...args: readonly (string | undefined)[]): Promise<void> => {
      const { said, code } = await plain(['ca', ...args.map(String)]);
      expect([code, said]).toEqual([0, said]);
    };
    await ca('init', '--offline-root', root);
    await finish(folder(), 'ca', 'csr', '--out', String(request));
    await ca('sign', request, '--root', root, '--out', chain);
    await atEachChange(folder(), ['ca', 'import', String(chain)], async (copy) => {
      expect(inForce(await open(copy))).toEqual(before);
      const made = (await readGenerations(copy)).ca.length;
      if (made === 1) await finish(copy, 'ca', 'import', String(chain));
      await finish(copy, 'ca', 'rotate', '--activate');
      expect(inForce(await open(copy))[0]).not.toEqual(before[0]);
    });
  });
});

function plain(args: readonly string[]): Promise<Ended> {
  const script = new URL('killed-command.ts', import.meta.url).pathname;
  return new Promise((resolve) => {
    const child = execFile(execPath, [script, '0', ...args], (error, stdout, stderr) => {
      resolve({
        code: error?.code ?? child.exitCode,
        signal: child.signalCode,
        changes: 0,
        said: stdout + stderr,
      });
    });
  });
}

test('without the record of generations nothing starts', async () => {
  const folder = join(base, 'data');
  await open(folder);
  await finish(folder, 'ca', 'rotate');
  await rm(join(folder, 'generations.json'));
  await expect(open(folder)).rejects.toMatchObject({ code: 'file_missing' });
  await writeFile(join(folder, 'generations.json'), '{}');
  await expect(open(folder)).rejects.toMatchObject({ code: 'marker_malformed' });
});
