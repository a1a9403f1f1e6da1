// Edge: Mayfly in a workerd of this machine, with keys of its own, from the text of a configuration file.

import { createServer } from 'node:net';
import { type LocalWorker, startLocalWorker } from '../../deploy/workers/local-worker.ts';
import { bundleText } from '../../deploy/workers/settings-bundle.ts';
import type { Overrides } from '../../src/workers/variables.ts';

/** The Worker has to know its own address, so the port is chosen before anybody listens on it. */
export async function startEdge(configuration: string, overrides: Overrides = {}): Promise<LocalWorker> {
  const { bundle } = bundleText('the test', configuration);
  return startLocalWorker({ bundle, port: await freePort(), overrides });
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address !== null
          ? resolve(address.port)
          : reject(new Error('no port')),
      );
    });
  });
}
