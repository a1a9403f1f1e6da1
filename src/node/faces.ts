// Faces: what an instance serves beside certificates: the log, timestamps, and the trust documents.

import { Hono } from 'hono';
import { type Clock, instantOf } from '../clock.ts';
import type { ConfiguredIssuer } from '../config/settings.ts';
import type { Door, Face } from '../http/app.ts';
import { logRoutes } from '../http/log.ts';
import { timestampRoutes } from '../http/timestamp.ts';
import { type TrustDoor, trustRoutes } from '../http/trust.ts';
import { trustMaterialOf } from '../http/trust-material.ts';
import { describeLog } from '../log/description.ts';
import type { OpenLog } from '../log/open-log.ts';
import { TimestampAuthority } from '../timestamp/authority.ts';
import type { TrustMaterial } from '../trust/material.ts';
import type { KnownExternalLog } from './external-logs.ts';
import type { Instance } from './instance.ts';
import { sha256 } from './native-digest.ts';
import { nativeRandom as random } from './native-random.ts';

export interface FacesOptions {
  readonly instance: Instance;
  readonly builtin: OpenLog | undefined;
  readonly external: readonly KnownExternalLog[];
  /** Asked anew each time; the same list as long as nothing has changed. */
  readonly issuers: () => readonly ConfiguredIssuer[];
  /** Where the public reaches the instance, without a final slash. */
  readonly publicUrl: string;
  readonly clock: Clock;
  readonly door: Pick<Door, 'errors' | 'onBug'>;
}

export function facesOf(options: FacesOptions): Face[] {
  return [
    ...logFaces(options),
    ...timestampFaces(options),
    { path: '/', routes: trustRoutes(trustDoor(options)) },
  ];
}

/** The read side of the built-in log, where there is one. */
function logFaces({ builtin, publicUrl, instance, door }: FacesOptions): Face[] {
  if (builtin === undefined) return [];
  const { reader } = builtin;
  const prefix = `${publicUrl}/log/`;
  const roots = instance.authority.chain.slice(-1);
  const wellKnown = new Hono();
  wellKnown.get('/.well-known/mayfly/log.json', (c) => c.json(describeLog(reader.identity, prefix)));
  return [
    {
      path: '/log',
      routes: logRoutes({
        reader,
        prefix: () => prefix,
        roots: () => roots,
        get errors() {
          return door.errors;
        },
        onBug: (cause) => door.onBug?.(cause),
      }),
    },
    { path: '/', routes: wellKnown },
  ];
}

function timestampFaces({ instance, builtin, clock, door }: FacesOptions): Face[] {
  if (instance.timestamp === undefined) return [];
  const { signer, chain } = instance.timestamp;
  // The log remembers a time that is surely past, so a clock set back while the process was down shows.
  const after =
    builtin?.reader.opened === true
      ? { after: instantOf(builtin.reader.publication.treeHead.timestamp) }
      : {};
  const authority = new TimestampAuthority({ signer, chain, sha256, random, clock, ...after });
  const routes = timestampRoutes({
    authority,
    get errors() {
      return door.errors;
    },
    onBug: (cause) => door.onBug?.(cause),
  });
  return [{ path: '/', routes }];
}

function trustDoor(options: FacesOptions): TrustDoor {
  const { issuers, door } = options;
  let last: { readonly issuers: readonly ConfiguredIssuer[]; readonly material: TrustMaterial } | undefined;
  return {
    material() {
      const current = issuers();
      if (last?.issuers !== current) last = { issuers: current, material: materialOf(options, current) };
      return last.material;
    },
    get errors() {
      return door.errors;
    },
    onBug: (cause) => door.onBug?.(cause),
  };
}

function materialOf(options: FacesOptions, issuers: readonly ConfiguredIssuer[]): TrustMaterial {
  const { instance, builtin, external, publicUrl } = options;
  const { authority, timestamp } = instance;
  const own =
    builtin === undefined ? [] : [{ url: `${publicUrl}/log`, spki: builtin.reader.identity.publicKey }];
  const elsewhere = external.map(({ url, publicKey: { spki } }) => ({ url, spki }));
  const logs = [...own, ...elsewhere];
  return trustMaterialOf({ publicUrl, authority, timestampChain: timestamp?.chain, logs, issuers }, sha256);
}
