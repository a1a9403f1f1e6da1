// Trust documents of an instance at the moments between two of its logs.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Hono } from 'hono';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { systemClock } from '../../../src/clock.ts';
import { parseSettings } from '../../../src/config/settings.ts';
import { base64 } from '../../../src/encoding/bytes.ts';
import { facesOf } from '../../../src/node/faces.ts';
import { type Instance, openInstance } from '../../../src/node/keys/instance.ts';
import { newLogKeys } from '../../../src/node/keys/log-instance.ts';
import { activatePending, addGenerations } from '../../../src/node/keys/next-generation.ts';
import { LogSuccession } from '../../../src/node/log/log-succession.ts';
import { silentLogger } from '../../../src/node/system/logger.ts';
import { sha256 } from '../../../src/node/system/native-digest.ts';
import { KINDS } from '../../fakes/instance.ts';
import { optionsOf } from './instance-options.ts';

let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'mayfly-faces-')), 'data');
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a log that is told to begin is in the documents while it is being opened', async () => {
  const options = { ...optionsOf('serve'), folder };
  let instance = await openInstance(options);
  const { settings } = parseSettings(stringify({}), { fileName: 'the test', kinds: KINDS });
  const builtin = await LogSuccession.open({
    instance,
    origin: 'ca.example.org/log',
    clock: systemClock,
    logger: silentLogger,
    settings,
    registry: new Registry(),
    through: (signer) => signer,
  });
  const faces = facesOf({
    instance: () => instance,
    builtin,
    external: () => [],
    issuers: () => [],
    also: () => ({ authorities: [], timestamps: [], logs: [] }),
    publicUrl: 'http://ca.example.org',
    clock: systemClock,
    door: { errors: 'helpful' },
    through: (signer) => signer,
  });
  const documents = new Hono();
  for (const { path, routes } of faces) documents.route(path, routes);
  const told = async (): Promise<readonly string[]> => {
    const response = await documents.request('/.well-known/mayfly/trusted_root.json');
    const { ctlogs } = (await response.json()) as { ctlogs: { logId: { keyId: string } }[] };
    return ctlogs.map(({ logId }) => logId.keyId);
  };
  const idOf = ({ logSigner }: Instance): string => base64(sha256(logSigner.publicKey));
  const first = idOf(instance);
  const now = systemClock.now();
  await addGenerations(folder, now, undefined, async () => ({
    log: newLogKeys((key) => String(key.export({ format: 'pem', type: 'pkcs8' }))),
  }));
  instance = await openInstance(options, instance);
  const waiting = await told();
  expect(waiting).toEqual([first, expect.any(String)]);
  await activatePending(folder, ['log'], now, now);
  instance = await openInstance(options, instance);
  expect(waiting).toEqual([first, idOf(instance)]);
  expect(await told()).toEqual(waiting); // the log before still takes the entries
  await builtin.follow(instance);
  expect(await told()).toEqual(waiting);
  await builtin.close();
});
