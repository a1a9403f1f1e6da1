// TCP proxy for tests: stands between a client and a server and does to their connection what networks do.

import { connect, createServer, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';

export interface TcpProxy {
  readonly port: number;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** From now on bytes of the connections that are open go nowhere, and nobody is told; new connections work. */
  blackhole(): void;
  /** From now on every answer of the server waits this long. */
  delay(milliseconds: number): void;
  /** Resets every connection that is open. */
  cut(): void;
  close(): Promise<void>;
}

export async function startProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const lost = new Set<Socket>();
  let wait = 0;
  let accepted = 0;
  const server = createServer((client) => {
    accepted += 1;
    const target = connect(targetPort, '127.0.0.1');
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        if (!lost.has(from)) to.destroy();
      });
      let earlier = Promise.resolve(); // what came first goes first, whatever its delay
      from.on('data', (chunk) => {
        const due = from === target && wait > 0 ? setTimeout(wait) : undefined;
        earlier = Promise.all([earlier, due]).then(() => {
          if (!lost.has(from) && !to.destroyed) to.write(chunk);
        });
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    get accepted() {
      return accepted;
    },
    blackhole: () => {
      for (const socket of sockets) lost.add(socket);
    },
    delay: (milliseconds) => {
      wait = milliseconds;
    },
    cut,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}
