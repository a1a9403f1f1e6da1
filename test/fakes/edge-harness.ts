// Edge harness: the Worker in wrangler's own test harness, where its objects can be reached, looked into and evicted.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chainsIn, keySecrets, keysIn } from '../../deploy/workers/key-secrets.ts';
import { bundleText } from '../../deploy/workers/settings-bundle.ts';
import type { KeySecrets, Overrides } from '../../src/workers/variables.ts';

Object.assign(process.env, {
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_SEND_METRICS: 'false',
  X_LOCAL_OBSERVABILITY: 'false',
  X_LOCAL_EXPLORER: 'false',
});
const { createTestHarness, experimental_readRawConfig: readRawConfig } = await import('wrangler');

const FOLDER = fileURLToPath(new URL('../../deploy/workers/', import.meta.url));

export interface EdgeHarnessOptions {
  readonly configuration: string;
  readonly overrides?: Overrides;
  /** Whether the keys are in a Worker of their own. */
  readonly signer?: boolean;
  /** Instead of keys made for it. */
  readonly secrets?: KeySecrets;
  /** For a log elsewhere. */
  readonly logBearer?: string;
}

export interface EdgeHarness {
  /** Without a final slash. */
  readonly url: string;
  /** Of the objects' classes. */
  evict(className: string, name: string): Promise<void>;
  /** Keys in the log's bucket. */
  stored(): Promise<string[]>;
  put(key: string, bytes: Uint8Array): Promise<void>;
  sql(className: string, name: string, query: string): Promise<readonly Record<string, unknown>[]>;
  /** Lines that the Workers wrote. */
  logs(): readonly string[];
  close(): Promise<void>;
}

/** What the harness gives of the bindings, as far as tests use them. */
interface Bindings {
  readonly LOG_BUCKET: {
    list(): Promise<{ objects: { key: string }[] }>;
    put(key: string, bytes: Uint8Array): Promise<unknown>;
  };
}

export async function startHarness(options: EdgeHarnessOptions): Promise<EdgeHarness> {
  const { configuration, overrides, signer = false, logBearer } = options;
  const work = mkdtempSync(join(tmpdir(), 'mayfly-harness-'));
  const settings = join(work, 'settings.json');
  writeFileSync(settings, JSON.stringify(bundleText('the test', configuration).bundle));
  const secrets = options.secrets ?? (await keySecrets({ folder: join(work, 'keys'), kind: 'serve' }));
  const { build: _, ...front } = readRawConfig({ config: join(FOLDER, 'wrangler.jsonc') }).rawConfig;
  const server = createTestHarness({
    root: FOLDER,
    workers: [
      {
        config: {
          ...front,
          alias: { 'mayfly-settings': settings },
          vars: {
            PUBLIC_URL: 'http://edge.test',
            ...overrides,
            ...(signer ? chainsIn(secrets) : secrets),
            ...(logBearer !== undefined && { LOG_BEARER: logBearer }),
          },
          ...(signer && { services: [{ binding: 'SIGNER', service: 'mayfly-signer' }] }),
        },
      },
      ...(signer
        ? [
            {
              config: {
                ...readRawConfig({ config: join(FOLDER, 'wrangler.signer.jsonc') }).rawConfig,
                vars: { ...keysIn(secrets) },
              },
            },
          ]
        : []),
    ],
  });
  const { url } = await server.listen();
  const worker = server.getWorker();
  const bindings = (): Promise<Bindings> => worker.getEnv() as Promise<Bindings>; // their types are workerd's
  return {
    url: url.href.replace(/\/$/, ''),
    evict: (className, name) => worker.evictDurableObject(className, { name }),
    stored: async () => (await (await bindings()).LOG_BUCKET.list()).objects.map(({ key }) => key),
    put: async (key, bytes) => void (await (await bindings()).LOG_BUCKET.put(key, bytes)),
    async sql(className, name, query) {
      const storage = await worker.getDurableObjectStorage(className, { name });
      return storage.exec(query);
    },
    logs: () => server.getLogs().map(({ message }) => message),
    async close() {
      await server.close();
      rmSync(work, { recursive: true, force: true });
    },
  };
}
