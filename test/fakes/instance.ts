// Instance: Mayfly as a service inside the test's own process, on free ports of the loopback, in memory or in a folder.

import { readFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { parseProviders } from '../../src/config/providers.ts';
import { parseSettings, type Settings } from '../../src/config/settings.ts';
import { type Service, startService } from '../../src/node/service.ts';
import { type Logger, silentLogger } from '../../src/node/system/logger.ts';
import type { FakeIssuer } from './issuer.ts';
import { type Issued, issue, type Order } from './signing-client.ts';

export const KINDS = parseProviders(
  readFileSync(new URL('../../config/providers.yaml', import.meta.url), 'utf8'),
);

/** An entry of `issuers` in the configuration; audience `sigstore` unless given. */
export interface TrustedIssuer {
  readonly issuer: Pick<FakeIssuer, 'url'>;
  readonly type: string;
  readonly [key: string]: unknown;
}

export interface InstanceOptions {
  readonly issuers?: readonly TrustedIssuer[];
  /** Further top-level keys of the configuration. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Keeps keys and log there. */
  readonly data?: string;
  readonly logger?: Logger;
  /** Over what the configuration says. */
  readonly over?: Partial<Settings>;
}

export interface TestInstance {
  readonly url: string;
  readonly service: Service;
  /** Throws what the instance said when it did not issue. */
  issue(order: Order): Promise<Issued>;
  close(): Promise<void>;
}

export function startInstance({
  issuers = [],
  settings = {},
  ...rest
}: InstanceOptions = {}): Promise<TestInstance> {
  return startConfigured(stringify({ ...settings, issuers: issuers.map(entryOf) }), rest);
}

/** As a list entry of the configuration. */
export function entryOf({ issuer, ...fields }: TrustedIssuer): Readonly<Record<string, unknown>> {
  return { 'issuer-url': issuer.url, audiences: ['sigstore'], ...fields };
}

/** With the text of a configuration file; its ports are not used. */
export async function startConfigured(
  configuration: string,
  { data, logger = silentLogger, over = {} }: Pick<InstanceOptions, 'data' | 'logger' | 'over'> = {},
): Promise<TestInstance> {
  const { settings } = parseSettings(configuration, {
    fileName: 'the test',
    kinds: KINDS,
    readFile: (path) => readFileSync(path, 'utf8'),
  });
  const service = await startService({
    settings: {
      ...settings,
      ...over,
      host: '127.0.0.1',
      port: 0,
      grpcPort: 0,
      metricsPort: 0,
      ...(data !== undefined && { data }),
    },
    kind: 'serve',
    ephemeral: data === undefined,
    logger,
  });
  return {
    url: service.url,
    service,
    issue: (order) => issue(service.url, order),
    close: () => service.close(),
  };
}
