// distrust: ends the trust in what a key signed after a time, once another has taken its place: its key may be known to others.

import { Command, InvalidArgumentError } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import { type Instant, instantOf, systemClock } from '../clock.ts';
import { type PartKind, readGenerations, signsAt } from '../node/keys/generations.ts';
import { distrust } from '../node/keys/next-generation.ts';
import { addOutcome, type Outcome, tell } from './outcome.ts';
import { addPlace, factsOf, folderOf, linesOf, type PlaceFlags, settingsOf } from './rotation-words.ts';

interface DistrustFlags extends PlaceFlags {
  since: Instant;
}

export function distrustCommand(kinds: readonly PartKind[]): Command {
  const command = addPlace(
    new Command('distrust')
      .description(
        'end the trust in what an earlier key signed: clients refuse all of it that is later than a time',
      )
      .argument('<part>', `as it is shown by rotate, such as ${kinds.join(' or ')}`)
      .requiredOption(
        '--since <time>',
        'the last moment at which nobody else had the key, such as 2026-05-04T03:02:01Z, or ever for nothing that it signed',
        since,
      ),
  );
  return addOutcome(command, 'it is on record', 'not used').action((part: string, flags: DistrustFlags) =>
    tell(flags, () => put(part, kinds, flags)),
  );
}

function since(text: string): Instant {
  if (text === 'ever') return instantOf(0);
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(at)) throw new InvalidArgumentError('a time is written as 2026-05-04T03:02:01Z');
  return instantOf(at);
}

async function put(part: string, kinds: readonly PartKind[], flags: DistrustFlags): Promise<Outcome> {
  const folder = folderOf(settingsOf(flags));
  const now = systemClock.now();
  const kind = kinds.find((one) => new RegExp(`^${one}(?:-\\d+)?$`).test(part));
  if (kind === undefined) throw new Error(`${part} is not one of the kind ${kinds.join(' or ')}`);
  const before = await readGenerations(folder);
  if (signsAt(before[kind], now).part === part)
    throw new Error(
      `${part} is in force: let another take its place first, with rotate and then rotate --activate`,
    );
  const facts = factsOf(await distrust(folder, kind, part, flags.since), kind, now);
  return {
    lines: [
      ...linesOf(facts),
      `A running instance says so within a second. Clients that keep a copy of the trusted root go on trusting ${printable(part)} until they have a new one.`,
    ],
    object: { ok: true, [kind]: facts },
  };
}
