// Remote instances: which addresses are taken, and what is made of an answer that is not an instance's.

import { Hono } from 'hono';
import { afterEach, describe, expect, test } from 'vitest';
import { RemoteInstance } from '../../../src/client/remote-instance.ts';
import { listen } from '../../../src/node/listener/http-server.ts';

const refusal = (code: string, words: RegExp): unknown =>
  expect.objectContaining({ name: 'ClientError', code, message: expect.stringMatching(words) });

describe('an address', () => {
  test.each([
    ['https://ca.example.com', 'https://ca.example.com'],
    ['https://ca.example.com:8443/', 'https://ca.example.com:8443'],
    ['http://127.0.0.1:5555/', 'http://127.0.0.1:5555'],
    ['http://localhost:5555', 'http://localhost:5555'],
    ['http://[::1]:5555', 'http://[::1]:5555'],
  ])('%s is taken', (given, url) => expect(new RemoteInstance(given).url).toBe(url));

  test.each([
    'ca.example.com',
    'ftp://ca.example.com',
    'https://ca.example.com/path',
    'https://user@ca.example.com',
  ])('%s is none', (given) =>
    expect(() => new RemoteInstance(given)).toThrow(refusal('usage', /URL of its root/)),
  );

  test.each([
    'http://ca.example.com',
    'http://127.0.0.1.example.com',
    'http://10.0.0.1',
    'http://localhost.example.com',
  ])('%s is insecure, unless a person says that it is not', (given) => {
    expect(() => new RemoteInstance(given)).toThrow(refusal('connection_insecure', /--allow-http/));
    expect(new RemoteInstance(given, true).url).toBe(given);
  });
});

describe('an answer', () => {
  const cleanups: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup();
  });

  async function instanceThat(answer: (path: string) => Response): Promise<RemoteInstance> {
    const app = new Hono();
    app.get('*', ({ req }) => answer(req.path));
    const server = await listen(app.fetch, '127.0.0.1', 0);
    cleanups.push(() => server.close());
    return new RemoteInstance(`http://127.0.0.1:${server.port}`);
  }

  test('of another service is none of an instance', async () => {
    const instance = await instanceThat(() => new Response('', { status: 404 }));
    await expect(instance.trustedRoot()).rejects.toThrow(refusal('instance_unusable', /no Mayfly instance/));
  });

  test.each([
    ['something else', 'hello'],
    ['another type', '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.2"}'],
    ['nothing to trust', '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'],
  ])('with %s is no trusted root', async (_, text) => {
    const instance = await instanceThat(() => new Response(text));
    await expect(instance.trustedRoot()).rejects.toThrow(
      refusal('trusted_root_malformed', /no trusted root/),
    );
  });

  test.each(['hello', '{}', '[]', 'null', '{"mediaType":"another","caUrls":4}'])(
    'of %s is no signing configuration and no configuration',
    async (text) => {
      const instance = await instanceThat(() => new Response(text));
      await expect(instance.signingConfig()).rejects.toThrow(refusal('instance_unusable', /cannot be read/));
      await expect(instance.issuers()).rejects.toThrow(refusal('instance_unusable', /which issuers/));
    },
  );

  test('that leads elsewhere is not followed', async () => {
    const instance = await instanceThat(() => Response.redirect('https://example.com/'));
    await expect(instance.trustedRoot()).rejects.toThrow(refusal('instance_unusable', /answered 302/));
  });

  test('without an end is given up', async () => {
    const instance = await instanceThat(() => new Response('x'.repeat(2 << 20)));
    await expect(instance.trustedRoot()).rejects.toThrow(refusal('instance_unreachable', /larger than/));
  });

  test('that does not come says which host and why', async () => {
    const instance = await instanceThat(() => new Response(''));
    for (const cleanup of cleanups.splice(0)) await cleanup();
    await expect(instance.trustedRoot()).rejects.toThrow(
      refusal(
        'instance_unreachable',
        /^127\.0\.0\.1:\d+ does not answer: ECONNREFUSED; name a running instance/,
      ),
    );
  });
});
