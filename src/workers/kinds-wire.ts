// Kinds wire: config/providers.yaml as the build has read and checked it, in JSON: an isolate that starts need not read
// five hundred lines of YAML.

import type { Kinds } from '../identity/provider.ts';

const MAP = '$map';

export function encodeKinds(kinds: Kinds): string {
  return JSON.stringify(kinds, (_, value: unknown) => (value instanceof Map ? { [MAP]: [...value] } : value));
}

export function decodeKinds(text: string): Kinds {
  const value: unknown = JSON.parse(text, (_, one: unknown) =>
    typeof one === 'object' && one !== null && MAP in one && Array.isArray(one[MAP])
      ? new Map(one[MAP])
      : one,
  );
  return value as Kinds; // written by encodeKinds, in the build of this very Worker
}
