// Local worker: the Worker in a workerd of this machine, on loopback, with R2 and Durable Objects beside it.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readBundle, type SettingsBundle, withOverrides } from '../../src/workers/settings.ts';
import type { KeySecrets, Overrides } from '../../src/workers/variables.ts';
import { keySecrets } from './key-secrets.ts';

// wrangler reads these when it is imported: no look-up about the network, no usage data, no banner, and no tracing of
// every request into a database.
Object.assign(process.env, {
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  X_LOCAL_OBSERVABILITY: 'false',
  X_LOCAL_EXPLORER: 'false',
});
const { unstable_startWorker: startWorker } = await import('wrangler');

export interface LocalWorkerOptions {
  readonly bundle: SettingsBundle;
  readonly port: number;
  /** Folder of keys, log and limits; without one they are gone with the Worker. */
  readonly data?: string;
  /** Instead of keys in the folder. */
  readonly secrets?: KeySecrets;
  readonly overrides?: Overrides;
  /** Instead of the Worker's own main module; it has to export the objects too. */
  readonly entry?: string;
}

export interface LocalWorker {
  /** Without a final slash. */
  readonly url: string;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';
/** Milliseconds that a start may take; on a busy machine it is seconds. */
const START = 30_000;

/** Rejects when the settings cannot be used, or the Worker cannot be built or started. */
export async function startLocalWorker(options: LocalWorkerOptions): Promise<LocalWorker> {
  const { bundle, port } = options;
  const overrides: Overrides = { PUBLIC_URL: `http://${HOST}:${port}`, ...options.overrides };
  withOverrides(readBundle(bundle), overrides); // workerd tells such mistakes to its log alone
  const work = mkdtempSync(join(tmpdir(), 'mayfly-edge-'));
  const settings = join(work, 'settings.json');
  const data = options.data ?? join(work, 'data');
  await using opened = new AsyncDisposableStack();
  opened.defer(() => rmSync(work, { recursive: true, force: true }));
  writeFileSync(settings, JSON.stringify(bundle));
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const secrets = options.secrets ?? (await keySecrets({ folder: join(data, 'keys'), kind: 'serve' }));
  const worker = await startWorker({
    config: fileURLToPath(new URL('wrangler.jsonc', import.meta.url)),
    ...(options.entry !== undefined && { entrypoint: options.entry }),
    bindings: { ...bindingsOf('plain_text', overrides), ...bindingsOf('secret_text', secrets) },
    build: { custom: { command: '' }, alias: { 'mayfly-settings': settings } },
    dev: {
      server: { hostname: HOST, port, secure: false },
      persist: join(data, 'state'),
      inspector: false,
      watch: false,
      logLevel: 'warn',
    },
  });
  opened.defer(() => worker.dispose());
  await worker.ready;
  const { href } = await worker.url;
  // The proxy is ready before the Worker behind it, and holds requests until that has started or failed to.
  const health = await fetch(new URL('/healthz', href), { signal: AbortSignal.timeout(START) });
  if (!health.ok) throw new Error(`the Worker does not serve: ${await health.text()}`);
  const closing = opened.move();
  return { url: href.replace(/\/$/, ''), close: () => closing.disposeAsync() };
}

function bindingsOf<T extends 'plain_text' | 'secret_text'>(
  type: T,
  texts: Overrides | KeySecrets,
): Record<string, { type: T; value: string }> {
  return Object.fromEntries(
    Object.entries(texts).map(([name, value]: [string, string]) => [name, { type, value }]),
  );
}
