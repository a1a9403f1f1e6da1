// Connection: a client of one Redis, of a Sentinel group, or of a Cluster, that fails at once when it cannot answer now.

import { Cluster, type ClusterNode, Redis, type RedisOptions } from 'ioredis';

/** ioredis' options but for those that Mayfly stands on. */
export type RedisExtras = Omit<
  RedisOptions,
  'enableOfflineQueue' | 'himportFieldsets' | 'host' | 'path' | 'port' | 'readOnly' | 'replyMapping'
>;

export interface RedisSettings {
  /** `redis://` or `rediss://` URLs with user, password and database; several are the first nodes of a Cluster. */
  readonly urls: readonly string[];
  /** True where a single URL leads to a Cluster. */
  readonly cluster?: boolean;
  /**
   * An ACL user; replace those of the URL. It needs `~mayfly:* +eval +evalsha +time +mget +set +del +hello +info`, on a
   * Cluster also `+cluster +asking`.
   */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** PEM. A CA given here is trusted instead of the system's. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** ioredis' own options, last word; for a Sentinel group `sentinels`, `name` and their like. */
  readonly options?: RedisExtras;
}

export type RedisClient = Redis | Cluster;

/** Milliseconds after which a connection that owes an answer is given up; a new one may reach a server that lives. */
const SOCKET_TIMEOUT = 1000;
const CONNECT_TIMEOUT = 2000;

/** Throws a TypeError for a URL that is none. Connects in the background, for as long as it takes. */
export function connectRedis(settings: RedisSettings): RedisClient {
  const nodes = settings.urls.map((url) => readUrl(url));
  const [first] = nodes;
  if (first === undefined) throw new TypeError('no Redis URL');
  const { tls, ...rest } = settings.options ?? {};
  const secure = settings.tls !== undefined || tls !== undefined || nodes.some((node) => node.secure);
  const options: RedisExtras = {
    ...FAIL_FAST,
    ...present('username', settings.username ?? first.username),
    ...present('password', settings.password ?? first.password),
    ...(secure ? { tls: { ...settings.tls, ...tls } } : {}),
    ...rest,
  };
  if (settings.cluster !== true && nodes.length === 1) {
    const { host, port, db } = first;
    return silent(
      gathered(new Redis({ host, port, db, enableOfflineQueue: false, retryStrategy: delayOf, ...options })),
    );
  }
  const { retryStrategy: _, sentinels: __, ...each } = options;
  return eager(
    new Cluster(
      nodes.map(({ host, port }): ClusterNode => ({ host, port })),
      {
        redisOptions: each,
        // A node that is just being connected to may be waited for; the caller's budget says how long.
        enableOfflineQueue: true,
        clusterRetryStrategy: delayOf,
        // A lost node is forgotten, and found again among the slots: with a strategy of its own it would keep a Cluster
        // whose nodes are all gone from ever noticing.
        clusterNodeRetryStrategy: null,
        // A command whose connection closed may have been run, and would be run twice; the limiter decides what follows.
        retryDelayOnFailover: 0,
        retryDelayOnClusterDown: 0,
        retryDelayOnTryAgain: 10,
        slotsRefreshInterval: 2000,
        slotsRefreshTimeout: SOCKET_TIMEOUT,
        // Names stay names, so that certificates of nodes can be checked against them.
        ...(secure ? { dnsLookup: (address, answer) => answer(null, address) } : {}),
      },
    ),
  );
}

/** No queue and no repetition: a spend that waited, or came twice, would count what nobody asked for any more. */
const FAIL_FAST: RedisExtras = {
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  socketTimeout: SOCKET_TIMEOUT,
  connectTimeout: CONNECT_TIMEOUT,
  // Runs even where no connection is open, and keeps the process from ending as long.
  disconnectTimeout: 200,
  disableClientInfo: true,
  connectionName: 'mayfly',
  // The master became a replica; the name or the Sentinels lead to the new one.
  reconnectOnError: (error) => error.message.startsWith('READONLY'),
};

/** Milliseconds to the next attempt. */
function delayOf(attempt: number): number {
  return Math.min(2000, 50 * 2 ** Math.min(attempt, 6));
}

/**
 * What is sent in one turn of the event loop leaves in one write, and its answers mostly come in one read: a write wakes
 * the server, and costs more than all else about a command. Each command still succeeds or fails by itself. (ioredis'
 * own auto-pipelining holds back what comes while an earlier pipeline is unanswered.)
 */
function gathered(client: Redis): Redis {
  const send = client.sendCommand.bind(client);
  let gathering = false;
  client.sendCommand = (command, stream) => {
    if (!gathering && client.status === 'ready') {
      gathering = true;
      const socket = client.stream;
      socket.cork();
      setImmediate(() => {
        gathering = false;
        socket.uncork();
      });
    }
    return send(command, stream);
  };
  return client;
}

/** A client says through failing commands what is wrong; without a listener ioredis would print it as well. */
function silent<Client extends RedisClient>(client: Client): Client {
  client.on('error', () => {});
  return client;
}

/** Connects to every node as soon as it is known, not when the first issuance needs it. */
function eager(cluster: Cluster): Cluster {
  cluster.on('+node', (node: Redis) => {
    gathered(node)
      .connect()
      .catch(() => {}); // found again when it is there
  });
  return silent(cluster);
}

interface Node {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly secure: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** Its errors do not repeat the URL, in which a password may stand. */
function readUrl(text: string): Node {
  const url = URL.parse(text);
  if (url?.protocol !== 'redis:' && url?.protocol !== 'rediss:') {
    throw new TypeError('a Redis URL begins with redis:// or rediss://');
  }
  const db = url.pathname.replace(/^\//, '');
  if (!/^\d{0,4}$/.test(db)) throw new TypeError('the path of a Redis URL is the number of a database');
  return {
    host: url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1',
    port: Number(url.port || 6379),
    db: Number(db),
    secure: url.protocol === 'rediss:',
    username: decoded(url.username),
    password: decoded(url.password),
  };
}

function decoded(text: string): string | undefined {
  if (text === '') return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new TypeError('user and password of a Redis URL are percent-encoded UTF-8');
  }
}

function present(name: 'username' | 'password', value: string | undefined): RedisExtras {
  return value === undefined ? {} : { [name]: value };
}
