// Manifests: the objects that a chart renders to, as far as the tests look at them, and what they give a container.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeVolume } from './container.ts';

const items = z.array(z.object({ key: z.string(), path: z.string() })).optional();
const volume = z.object({
  name: z.string(),
  configMap: z.object({ name: z.string(), items }).optional(),
  secret: z.object({ secretName: z.string(), items }).optional(),
  projected: z
    .object({
      sources: z.array(
        z.object({
          secret: z.object({ name: z.string(), items }).optional(),
          configMap: z.object({ name: z.string(), items }).optional(),
        }),
      ),
    })
    .optional(),
});
const labels = z.record(z.string(), z.string());
const probe = z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) });
const container = z.object({
  args: z.array(z.string()),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
  startupProbe: probe,
  livenessProbe: probe,
  readinessProbe: probe,
  resources: z.object({ limits: z.object({ memory: z.string() }) }),
  securityContext: z.unknown(),
  volumeMounts: z.array(
    z.object({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().optional() }),
  ),
});
export const workload = z.object({
  kind: z.enum(['Deployment', 'StatefulSet']),
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    replicas: z.number(),
    selector: z.object({ matchLabels: labels }),
    template: z.object({
      metadata: z.object({ labels, annotations: labels }),
      spec: z.object({
        automountServiceAccountToken: z.boolean(),
        securityContext: z.unknown(),
        containers: z.tuple([container]),
        volumes: z.array(volume),
      }),
    }),
    volumeClaimTemplates: z.array(z.object({ metadata: z.object({ name: z.string() }) })).optional(),
  }),
});
export type Workload = z.output<typeof workload>;

export const configMap = z.object({
  kind: z.literal('ConfigMap'),
  metadata: z.object({ name: z.string() }),
  data: labels,
});

export type Data = Readonly<Record<string, Readonly<Record<string, string>>>>;

export interface Store {
  readonly configMaps: Data;
  readonly secrets: Data;
}

/** Of a volume, by path; undefined for one that a claim fills. Throws for an object or a key that is not there. */
export function filesOf({ spec }: Workload, name: string, store: Store): Map<string, string> | undefined {
  const found = spec.template.spec.volumes.find((one) => one.name === name);
  if (found === undefined) {
    if (spec.volumeClaimTemplates?.some(({ metadata }) => metadata.name === name) === true) return undefined;
    throw new Error(`there is no volume ${name}`);
  }
  const sources = found.projected?.sources ?? [];
  const secrets = [
    ...(found.secret === undefined ? [] : [{ ...found.secret, name: found.secret.secretName }]),
    ...sources.flatMap(({ secret }) => secret ?? []),
  ];
  const maps = [
    ...(found.configMap === undefined ? [] : [found.configMap]),
    ...sources.flatMap(({ configMap: map }) => map ?? []),
  ];
  return new Map([
    ...secrets.flatMap((source) => entries(store.secrets, source.name, source.items)),
    ...maps.flatMap((source) => entries(store.configMaps, source.name, source.items)),
  ]);
}

function entries(data: Data, name: string, wanted: z.output<typeof items>): readonly [string, string][] {
  const object = data[name];
  if (object === undefined) throw new Error(`there is no object ${name}`);
  if (wanted === undefined) return Object.entries(object);
  return wanted.map(({ key, path }) => {
    const value = object[key];
    if (value === undefined) throw new Error(`${name} has no key ${key}`);
    return [path, value];
  });
}

/** Folders of this machine with what the volumes of a pod hold, changed by `adapt`; by mount path. */
export function mount(
  pod: Workload,
  store: Store,
  folder: string,
  adapt: (text: string, mounts: ReadonlyMap<string, string>) => string,
): ReadonlyMap<string, string> {
  const [{ volumeMounts }] = pod.spec.template.spec.containers;
  const mounts = new Map(volumeMounts.map(({ name, mountPath }) => [mountPath, join(folder, name)]));
  for (const here of mounts.values()) mkdirSync(here, { recursive: true });
  fill(pod, store, mounts, adapt);
  return mounts;
}

/** Once more, as the kubelet does when an object has changed. */
export function fill(
  pod: Workload,
  store: Store,
  mounts: ReadonlyMap<string, string>,
  adapt: (text: string, mounts: ReadonlyMap<string, string>) => string,
): void {
  for (const { name, mountPath } of pod.spec.template.spec.containers[0].volumeMounts) {
    const files = filesOf(pod, name, store);
    const here = mounts.get(mountPath);
    if (files === undefined || here === undefined) continue;
    writeVolume(here, new Map([...files].map(([path, text]) => [path, adapt(text, mounts)])));
  }
}
