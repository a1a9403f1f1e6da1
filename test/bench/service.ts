// Service: a whole instance in a process of its own, as `npm run mayfly` starts it, and the CPU that it has used.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface BenchService {
  /** Where certificates are asked for. */
  readonly url: string;
  /** Where timestamps are. */
  readonly timestampUrl: string;
  /** Microseconds of CPU so far, in all its threads. */
  cpu(): Promise<number>;
  usage(): Promise<Usage>;
  /** Resolves once the configuration, which must differ from the one in force, is. */
  configure(configuration: object): Promise<void>;
  stop(): Promise<void>;
}

export interface Usage {
  /** Microseconds that the process itself says. */
  readonly cpu: number;
  readonly residentBytes: number;
}

/** `configuration` is what mayfly.yaml would hold; `flags` are of the command line. */
export async function startService(
  configuration: object,
  flags: readonly string[] = [],
): Promise<BenchService> {
  const folder = mkdtempSync(join(tmpdir(), 'mayfly-bench-'));
  const config = join(folder, 'mayfly.yaml');
  writeFileSync(config, JSON.stringify(configuration));
  const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
  const engine = ['--single-threaded-gc', '--max-semi-space-size=64'];
  const places = [
    '--config',
    config,
    '--data',
    join(folder, 'data'),
    '--port',
    '0',
    '--grpc-port',
    '0',
    '--metrics-port',
    '0',
  ];
  const child = spawn(process.execPath, [...engine, main, 'serve', ...places, ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const { url, metrics } = JSON.parse(await saying(child, '"msg":"ready"'));
  const usage = async (): Promise<Usage> => {
    const text = await (await fetch(metrics)).text();
    const read = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
    return {
      cpu: 1e6 * (read('process_cpu_user_seconds_total') + read('process_cpu_system_seconds_total')),
      residentBytes: read('process_resident_memory_bytes'),
    };
  };
  return {
    url: `${url}/api/v2/signingCert`,
    timestampUrl: `${url}/api/v1/timestamp`,
    cpu: async () => scheduledOf(child.pid ?? 0) ?? (await usage()).cpu,
    usage,
    async configure(wanted) {
      const done = saying(child, 'configuration read again and in force');
      writeFileSync(config, JSON.stringify(wanted)); // which the instance watches
      await done;
    },
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Microseconds that its threads ran, to the nanosecond and at no cost to it; undefined where the system does not say. */
function scheduledOf(pid: number): number | undefined {
  const tasks = `/proc/${pid}/task`;
  try {
    const times = readdirSync(tasks).map((task) =>
      Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ', 1)[0]),
    );
    return times.reduce((sum, time) => sum + time, 0) / 1000;
  } catch {
    return undefined;
  }
}

/** The next line of its log with that text. */
function saying(child: ChildProcess, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const hear = (chunk: Buffer): void => {
      said += chunk;
      const line = said.split('\n').find((one) => one.includes(text));
      if (line === undefined) return;
      child.stderr?.off('data', hear);
      child.off('exit', ended);
      resolve(line);
    };
    const ended = (): void => reject(new Error(`the instance ended without "${text}": ${said}`));
    child.stderr?.on('data', hear);
    child.once('exit', ended);
  });
}
