// Settings bundle: the configuration file and all that it names, as the build puts them into the Worker.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Mistake } from '../../src/config/mistake.ts';
import { readSettings, type SettingsBundle } from '../../src/workers/settings.ts';

const PROVIDERS = new URL('../../config/providers.yaml', import.meta.url);

/** Throws SettingsError with every mistake, or an Error with a sentence for the operator. */
export function bundleSettings(file: string): {
  readonly bundle: SettingsBundle;
  readonly warnings: readonly Mistake[];
} {
  const files: Record<string, string> = {};
  const parts = {
    fileName: basename(file),
    text: readFileSync(file, 'utf8'),
    providers: readFileSync(PROVIDERS, 'utf8'),
  };
  const { settings, warnings } = readSettings(parts, (path) => {
    const text = readFileSync(path, 'utf8');
    files[path] = text;
    return text;
  });
  const logs = settings.log.kind === 'remote' ? settings.log.logs : [];
  if (settings.logBearers.length > 0 || logs.some(({ bearer }) => bearer !== undefined))
    throw new Error(
      `${file}: a bearer token would stand in the Worker's code; leave it out and set the secret LOG_BEARER`,
    );
  return { bundle: { ...parts, files }, warnings };
}
