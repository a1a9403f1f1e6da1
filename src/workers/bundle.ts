// Bundle: the settings of this deployment, read once when an isolate starts; a file with mistakes fails the deployment.

import { env } from 'cloudflare:workers';
import bundled from 'mayfly-settings';
import { type EdgeSettings, readSettings, withOverrides } from './settings.ts';
import type { Overrides } from './variables.ts';

export const settings: EdgeSettings = withOverrides(
  readSettings(bundled, readBundledFile).settings,
  env as Overrides, // the one environment that this script is deployed with
);

function readBundledFile(path: string): string {
  const text = bundled.files[path];
  if (text === undefined) throw new Error('it was not there when the Worker was built');
  return text;
}
