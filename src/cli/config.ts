// config: the configuration file checked, shown as it is in force, and described for editors.

import { Command } from 'commander';
import { stringify } from 'yaml';
import { effectiveSettings, inJson } from '../config/effective-settings.ts';
import { jsonSchema } from '../config/json-schema.ts';
import { format, type Mistake, SettingsError } from '../config/mistake.ts';
import { dataOf } from '../config/node.ts';
import { loadKinds } from '../node/settings/shipped-configuration.ts';
import { unusableIn } from '../node/unusable.ts';
import { laidOver } from './flags-as-file.ts';
import {
  addRoleFlags,
  addServeFlags,
  type LoadedSettings,
  loadSettings,
  type ServeFlags,
} from './options.ts';
import { addOutcome, EXIT_FOUND_WRONG, type JsonFlag, type Outcome, tell } from './outcome.ts';

export function configCommand(): Command {
  return new Command('config')
    .description('check, show or describe the configuration')
    .addCommand(checkCommand())
    .addCommand(showCommand())
    .addCommand(schemaCommand());
}

interface CheckFlags extends JsonFlag, ServeFlags {
  strict?: boolean;
}

function checkCommand(): Command {
  const command = addRoleFlags(addServeFlags(new Command('check')))
    .description(
      'tell every mistake in a configuration file, what serve would refuse of it with these flags, and what works but not as it should',
    )
    .argument(
      '[file]',
      'a Mayfly or Fulcio configuration file (default: ./mayfly.yaml, else the shipped one)',
    )
    .option('--strict', 'a warning counts as a mistake');
  return addOutcome(command, 'the file can be used', 'it has mistakes').action(
    (file: string | undefined, flags: CheckFlags) => tell(flags, () => check(file, flags)),
  );
}

function check(file: string | undefined, { strict = false, ...flags }: CheckFlags): Outcome {
  if (file !== undefined && flags.config !== undefined)
    throw new Error('the file to check is named once: as the argument, or with --config');
  const named = file === undefined ? flags : { ...flags, config: file };
  try {
    const loaded = loadSettings({ ...named, ephemeral: true }); // no data folder counts here
    const { settings, warnings, fileName } = loaded;
    requireStartable(loaded, flags.ephemeral === true);
    const count = settings.issuers.length;
    const ok = !strict || warnings.length === 0;
    const told = warnings.length === 0 ? [] : format(warnings, fileName).split('\n');
    return {
      lines: [...told, `${fileName}: ${ok ? 'can be used' : 'has warnings'}; ${issuers(count)}`],
      object: { ok, file: fileName, issuers: count, mistakes: warnings.map(factsOf) },
      exitCode: ok ? 0 : EXIT_FOUND_WRONG,
    };
  } catch (failure) {
    if (!(failure instanceof SettingsError)) throw failure;
    const errors = failure.mistakes.filter(({ severity }) => severity === 'error').length;
    return {
      lines: [...failure.message.split('\n'), `${errors} ${errors === 1 ? 'mistake' : 'mistakes'}`],
      object: { ok: false, file: failure.fileName, mistakes: failure.mistakes.map(factsOf) },
      exitCode: EXIT_FOUND_WRONG,
    };
  }
}

/** Throws SettingsError with what serve would refuse although each setting is fine. */
function requireStartable({ settings, root, warnings, fileName }: LoadedSettings, ephemeral: boolean): void {
  const refused = unusableIn(settings, ephemeral).map(({ key, message }): Mistake => {
    const place = root.members.get(key)?.place;
    return { path: message.startsWith(key) ? '' : key, ...place, message, severity: 'error' };
  });
  if (refused.length > 0) throw new SettingsError([...warnings, ...refused], fileName);
}

const issuers = (count: number): string =>
  count === 0
    ? 'it trusts no issuer, so every token is refused'
    : `${count} ${count === 1 ? 'issuer' : 'issuers'}`;

function factsOf({ path, line, column, message, severity }: Mistake): Mistake {
  return {
    severity,
    path,
    ...(line !== undefined && { line }),
    ...(column !== undefined && { column }),
    message,
  };
}

function showCommand(): Command {
  const command = addServeFlags(
    addRoleFlags(new Command('show')).description(
      'print the settings that serve would run with, as a file that loads again: the file, the flags over it, and every default; no secrets',
    ),
  );
  return addOutcome(command, 'printed', 'not used').action((flags: ServeFlags & JsonFlag) =>
    tell(flags, () => {
      const { settings, root } = loadSettings(flags);
      const shown = effectiveSettings(laidOver(dataOf(root), flags));
      const frozen = [...(settings.frozen ?? [])].map((name) => `# frozen in ${settings.data}: ${name}`);
      const text = stringify(shown, { lineWidth: 0, aliasDuplicateObjects: false });
      return { lines: [...frozen, text.trimEnd()], object: inJson(shown) };
    }),
  );
}

function schemaCommand(): Command {
  return new Command('schema')
    .description('print the JSON Schema of the configuration file, for editors')
    .addHelpText('after', '\nExit codes: 0 printed, 2 wrong use')
    .action(() => {
      process.stdout.write(jsonSchema(loadKinds()));
    });
}
