// Process: the real command line in a process of its own, watched until it says that it is ready, and never left behind.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';

const ROOT = new URL('../../', import.meta.url).pathname;
export const MAIN = `${ROOT}src/cli/main.ts`;
/** Halves the time to start: Node keeps there what it made of the sources. */
export const COMPILED = `${ROOT}node_modules/.cache/mayfly-tests`;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Through npm, as the README has it. */
  readonly npm?: boolean;
}

export interface RunningProcess {
  readonly child: ChildProcess;
  readonly output: { readonly stdout: string; readonly stderr: string };
  readonly exited: Promise<Exit>;
  /** Resolves with the first match in what is printed; rejects when the process ends without. */
  saying(pattern: RegExp): Promise<RegExpExecArray>;
  /** Sends a signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<Exit>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export function start(args: readonly string[], options: CommandOptions = {}): RunningProcess {
  const [command, words] = options.npm
    ? ['npm', ['run', '-s', 'mayfly', '--', ...args]]
    : [process.execPath, [MAIN, ...args]];
  const child = spawn(command, words, {
    cwd: options.npm ? ROOT : options.cwd,
    env: { ...process.env, NODE_OPTIONS: '', NODE_COMPILE_CACHE: COMPILED, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk) => {
      output[name] += chunk;
      child.emit('said');
    });
  }
  const exited = new Promise<Exit>((resolve) => {
    child.on('close', (code, signal) => {
      running.delete(child);
      resolve({ code, signal, ...output });
    });
  });
  return {
    child,
    output,
    exited,
    async saying(pattern) {
      for (;;) {
        const found = pattern.exec(`${output.stdout}\n${output.stderr}`);
        if (found !== null) return found;
        const ended = await Promise.race([once(child, 'said').then(() => undefined), exited]);
        if (ended !== undefined && pattern.exec(`${output.stdout}\n${output.stderr}`) === null)
          throw new Error(`ended with ${ended.code}: ${ended.stdout}${ended.stderr}`);
      }
    },
    stop(signal = 'SIGTERM') {
      child.kill(signal);
      return exited;
    },
  };
}

/** Runs a command to its end. */
export function run(args: readonly string[], options: CommandOptions = {}): Promise<Exit> {
  return start(args, options).exited;
}

/** What is needed so that no two instances meet. */
export const FREE_PORTS = ['--port', '0', '--grpc-port', '0', '--metrics-port', '0'];

export interface RunningServer extends RunningProcess {
  readonly url: string;
  readonly metricsUrl: string;
}

/** `mayfly serve` on free ports, once it is ready. */
export async function serve(args: readonly string[], options: CommandOptions = {}): Promise<RunningServer> {
  const started = start(['serve', ...FREE_PORTS, ...args], options);
  const [line] = await started.saying(/^\{.*"msg":"ready"\}$/m);
  const { url, metrics } = JSON.parse(line) as { url: string; metrics: string };
  return { ...started, url, metricsUrl: metrics };
}

/** Resolves once nobody takes connections at the URL's port any more. */
export async function unreachable(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  for (;;) {
    const refused = await new Promise<boolean>((resolve) => {
      const socket = connect(Number(port), hostname, () => {
        socket.destroy();
        resolve(false);
      });
      socket.on('error', () => resolve(true));
    });
    if (refused) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
