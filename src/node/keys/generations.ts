// Generations: which CA, timestamp authority and log of a data folder is in force, which were before it, and which comes next.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Instant, instantOf } from '../../clock.ts';
import { codeOf, InstanceError, markMade, replaceFile, wasMade } from './data-folder.ts';

/** In the data folder; there is none before the first rotation. */
export const GENERATIONS_FILE = 'generations.json';

export const KINDS_OF_PART = ['ca', 'timestamp', 'log'] as const;
export type PartKind = (typeof KINDS_OF_PART)[number];

export interface Generation {
  /** Folder of its keys and certificates inside the data folder: `ca`, then `ca-2`, `ca-3` and so on. */
  readonly part: string;
  /** Absent for the first, which has been there from the start. */
  readonly made?: Instant | undefined;
  /** From when on it signs; absent while it waits for the operator's word. The first signs from the start. */
  readonly activates?: Instant | undefined;
  /** Nothing that it signed later is to be trusted: its key may be known to others since. */
  readonly distrusted?: Instant | undefined;
}

/** By kind, oldest first. */
export type Generations = Readonly<Record<PartKind, readonly Generation[]>>;

const instant = z.iso.datetime().transform((text) => instantOf(Date.parse(text)));
const list = (kind: PartKind) =>
  z
    .array(
      z.strictObject({
        part: z.string().regex(new RegExp(`^${kind}(?:-[1-9]\\d*)?$`)),
        made: instant.optional(),
        activates: instant.optional(),
        distrusted: instant.optional(),
      }),
    )
    .min(1);
const schema = z.strictObject({
  version: z.literal(1),
  ca: list('ca'),
  timestamp: list('timestamp'),
  log: list('log'),
});

/** Of a data folder whose keys have never been rotated. */
export const FIRST: Generations = {
  ca: [{ part: 'ca' }],
  timestamp: [{ part: 'timestamp' }],
  log: [{ part: 'log' }],
};

const MADE = 'generations';

/** Throws InstanceError for a record that is damaged, or was there once and is gone. */
export async function readGenerations(folder: string): Promise<Generations> {
  const file = join(folder, GENERATIONS_FILE);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    if (!(await wasMade(folder, MADE))) return FIRST;
    throw new InstanceError(
      'file_missing',
      `${file} is missing: restore it from a backup; without it nobody knows which keys are in force`,
      error,
    );
  }
  try {
    const { version: _, ...generations } = schema.parse(JSON.parse(text));
    return generations;
  } catch (cause) {
    const sentence = `${file} is damaged or from another version of Mayfly: restore it from a backup`;
    throw new InstanceError('marker_malformed', sentence, cause);
  }
}

/** Replaces the record as a whole: durable, and never seen half-written. */
export async function writeGenerations(folder: string, generations: Generations): Promise<void> {
  const told = (one: Generation): object => ({
    part: one.part,
    ...dated('made', one.made),
    ...dated('activates', one.activates),
    ...dated('distrusted', one.distrusted),
  });
  const { ca, timestamp, log } = generations;
  const record = { version: 1, ca: ca.map(told), timestamp: timestamp.map(told), log: log.map(told) };
  await replaceFile(folder, GENERATIONS_FILE, `${JSON.stringify(record, null, 2)}\n`);
  await markMade(folder, MADE);
}

function dated(key: string, at: Instant | undefined): object {
  return at === undefined ? {} : { [key]: new Date(at).toISOString() };
}

/** Index of the generation that signs at `now`. */
export function currentAt(generations: readonly Generation[], now: Instant): number {
  return Math.max(
    0,
    generations.findLastIndex(({ activates }) => activates !== undefined && activates <= now),
  );
}

/** The generation that signs at `now`. */
export function signsAt(generations: readonly Generation[], now: Instant): Generation {
  const [first] = generations;
  const current = generations[currentAt(generations, now)] ?? first;
  if (current === undefined) throw new TypeError('a kind of key has at least one generation');
  return current;
}

/** The generation that is made and does not sign yet. */
export function pendingAt(generations: readonly Generation[], now: Instant): Generation | undefined {
  return generations[currentAt(generations, now) + 1];
}

/** The next time at which another generation of some kind begins to sign. */
export function nextActivation(generations: Generations, now: Instant): Instant | undefined {
  const times = KINDS_OF_PART.flatMap((kind) =>
    generations[kind].flatMap(({ activates }) =>
      activates !== undefined && activates > now ? [activates] : [],
    ),
  );
  return times.length === 0 ? undefined : instantOf(Math.min(...times));
}

/**
 * Milliseconds for which a key is trusted after another has taken its place: the ten minutes of its last certificate, and
 * the time that a process may take to hear of the change.
 */
export const RETIREMENT_GRACE = 3_600_000;

/**
 * The last instant at which clients are to trust what generation `index` signs; undefined while it is in force or next.
 * One that was distrusted from its beginning on has no place among what is trusted.
 */
export function trustedUntil(
  generations: readonly Generation[],
  index: number,
  now: Instant,
): Instant | undefined {
  const { distrusted } = generations[index] ?? {};
  const successor = index < currentAt(generations, now) ? generations[index + 1]?.activates : undefined;
  const retired = successor === undefined ? undefined : instantOf(successor + RETIREMENT_GRACE);
  if (distrusted === undefined || retired === undefined) return distrusted ?? retired;
  return instantOf(Math.min(distrusted, retired));
}

/** The part's name by its number. */
export function partOf(kind: PartKind, number: number): string {
  return number === 1 ? kind : `${kind}-${number}`;
}

/** The number in a part's name; 1 for the first. */
export function numberOf(part: string): number {
  return Number(/-(\d+)$/.exec(part)?.[1] ?? 1);
}
