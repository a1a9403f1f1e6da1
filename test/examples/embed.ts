// Example: an instance inside a server that also does other things.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { createMayfly } from 'mayfly';

// The log carries the address in its name, so it has to be known first.
const server = createServer((request, response) => void answer(request, response));
await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
const { port } = server.address() as AddressInfo;

const mayfly = await createMayfly({
  url: `http://127.0.0.1:${port}`,
  configuration: {
    issuers: [
      {
        name: 'github',
        'issuer-url': 'https://token.actions.githubusercontent.com',
        audiences: ['sigstore'],
        type: 'github',
        policy: { require: { repository_owner_id: ['12345'] } },
      },
    ],
  },
});
const app = new Hono();
app.get('/about', (c) => c.text('An artifact store with its own certificate authority'));
app.route('/', mayfly.app);
const answer = getRequestListener(app.fetch);

const configuration = await fetch(`http://127.0.0.1:${port}/api/v2/configuration`);
console.log(await (await fetch(`http://127.0.0.1:${port}/about`)).text());
console.log(JSON.stringify(await configuration.json()));

server.close();
server.closeAllConnections();
await mayfly.close();
