// Next generation: keys and certificates made beside those in force, recorded in one step, and told when to sign.

import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Instant } from '../../clock.ts';
import { lockFolder } from '../system/file-lock.ts';
import { makeFolderOf } from './data-folder.ts';
import {
  currentAt,
  type Generation,
  type Generations,
  numberOf,
  type PartKind,
  pendingAt,
  readGenerations,
  writeGenerations,
} from './generations.ts';

/** What is to be made: files by name, for each kind that gets a next generation. */
export type NextParts = Partial<Readonly<Record<PartKind, ReadonlyMap<string, string>>>> & {
  /** The folder in which a CA that the configuration names has its chain from now on, so that it stays trusted. */
  readonly configured?: string;
};

export interface Making {
  readonly generations: Generations;
  /** The folder's name that the next of a kind gets. */
  nameOf(kind: PartKind): string;
}

/** A wish that the data folder's state does not allow, as a sentence for the operator. */
export class RotationRefused extends Error {
  override readonly name = 'RotationRefused';
}

/**
 * Makes the next generation of some kinds, to sign from `activates` on, or once it is told to. They and their record appear
 * in this order, so that a crash leaves all of it or folders that nothing names. Throws RotationRefused where one waits already.
 */
export function addGenerations(
  folder: string,
  now: Instant,
  activates: Instant | undefined,
  make: (making: Making) => Promise<NextParts>,
): Promise<Generations> {
  return locked(folder, async () => {
    const generations = await readGenerations(folder);
    const nameOf = (kind: PartKind): string =>
      `${kind}-${Math.max(...generations[kind].map(({ part }) => numberOf(part))) + 1}`;
    const parts = await make({ generations, nameOf });
    const kinds = kindsIn(parts);
    for (const kind of kinds) {
      const pending = pendingAt(generations[kind], now);
      if (pending !== undefined)
        throw new RotationRefused(`${pending.part} is made already and waits to sign`);
    }
    for (const kind of kinds) {
      const name = nameOf(kind);
      await rm(join(folder, name), { recursive: true, force: true }); // of a crash: nothing names it
      await makeFolderOf(folder, name, parts[kind] ?? new Map());
    }
    const { configured } = parts;
    const from: Generations =
      configured === undefined ? generations : { ...generations, ca: [{ part: configured }] };
    const next = mapKinds(from, kinds, (list, kind) => [
      ...list,
      { part: nameOf(kind), made: now, activates },
    ]);
    await writeGenerations(folder, next);
    return next;
  });
}

/** Lets what waits sign from `activates` on. Throws RotationRefused where nothing waits. */
export function activatePending(
  folder: string,
  kinds: readonly PartKind[],
  now: Instant,
  activates: Instant,
): Promise<Generations> {
  return changed(folder, kinds, now, (list) => {
    const index = currentAt(list, now) + 1;
    return list.map((one, i) => (i === index ? { ...one, activates } : one));
  });
}

/** Takes back what waits; its keys are gone. Throws RotationRefused where nothing waits. */
export async function discardPending(
  folder: string,
  kinds: readonly PartKind[],
  now: Instant,
): Promise<readonly string[]> {
  const gone: string[] = [];
  await changed(folder, kinds, now, (list) => {
    const index = currentAt(list, now) + 1;
    gone.push(...list.slice(index).map(({ part }) => part));
    return list.slice(0, index);
  });
  for (const part of gone) await rm(join(folder, part), { recursive: true, force: true });
  return gone;
}

/** Ends the trust in what a generation signed after `since`. Throws RotationRefused for one that there is not. */
export function distrust(folder: string, kind: PartKind, part: string, since: Instant): Promise<Generations> {
  return locked(folder, async () => {
    const generations = await readGenerations(folder);
    if (!generations[kind].some((one) => one.part === part)) {
      const there = generations[kind].map((one) => one.part).join(', ');
      throw new RotationRefused(`there is no ${part} in ${folder}; there is ${there}`);
    }
    const next = mapKinds(generations, [kind], (list) =>
      list.map((one) => (one.part === part ? { ...one, distrusted: since } : one)),
    );
    await writeGenerations(folder, next);
    return next;
  });
}

function changed(
  folder: string,
  kinds: readonly PartKind[],
  now: Instant,
  change: (list: readonly Generation[]) => readonly Generation[],
): Promise<Generations> {
  return locked(folder, async () => {
    const generations = await readGenerations(folder);
    const waiting = kinds.filter((kind) => pendingAt(generations[kind], now) !== undefined);
    if (waiting.length === 0)
      throw new RotationRefused('nothing waits: what was made signs already, or nothing was made');
    const next = mapKinds(generations, waiting, change);
    await writeGenerations(folder, next);
    return next;
  });
}

function mapKinds(
  generations: Generations,
  kinds: readonly PartKind[],
  change: (list: readonly Generation[], kind: PartKind) => readonly Generation[],
): Generations {
  const next = { ...generations };
  for (const kind of kinds) next[kind] = change(generations[kind], kind);
  return next;
}

function kindsIn(parts: NextParts): readonly PartKind[] {
  return (['ca', 'timestamp', 'log'] as const).filter((kind) => parts[kind] !== undefined);
}

/** One rotation at a time; whoever else is at it is told. */
async function locked<T>(folder: string, work: () => Promise<T>): Promise<T> {
  if (!existsSync(join(folder, 'instance.json')))
    throw new RotationRefused(`${folder} is no data folder of an instance; name it with --data`);
  const at = join(folder, '.rotation');
  await mkdir(at, { recursive: true, mode: 0o700 });
  const unlock = lockFolder(at);
  try {
    return await work();
  } finally {
    unlock();
  }
}
