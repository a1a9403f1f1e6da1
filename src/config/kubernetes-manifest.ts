// Kubernetes manifest: a file of a cluster's objects that was given in place of a configuration, and what to give instead.

import type { MapNode } from './node.ts';

/** What to say of it; undefined for a map that is none. */
export function manifestMistake(root: MapNode): string | undefined {
  const text = (key: string): string | undefined => {
    const value = root.members.get(key)?.value;
    return value?.kind === 'scalar' && typeof value.value === 'string' ? value.value : undefined;
  };
  const kind = text('kind');
  if (kind === undefined || text('apiVersion') === undefined) return undefined;
  if (kind !== 'ConfigMap')
    return `the file is a Kubernetes ${kind}, and no configuration; give the file that the instance is to read`;
  const data = root.members.get('data')?.value;
  const keys = data?.kind === 'map' ? [...data.members.keys()] : [];
  const under =
    keys.length === 0 ? 'a key of its data' : keys.map((key) => `data[${JSON.stringify(key)}]`).join(' or ');
  const file = keys.length === 1 ? keys[0] : 'KEY';
  return `the file is a Kubernetes ConfigMap, and the configuration is the text under ${under}: mount the ConfigMap as a volume and give the file in it, as in --config /etc/mayfly/${file}, or save that text as a file of its own`;
}
