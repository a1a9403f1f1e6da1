// Faces: what an instance serves beside certificates: the log, timestamps, and the trust documents.

import { Hono } from 'hono';
import { type Clock, type Instant, instantOf } from '../clock.ts';
import type { ConfiguredIssuer } from '../config/settings.ts';
import { type AlsoTrustedKeys, rootsOf } from '../http/also-trusted.ts';
import type { Door, Face } from '../http/app.ts';
import { logRoutes } from '../http/log.ts';
import { timestampRoutes } from '../http/timestamp.ts';
import { type TrustDoor, trustRoutes } from '../http/trust.ts';
import { trustMaterialOf } from '../http/trust-material.ts';
import { describeLog, stateOf } from '../log/description.ts';
import type { Reader } from '../log/reader.ts';
import { Problem } from '../problem.ts';
import { TimestampAuthority } from '../timestamp/authority.ts';
import type { InstanceLog, TrustMaterial } from '../trust/material.ts';
import { numberOf } from './keys/generations.ts';
import type { Instance, TimestampMaterial } from './keys/instance.ts';
import type { ObserveSigner } from './keys/signer-metrics.ts';
import { LOG_PATH, logPathOf } from './log/builtin-log.ts';
import type { KnownExternalLog } from './log/external-logs.ts';
import type { LogSuccession } from './log/log-succession.ts';
import { sha256 } from './system/native-digest.ts';
import { nativeRandom as random } from './system/native-random.ts';

export interface FacesOptions {
  /** Asked anew each time; the same object as long as nothing has changed. */
  readonly instance: () => Instance;
  readonly builtin: LogSuccession | undefined;
  /** Asked for as `issuers` is. */
  readonly external: () => readonly KnownExternalLog[];
  /** Asked anew each time; the same list as long as nothing has changed. */
  readonly issuers: () => readonly ConfiguredIssuer[];
  /** Of the configuration, asked for as `issuers` is. */
  readonly also: () => AlsoTrustedKeys;
  /** Where the public reaches the instance, without a final slash. */
  readonly publicUrl: string;
  readonly clock: Clock;
  readonly door: Pick<Door, 'errors' | 'onBug'>;
  /** Put in front of the key of the timestamp authority. */
  readonly through: ObserveSigner;
}

export function facesOf(options: FacesOptions): Face[] {
  return [
    ...logFaces(options),
    ...timestampFaces(options),
    { path: '/', routes: trustRoutes(trustDoor(options)) },
  ];
}

/** The read side of the built-in log and of those before it, where there is one. */
function logFaces(options: FacesOptions): Face[] {
  const { builtin, publicUrl } = options;
  if (builtin === undefined) return [];
  const prefixOf = (number: number): string => `${publicUrl}${logPathOf(number)}/`;
  const known = new WeakMap<Reader, Hono>();
  const routes = new Hono();
  routes.all('*', ({ req }) => {
    const asked = Number(/^\/log\/([1-9]\d{0,5})\//.exec(req.path)?.[1] ?? 1);
    const number = asked > 1 && builtin.readerOf(asked) !== undefined ? asked : 1;
    const reader = builtin.readerOf(number);
    if (reader === undefined) throw new Problem('not_found');
    let log = known.get(reader);
    if (log === undefined) {
      log = new Hono().route(logPathOf(number), oneLog(options, reader, prefixOf(number)));
      known.set(reader, log);
    }
    return log.fetch(req.raw);
  });
  const wellKnown = new Hono();
  wellKnown.get('/.well-known/mayfly/log.json', (c) => {
    const retired = builtin.retired.map(({ part, reader, treeHead }) => ({
      ...describeLog(reader.identity, prefixOf(numberOf(part))),
      state: stateOf(treeHead),
    }));
    const current = describeLog(builtin.reader.identity, prefixOf(builtin.number));
    return c.json(retired.length === 0 ? current : { ...current, retired });
  });
  return [
    { path: LOG_PATH, routes },
    { path: '/', routes: wellKnown },
  ];
}

function oneLog({ builtin, instance, also, door }: FacesOptions, reader: Reader, prefix: string): Hono {
  const final = builtin?.retired.find((one) => one.reader === reader)?.treeHead;
  return logRoutes({
    reader,
    prefix: () => prefix,
    roots: () => rootsOf([...instance().trusted.authorities, ...also().authorities]),
    final,
    get errors() {
      return door.errors;
    },
    onBug: (cause) => door.onBug?.(cause),
  });
}

function timestampFaces({ instance, builtin, clock, door, through }: FacesOptions): Face[] {
  let material = instance().timestamp;
  if (material === undefined) return [];
  const open = ({ signer: own, chain }: TimestampMaterial): TimestampAuthority => {
    const signer = through(own, 'timestamp');
    // The log remembers a time that is surely past, so a clock set back while the process was down shows.
    const after =
      builtin?.reader.opened === true
        ? { after: instantOf(builtin.reader.publication.treeHead.timestamp) }
        : {};
    return new TimestampAuthority({ signer, chain, sha256, random, clock, ...after });
  };
  let authority = open(material);
  const routes = timestampRoutes({
    get authority() {
      const { timestamp } = instance();
      if (timestamp !== undefined && timestamp !== material) {
        authority = open(timestamp);
        material = timestamp;
      }
      return authority;
    },
    get errors() {
      return door.errors;
    },
    onBug: (cause) => door.onBug?.(cause),
  });
  return [{ path: '/', routes }];
}

function trustDoor(options: FacesOptions): TrustDoor {
  const { issuers, instance, builtin, external, also, door } = options;
  let last: readonly unknown[] = [];
  let material: TrustMaterial | undefined;
  return {
    material() {
      const current = [issuers(), instance(), builtin?.reader, builtin?.retired, external(), also()];
      if (material === undefined || current.some((one, i) => one !== last[i])) {
        material = materialOf(options);
        last = current;
      }
      return material;
    },
    get errors() {
      return door.errors;
    },
    onBug: (cause) => door.onBug?.(cause),
  };
}

function materialOf({ instance, builtin, external, issuers, also, publicUrl }: FacesOptions): TrustMaterial {
  const { trusted, pendingLog, logs, logSigner } = instance();
  const newest = logs.at(-1);
  const urlOf = (number: number): string => `${publicUrl}${logPathOf(number)}`;
  const own: readonly InstanceLog[] =
    builtin === undefined
      ? []
      : [
          ...builtin.retired.map(({ part, made, reader, treeHead }) => ({
            url: urlOf(numberOf(part)),
            spki: reader.identity.publicKey,
            made,
            end: endOf(treeHead.timestamp, logs.find((one) => one.part === part)?.distrusted),
          })),
          ...builtin.closing.map(({ generation: { part, made }, reader }) => ({
            url: urlOf(numberOf(part)),
            spki: reader.identity.publicKey,
            made,
          })),
          { url: urlOf(builtin.number), spki: builtin.reader.identity.publicKey, made: builtin.made },
          // One that is being opened, or that cannot be opened yet, has been told to clients and stays so; then one that waits.
          ...[newest && { ...newest, publicKey: logSigner.publicKey }, pendingLog]
            .filter((next) => next !== undefined)
            .filter(({ part }) => numberOf(part) > builtin.number)
            .map(({ part, made, publicKey }) => ({ url: urlOf(numberOf(part)), spki: publicKey, made })),
        ];
  const elsewhere = external().map(({ url, publicKey: { spki } }) => ({ url, spki }));
  return trustMaterialOf(
    { publicUrl, ...trusted, logs: [...own, ...elsewhere], issuers: issuers(), also: also() },
    sha256,
  );
}

/** Of what a frozen log gave, as far as it is to be trusted. */
function endOf(last: number, distrusted: number | undefined): Instant {
  return instantOf(Math.min(last, distrusted ?? last));
}
