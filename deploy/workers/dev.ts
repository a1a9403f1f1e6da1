// dev:edge: the command that serves the Worker on this machine, in the runtime of the platform.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { format } from '../../src/config/mistake.ts';
import { type LocalWorker, startLocalWorker } from './local-worker.ts';
import { bundleSettings } from './settings-bundle.ts';

interface Flags {
  readonly config: string;
  readonly port: number;
  readonly data?: string;
  readonly limits?: string;
  readonly log?: string;
  readonly clientSigningAlgorithms?: string;
}

function portNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) === 0 || Number(text) > 65535)
    throw new InvalidArgumentError('a port is a number from 1 to 65535');
  return Number(text);
}

const flags = new Command('dev:edge')
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
  .option('--client-signing-algorithms <list>', 'comma-separated algorithms that client keys may use')
  .parse()
  .opts<Flags>();

let worker: LocalWorker | undefined;
let ending = false;

/** Ends the runtime with us, whichever way we are told to go. */
async function end(code: number): Promise<void> {
  if (ending) return;
  ending = true;
  await worker?.close();
  process.exit(code);
}
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void end(0));
// npm, where it was killed outright, passes no signal on.
const parent = process.ppid;
setInterval(() => process.ppid === parent || void end(0), 500).unref();

/** Of this process, where they can be found. */
function runtimes(): readonly number[] {
  const children = `/proc/${process.pid}/task/${process.pid}/children`;
  if (!existsSync(children)) return [];
  const pids = readFileSync(children, 'utf8').trim().split(' ').map(Number);
  return pids.filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('workerd'));
}

/** Where this process is killed outright, nothing in it can end the runtimes: on Linux a shell sees to it. */
function outlive(pids: readonly number[]): void {
  if (pids.length === 0) return;
  const script = 'while kill -0 "$0" 2>/dev/null; do sleep 1; done; kill "$@" 2>/dev/null';
  const args = ['-c', script, String(process.pid), ...pids.map(String)];
  spawn('sh', args, { detached: true, stdio: 'ignore' }).unref();
}

/** One that crashes takes us with it: wrangler would start another, which no request ever reaches. */
function dieWith(pids: readonly number[]): void {
  setInterval(() => {
    if (ending || pids.every((pid) => existsSync(`/proc/${pid}`))) return;
    process.stderr.write('the runtime has ended\n');
    void end(1);
  }, 500).unref();
}

try {
  const { bundle, warnings } = bundleSettings(flags.config);
  if (warnings.length > 0) process.stderr.write(`${format(warnings, flags.config)}\n`);
  worker = await startLocalWorker({
    bundle,
    port: flags.port,
    ...(flags.data !== undefined && { data: resolve(flags.data) }),
    overrides: {
      ...(flags.limits !== undefined && { LIMITS: flags.limits }),
      ...(flags.log !== undefined && { LOG: flags.log }),
      ...(flags.clientSigningAlgorithms !== undefined && {
        CLIENT_SIGNING_ALGORITHMS: flags.clientSigningAlgorithms,
      }),
    },
  });
  const pids = runtimes();
  outlive(pids);
  dieWith(pids);
  process.stdout.write(`Mayfly in workerd is ready at ${worker.url}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  await end(1);
}
