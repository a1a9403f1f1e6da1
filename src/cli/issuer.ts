// issuer: the issuers of the configuration: checked from here, listed, and stopped at once when one is compromised.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { printable } from '../certificate/plain-words.ts';
import { SettingsError } from '../config/mistake.ts';
import type { Settings } from '../config/settings.ts';
import { FROZEN_FILE, type FrozenIssuer, parseFrozen, writeFrozen } from '../node/settings/frozen-issuers.ts';
import { ReadFiles } from '../node/settings/watch.ts';
import { IssuerDirectory } from '../token/issuer.ts';
import { isFrozen } from '../trust-in-force.ts';
import { checkCommand } from './issuer-check.ts';
import { loadSettings, type ServeFlags } from './options.ts';
import { addOutcome, type JsonFlag, type Outcome, tell } from './outcome.ts';

interface PlaceFlags extends JsonFlag {
  config?: string;
  data?: string;
}

interface FreezeFlags extends PlaceFlags {
  reason?: string;
}

export function issuerCommand(): Command {
  return new Command('issuer')
    .description('look at an issuer, or stop one')
    .addCommand(checkCommand())
    .addCommand(listCommand())
    .addCommand(freezeCommand())
    .addCommand(unfreezeCommand());
}

function addPlace(command: Command): Command {
  return command
    .option(
      '--config <file>',
      'the configuration of the instance (default: ./mayfly.yaml, else the shipped one)',
    )
    .option('--data <dir>', 'the data folder of the instance (default: what the configuration says)');
}

function freezeCommand(): Command {
  const command = addPlace(
    new Command('freeze')
      .description(
        'stop certificates for an issuer at once: a running instance follows within a second, and at every start until unfreeze',
      )
      .argument('<issuer>', 'its name or its URL, or one iss that a wildcard matches')
      .option('--reason <text>', 'why, for the colleagues'),
  );
  return addOutcome(command, 'it is on the list', 'not used').action((issuer: string, flags: FreezeFlags) =>
    tell(flags, () => freeze(issuer, flags)),
  );
}

async function freeze(issuer: string, flags: FreezeFlags): Promise<Outcome> {
  const place = placeFor(issuer, flags);
  const before = listOf(place);
  if (!before.some((one) => one.issuer === issuer)) {
    const entry = { issuer, since: new Date().toISOString(), ...(flags.reason && { reason: flags.reason }) };
    await writeFrozen(folderOf(place), [...before, entry]);
  }
  return {
    lines: [
      `${printable(issuer)} is frozen: an instance with its data in ${place.data} refuses its tokens from now on.`,
      ...(place.unchecked
        ? ['The configuration has mistakes, so nobody has checked that this is how it names the issuer.']
        : []),
      'Replicas with a data folder of their own need the same. Certificates that were issued stay valid for ten minutes.',
      `Take it back with: mayfly issuer unfreeze ${printable(issuer)}`,
    ],
    object: { ok: true, checked: !place.unchecked, frozen: listOf(place) },
  };
}

/** The data folder, once the issuer is known to be configured; a file with mistakes must not stand in the way. */
function placeFor(issuer: string, flags: PlaceFlags): { readonly data: string; readonly unchecked: boolean } {
  let settings: Settings;
  try {
    settings = settingsOf(flags);
  } catch (failure) {
    if (!(failure instanceof SettingsError)) throw failure;
    if (flags.data !== undefined) return { data: flags.data, unchecked: true };
    throw new Error(
      'the configuration has mistakes: name the data folder with --data to freeze an issuer all the same',
      {
        cause: failure,
      },
    );
  }
  const known = settings.issuers.some((one) => isFrozen(one, new Set([issuer])));
  const directory = new IssuerDirectory(settings.issuers.map((one) => one.issuer));
  if (known || directory.find(issuer).length > 0) return { data: settings.data, unchecked: false };
  const names = settings.issuers.map((one) => one.issuer.name).join(', ') || 'none';
  throw new Error(`${issuer} is no issuer of this configuration; there is: ${names}`);
}

function unfreezeCommand(): Command {
  const command = addPlace(
    new Command('unfreeze')
      .description('take an issuer off the list that freeze put it on')
      .argument('<issuer>', 'as it was given to freeze'),
  );
  return addOutcome(command, 'it is not on the list', 'not used').action(
    (issuer: string, flags: PlaceFlags) =>
      tell(flags, async () => {
        const settings = settingsOf(flags);
        const before = listOf(settings);
        const rest = before.filter((one) => one.issuer !== issuer);
        if (rest.length === before.length) {
          const names = before.map((one) => one.issuer).join(', ') || 'none';
          throw new Error(`${issuer} is not frozen; frozen is: ${names}`);
        }
        await writeFrozen(folderOf(settings), rest);
        return {
          lines: [`${printable(issuer)} is not frozen any more.`],
          object: { ok: true, frozen: rest },
        };
      }),
  );
}

function listCommand(): Command {
  const command = addPlace(new Command('list').description('the issuers of the configuration'));
  return addOutcome(command, 'printed', 'not used').action((flags: PlaceFlags) =>
    tell(flags, () => {
      const settings = settingsOf(flags);
      const issuers = settings.issuers.map((one) => ({
        name: one.issuer.name,
        url: one.issuer.url,
        type: one.provider.type,
        audiences: one.issuer.audiences,
        policy: one.policy?.mode ?? 'none',
        frozen: isFrozen(one, settings.frozen),
      }));
      const lines = issuers.map(
        ({ name, url, type, policy, frozen }) =>
          `${frozen ? 'FROZEN ' : ''}${name}${name === url ? '' : `  ${url}`}  type ${type}, policy ${policy}`,
      );
      return { lines: lines.length === 0 ? ['none'] : lines, object: { issuers, frozen: listOf(settings) } };
    }),
  );
}

function settingsOf({ config, data }: PlaceFlags): Settings {
  const flags: ServeFlags = { ...(config !== undefined && { config }), ...(data !== undefined && { data }) };
  return loadSettings(flags).settings;
}

function listOf({ data }: Pick<Settings, 'data'>): readonly FrozenIssuer[] {
  const file = join(data, FROZEN_FILE);
  const text = new ReadFiles().readIfThere(file);
  return text === undefined ? [] : parseFrozen(text, file);
}

function folderOf({ data }: Pick<Settings, 'data'>): string {
  if (existsSync(join(data, 'instance.json'))) return data;
  throw new Error(`${data} is no data folder of an instance; name it with --data`);
}
