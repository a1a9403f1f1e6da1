// Bundle: the settings of this deployment, read once when an isolate starts; a file with mistakes fails the deployment.

import { env } from 'cloudflare:workers';
import bundled from 'mayfly-settings';
import { type EdgeSettings, readBundle, withOverrides } from './settings.ts';
import type { Overrides } from './variables.ts';

/** `env` is the one environment that this script is deployed with. */
export const settings: EdgeSettings = withOverrides(readBundle(bundled), env as Overrides);
