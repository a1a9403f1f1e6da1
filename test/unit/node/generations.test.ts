import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { instantOf } from '../../../src/clock.ts';
import { openDataFolder } from '../../../src/node/keys/data-folder.ts';
import {
  currentAt,
  FIRST,
  type Generation,
  nextActivation,
  pendingAt,
  RETIREMENT_GRACE,
  readGenerations,
  signsAt,
  trustedUntil,
} from '../../../src/node/keys/generations.ts';
import {
  activatePending,
  addGenerations,
  discardPending,
  distrust,
} from '../../../src/node/keys/next-generation.ts';
import { lockFolder } from '../../../src/node/system/file-lock.ts';

const at = (milliseconds: number) => instantOf(milliseconds);
const list: readonly Generation[] = [
  { part: 'ca' },
  { part: 'ca-2', made: at(50), activates: at(100) },
  { part: 'ca-3', made: at(150), activates: at(200) },
  { part: 'ca-4', made: at(250) },
];

test.each([
  [0, 'ca', 'ca-2'],
  [99, 'ca', 'ca-2'],
  [100, 'ca-2', 'ca-3'],
  [200, 'ca-3', 'ca-4'],
  [9_999, 'ca-3', 'ca-4'],
])('at %i %s signs, and %s is next', (now, signs, next) => {
  expect(signsAt(list, at(now)).part).toBe(signs);
  expect(pendingAt(list, at(now))?.part).toBe(next);
});

test('one is trusted until an hour after its successor began, and no longer than its key was its own', () => {
  const until = (index: number, now: number, distrusted?: number) =>
    trustedUntil(
      list.map((one, i) =>
        i === index && distrusted !== undefined ? { ...one, distrusted: at(distrusted) } : one,
      ),
      index,
      at(now),
    );
  expect(until(0, 99)).toBeUndefined();
  expect(until(0, 100)).toBe(100 + RETIREMENT_GRACE);
  expect(until(0, 100, 60)).toBe(60);
  expect(until(0, 100, 100 + 2 * RETIREMENT_GRACE)).toBe(100 + RETIREMENT_GRACE);
  expect([until(2, 300), until(3, 300)]).toEqual([undefined, undefined]);
});

test('the next time at which anything changes', () => {
  const generations = { ...FIRST, ca: list, log: [{ part: 'log' }, { part: 'log-2', activates: at(150) }] };
  expect([0, 100, 150, 200].map((now) => nextActivation(generations, at(now)))).toEqual([
    100,
    150,
    200,
    undefined,
  ]);
  expect(currentAt(generations.log, at(150))).toBe(1);
});

describe('in a data folder', () => {
  let folder: string;
  const NOW = at(Date.UTC(2026, 4, 4));
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mayfly-generations-'));
    await openDataFolder(folder, 'serve', NOW);
  });
  afterEach(() => rm(folder, { recursive: true }));
  const add = (part: 'ca' | 'log' = 'ca') =>
    addGenerations(folder, NOW, undefined, async () => ({ [part]: new Map([['file', 'text']]) }));

  test('what is made waits, signs when it is told to, and makes room for another', async () => {
    expect(await readGenerations(folder)).toEqual(FIRST);
    await add();
    expect((await stat(join(folder, 'ca-2', 'file'))).mode & 0o777).toBe(0o600);
    await expect(add()).rejects.toThrow('ca-2 is made already');
    await add('log'); // of another kind
    await activatePending(folder, ['ca'], NOW, NOW);
    await expect(activatePending(folder, ['ca'], NOW, NOW)).rejects.toThrow('nothing waits');
    await expect(discardPending(folder, ['ca'], NOW)).rejects.toThrow('nothing waits');
    await add();
    const { ca, log } = await readGenerations(folder);
    expect([ca, log].map((kind) => kind.map(({ part }) => part))).toEqual([
      ['ca', 'ca-2', 'ca-3'],
      ['log', 'log-2'],
    ]);
    expect(ca).toEqual([
      { part: 'ca' },
      { part: 'ca-2', made: NOW, activates: NOW },
      { part: 'ca-3', made: NOW },
    ]);
    expect(await discardPending(folder, ['ca'], NOW)).toEqual(['ca-3']);
    await expect(readFile(join(folder, 'ca-3', 'file'))).rejects.toThrow('ENOENT');
  });

  test('one rotation at a time, and in a data folder only', async () => {
    await add();
    const unlock = lockFolder(join(folder, '.rotation'));
    await expect(activatePending(folder, ['ca'], NOW, NOW)).rejects.toThrow('in use');
    unlock();
    await activatePending(folder, ['ca'], NOW, NOW);
    await expect(distrust(folder, 'ca', 'ca-7', NOW)).rejects.toThrow('there is ca, ca-2');
    await expect(activatePending(join(folder, 'ca-2'), ['ca'], NOW, NOW)).rejects.toThrow('no data folder');
  });

  test('where nothing can be made, nothing is changed', async () => {
    const failing = addGenerations(folder, NOW, undefined, () => Promise.reject(new Error('no root')));
    await expect(failing).rejects.toThrow('no root');
    expect(await readGenerations(folder)).toEqual(FIRST);
  });
});
