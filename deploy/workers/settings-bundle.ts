// Settings bundle: the configuration file and all that it names, as the build puts them into the Worker.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Mistake } from '../../src/config/mistake.ts';
import { loadKinds } from '../../src/node/settings/shipped-configuration.ts';
import { encodeKinds } from '../../src/workers/kinds-wire.ts';
import { readSettings, type SettingsBundle, secretsIn } from '../../src/workers/settings.ts';

/** Throws SettingsError with every mistake, or an Error with a sentence for the operator. */
export function bundleSettings(file: string): {
  readonly bundle: SettingsBundle;
  readonly warnings: readonly Mistake[];
} {
  return bundleText(basename(file), textOf(file));
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Error(`the configuration file ${file} cannot be read`, { cause });
  }
}

/** As `bundleSettings`, for the text of a file. */
export function bundleText(fileName: string, text: string): ReturnType<typeof bundleSettings> {
  const files: Record<string, string> = {};
  const parts = { fileName, text, kinds: encodeKinds(loadKinds()) };
  const { settings, warnings } = readSettings(parts, (path) => {
    const content = readFileSync(path, 'utf8');
    files[path] = content;
    return content;
  });
  if (settings.role === 'log') throw new Error(`${fileName}: role log is for Node; a Worker issues`);
  const secrets = secretsIn(settings);
  if (secrets.length > 0)
    throw new Error(
      `${fileName}: ${secrets.join(', ')}: what is secret there would stand in the Worker's code; take it out, and set a secret of the Worker where there is one for it`,
    );
  return { bundle: { ...parts, files }, warnings };
}
