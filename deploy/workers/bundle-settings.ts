// Bundle settings: the step of the Worker's build that checks the configuration and puts it where the bundler finds it.

import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format } from '../../src/config/mistake.ts';
import { bundleSettings } from './settings-bundle.ts';
import { settingsFile } from './worker-build.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const file = settingsFile();
try {
  const { bundle, warnings } = bundleSettings(file);
  if (warnings.length > 0) process.stderr.write(`${format(warnings, file)}\n`);
  mkdirSync(here('generated'), { recursive: true });
  writeFileSync(here('generated/settings.json'), JSON.stringify(bundle));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
