// Redis for tests: a real redis-server, or three of them as a Cluster, on loopback, in throw-away folders.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** A client of its own with ioredis' defaults, for looking at what is there. */
  readonly admin: Redis;
  /** Dies at once, as by the kernel's hand. */
  kill(): Promise<void>;
  /** Hangs: the sockets stay open, nothing is answered. */
  pause(): void;
  resume(): void;
  /** Comes back on the same port, empty. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface RedisServerOptions {
  /** More words for redis-server's command line. */
  readonly args?: readonly string[];
  readonly port?: number;
  /** Be a Sentinel, alone and quick to judge, of the group `mayfly` with its master on this port. */
  readonly sentinel?: number;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const port = options.port ?? (await freePort());
  const folder = mkdtempSync(join(tmpdir(), 'mayfly-redis-'));
  const args = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'no',
  ];
  const start = () =>
    options.sentinel === undefined
      ? launch([...args, ...(options.args ?? [])])
      : launch([sentinelFile(folder, port, options.sentinel), '--sentinel']);
  let child = await start();
  const admin = new Redis({ port, host: '127.0.0.1', lazyConnect: true });
  admin.on('error', () => {});
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    admin,
    kill,
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    restart: async () => {
      await kill();
      child = await start();
    },
    stop: async () => {
      admin.disconnect();
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface RedisCluster {
  readonly nodes: readonly RedisServer[];
  readonly urls: readonly string[];
  stop(): Promise<void>;
}

const SLOTS = 16384;

/**
 * Three masters, a third of the slots each, no replicas; one that dies takes only its own slots with it. With `tls`, words
 * for the command line that name the certificates, clients and nodes speak TLS; `admin` does not.
 */
export async function startCluster(tls?: readonly string[]): Promise<RedisCluster> {
  const ports = [await freePort(), await freePort(), await freePort()];
  const buses = [await freePort(), await freePort(), await freePort()];
  const doors = tls === undefined ? ports : [await freePort(), await freePort(), await freePort()];
  const nodes = await Promise.all(
    ports.map((port, i) => {
      const flags = [
        'enabled yes',
        'config-file nodes.conf',
        'node-timeout 2000',
        'require-full-coverage no',
      ];
      const args = [...flags, `port ${buses[i]}`].flatMap((flag) => `--cluster-${flag}`.split(' '));
      if (tls !== undefined) args.push(...tls, '--tls-cluster', 'yes', '--tls-port', String(doors[i]));
      return startRedis({ port, args });
    }),
  );
  for (const [i, { admin }] of nodes.entries()) {
    const [from, to] = [i, i + 1].map((third) => Math.floor((third * SLOTS) / 3));
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String((to ?? 0) - 1));
    await admin.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
    for (const [j, port] of doors.entries()) {
      if (j !== i) await admin.call('CLUSTER', 'MEET', '127.0.0.1', String(port), String(buses[j]));
    }
  }
  await Promise.all(nodes.map(({ admin }) => untilWhole(admin)));
  return {
    nodes,
    urls: doors.map((port) => `redis${tls === undefined ? '' : 's'}://127.0.0.1:${port}`),
    stop: async () => void (await Promise.all(nodes.map((node) => node.stop()))),
  };
}

function sentinelFile(folder: string, port: number, master: number): string {
  const path = join(folder, 'sentinel.conf');
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    `sentinel monitor mayfly 127.0.0.1 ${master} 1`,
    'sentinel down-after-milliseconds mayfly 300',
    'sentinel failover-timeout mayfly 2000',
  ];
  writeFileSync(path, lines.join('\n'));
  return path;
}

/** Until a node knows who serves every slot. */
async function untilWhole(admin: Redis): Promise<void> {
  for (;;) {
    const info = String(await admin.call('CLUSTER', 'INFO'));
    if (info.includes('cluster_state:ok') && info.includes(`cluster_slots_ok:${SLOTS}`)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Resolves once the server says that it accepts connections. */
function launch(args: readonly string[]): Promise<ChildProcess> {
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  running.add(child);
  return new Promise((resolve, reject) => {
    let said = '';
    child.stdout.on('data', (chunk) => {
      said = (said + chunk).slice(-10_000);
      if (/Ready to accept connections|Sentinel ID is/.test(said)) resolve(child);
    });
    child.once('exit', (code) => {
      running.delete(child);
      reject(new Error(`redis-server went with ${code}: ${said}`));
    });
  });
}

/** A port that nobody listens on now; below the ephemeral ones no outgoing connection takes it meanwhile. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}
