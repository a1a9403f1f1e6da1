// Rotation words: where a rotation stands, for people and for scripts; what the two rotate commands share.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { type Instant, instantOf } from '../clock.ts';
import { parseDuration } from '../config/duration.ts';
import type { Settings } from '../config/settings.ts';
import {
  currentAt,
  type Generation,
  type Generations,
  type PartKind,
  trustedUntil,
} from '../node/keys/generations.ts';
import { discardPending } from '../node/keys/next-generation.ts';
import { quoted } from './invocation.ts';
import { loadSettings, type ServeFlags } from './options.ts';
import type { JsonFlag, Outcome } from './outcome.ts';

export interface PlaceFlags extends JsonFlag {
  config?: string;
  data?: string;
  keyPassphraseFile?: string;
}

export interface RotateFlags extends PlaceFlags {
  after?: number;
  activate?: boolean;
  discard?: boolean;
}

export function addPlace(command: Command): Command {
  return command
    .option(
      '--config <file>',
      'the configuration of the instance (default: ./mayfly.yaml, else the shipped one)',
    )
    .option('--data <dir>', 'the data folder of the instance (default: what the configuration says)')
    .option(
      '--key-passphrase-file <file>',
      'file whose first line encrypts the keys in the folder (default: what the configuration says)',
    );
}

export function addRotation(command: Command): Command {
  return addPlace(command)
    .option('--after <duration>', 'let it begin after this time by itself, such as 24h', duration)
    .option('--activate', 'let what was made begin now')
    .option('--discard', 'take back what was made and has not begun');
}

export function duration(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined) throw new InvalidArgumentError('a time span is written as 90s, 24h or 7d');
  return milliseconds;
}

/** Throws an Error with a sentence for a wish for two things at once. */
export function requireOne({ after, activate, discard }: RotateFlags): void {
  if ([after !== undefined, activate === true, discard === true].filter(Boolean).length > 1)
    throw new Error('--after, --activate and --discard are three different wishes: give one');
}

export function settingsOf({ config, data, keyPassphraseFile }: PlaceFlags): Settings {
  const flags: ServeFlags = {
    ...(config !== undefined && { config }),
    ...(data !== undefined && { data }),
    ...(keyPassphraseFile !== undefined && { keyPassphraseFile }),
  };
  return loadSettings(flags).settings;
}

/** The options again, as a shell takes them. */
function placeWords({ config, data, keyPassphraseFile }: PlaceFlags): string {
  const given = { '--config': config, '--data': data, '--key-passphrase-file': keyPassphraseFile };
  return Object.entries(given)
    .filter(([, value]) => value !== undefined)
    .map(([name, value = '']) => ` ${name} ${quoted(value)}`)
    .join('');
}

/** Throws an Error with a sentence where the folder is not that of an instance that has been started. */
export function folderOf({ data }: Pick<Settings, 'data'>): string {
  if (existsSync(join(data, 'instance.json'))) return data;
  throw new Error(`${data} is no data folder of an instance; name it with --data`);
}

/** What --discard does. */
export async function takeBack(folder: string, kinds: readonly PartKind[], now: Instant): Promise<Outcome> {
  const gone = await discardPending(folder, kinds, now);
  return { lines: [`Taken back: ${gone.join(' and ')}.`], object: { ok: true, discarded: gone } };
}

export function beginning(flags: RotateFlags, now: Instant): Instant | undefined {
  return flags.after === undefined ? undefined : instantOf(now + flags.after);
}

const iso = (at: Instant): string => new Date(at).toISOString();

export type GenerationState = 'before' | 'in force' | 'next';

export interface GenerationFacts {
  readonly part: string;
  readonly state: GenerationState;
  readonly made?: string;
  /** When it began or begins to sign; absent for the first, and for one that waits to be told. */
  readonly activates?: string;
  readonly trustedUntil?: string;
}

export function factsOf(generations: Generations, kind: PartKind, now: Instant): readonly GenerationFacts[] {
  const list = generations[kind];
  const current = currentAt(list, now);
  return list.map(({ part, made, activates }, i) => {
    const until = trustedUntil(list, i, now);
    return {
      part,
      state: i < current ? 'before' : i === current ? 'in force' : 'next',
      ...(made !== undefined && { made: iso(made) }),
      ...(activates !== undefined && { activates: iso(activates) }),
      ...(until !== undefined && { trustedUntil: iso(until) }),
    };
  });
}

/** One line for each generation. */
export function linesOf(facts: readonly GenerationFacts[]): readonly string[] {
  return facts.map(({ part, state, activates, trustedUntil: until }) => {
    const trust = until === undefined ? '' : `, what it signed until ${until} is trusted`;
    if (state === 'next')
      return `  ${part}  next: ${activates === undefined ? 'published, and waits for --activate' : `signs from ${activates} on`}${trust}`;
    return `  ${part}  ${state}${activates === undefined ? '' : ` since ${activates}`}${trust}`;
  });
}

/** What the operator does next, for the place that `flags` name. */
export function nextSteps(
  command: string,
  pending: Generation | undefined,
  flags: PlaceFlags,
): readonly string[] {
  if (pending === undefined) return [];
  const again = `mayfly ${command}${placeWords(flags)}`;
  const { activates } = pending;
  return [
    '',
    'A running instance publishes it within a second (or at SIGHUP), and goes on signing with the one before.',
    'Let clients fetch the trust documents; those that keep a copy need a new one: mayfly trust export.',
    activates === undefined
      ? `Then: ${again} --activate`
      : `It begins by itself at ${iso(activates)}; at once with: ${again} --activate`,
    `Take it back with: ${again} --discard`,
  ];
}
