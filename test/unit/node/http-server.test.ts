import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { listen } from '../../../src/node/listener/http-server.ts';

test('a server that closes finishes what it accepted, and keeps no connection alive for its client', async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { promise: accepted, resolve: accept } = Promise.withResolvers<void>();
  const server = await listen(
    async () => {
      accept();
      await released;
      return new Response('late');
    },
    '127.0.0.1',
    0,
  );
  const socket = connect(server.port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await accepted;
  const closed = server.close();
  release();
  await closed;
  await new Promise((resolve) => socket.on('close', resolve));
  expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 200 OK.*late$/s);
});
