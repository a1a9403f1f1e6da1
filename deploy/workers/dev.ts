// dev:edge: the Worker on this machine, in the runtime of the platform, with R2 and Durable Objects beside it.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { format } from '../../src/config/mistake.ts';
import type { Overrides } from '../../src/workers/variables.ts';
import { keySecrets } from './key-secrets.ts';
import { bundleSettings } from './settings-bundle.ts';

// wrangler reads these when it is imported: no report about the network, no usage data, no update check.
Object.assign(process.env, {
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
});
const { unstable_startWorker: startWorker } = await import('wrangler');

const HOST = '127.0.0.1';

interface Flags {
  readonly config: string;
  readonly port: number;
  readonly data?: string;
  readonly limits?: 'on' | 'off';
  readonly log?: string;
  readonly logPublicKey?: string;
  readonly clientSigningAlgorithms?: string;
}

function portNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535)
    throw new InvalidArgumentError('a port is a number from 0 to 65535');
  return Number(text);
}

const command = new Command('dev:edge')
  .description('serve the Worker locally in workerd, on loopback')
  .option(
    '--config <file>',
    'a Mayfly or Fulcio configuration file',
    fileURLToPath(new URL('../../config/mayfly.yaml', import.meta.url)),
  )
  .option('--port <n>', 'HTTP port', portNumber, 5555)
  .option('--data <dir>', 'folder of keys, log and limits; without one everything is gone at exit')
  .addOption(new Option('--limits <state>', 'rate limits').choices(['on', 'off']))
  .option('--log <where>', "builtin, none (or ''), or the URL of an RFC 6962 log")
  .option('--log-public-key <pem>', 'public key of the log at --log URL, as PEM text')
  .option('--client-signing-algorithms <list>', 'comma-separated algorithms that client keys may use')
  .parse();

const flags = command.opts<Flags>();
const work = mkdtempSync(join(tmpdir(), 'mayfly-edge-'));
let stop: (() => Promise<void>) | undefined;
let stopping = false;

/** Ends the runtime with us, whichever way we are told to go. */
async function end(code: number): Promise<never> {
  if (!stopping) {
    stopping = true;
    await stop?.().catch(() => undefined);
  }
  rmSync(work, { recursive: true, force: true });
  process.exit(code);
}
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void end(0));
// npm, where it was killed outright, passes no signal on.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) void end(0);
}, 500).unref();

try {
  const { bundle, warnings } = bundleSettings(flags.config);
  if (warnings.length > 0) process.stderr.write(`${format(warnings, flags.config)}\n`);
  const settings = join(work, 'settings.json');
  writeFileSync(settings, JSON.stringify(bundle));
  const data = resolve(flags.data ?? join(work, 'data'));
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const secrets = await keySecrets({ folder: join(data, 'keys'), kind: 'serve' });
  const overrides: Overrides = {
    PUBLIC_URL: `http://${HOST}:${flags.port}`,
    ...(flags.limits !== undefined && { LIMITS: flags.limits }),
    ...(flags.log !== undefined && { LOG: flags.log }),
    ...(flags.logPublicKey !== undefined && { LOG_PUBLIC_KEY: flags.logPublicKey }),
    ...(flags.clientSigningAlgorithms !== undefined && {
      CLIENT_SIGNING_ALGORITHMS: flags.clientSigningAlgorithms,
    }),
  };
  const worker = await startWorker({
    config: fileURLToPath(new URL('wrangler.jsonc', import.meta.url)),
    bindings: Object.fromEntries([
      ...Object.entries(overrides).map(([name, value]) => [name, { type: 'plain_text', value }]),
      ...Object.entries(secrets).map(([name, value]) => [name, { type: 'secret_text', value }]),
    ]),
    build: { custom: { command: '' }, alias: { 'mayfly-settings': settings } },
    dev: {
      server: { hostname: HOST, port: flags.port, secure: false },
      persist: join(data, 'state'),
      inspector: false,
      watch: false,
      logLevel: 'warn',
    },
  });
  stop = () => worker.dispose();
  await worker.ready;
  const url = await worker.url;
  process.stdout.write(`Mayfly in workerd is ready at ${url.href.replace(/\/$/, '')}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  await end(1);
}
