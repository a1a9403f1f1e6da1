// Shipped configuration: the files of `config/` that come with Mayfly, in a clone and in the published package alike.

import { readFileSync } from 'node:fs';
import { parseProviders } from '../../config/providers.ts';
import type { Kinds } from '../../identity/provider.ts';

const FOLDER = new URL('../../../config/', import.meta.url);

/** The settings that serve has where no file says otherwise. */
export const SHIPPED_SETTINGS = new URL('mayfly.yaml', FOLDER);

export function loadKinds(): Kinds {
  return parseProviders(readFileSync(new URL('providers.yaml', FOLDER), 'utf8'));
}
