// The library: routes carried by another server, with what they keep in a folder, and whole instances for tests.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Hono } from 'hono';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createMayfly, SettingsError, startInstance } from '../../../src/node/library.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { run } from '../../fakes/process.ts';
import { orderBody } from '../../fakes/signing-client.ts';

const URL = 'https://ca.example.com';

const folder = mkdtempSync(join(tmpdir(), 'mayfly-library-'));
let issuer: FakeIssuer;
beforeAll(async () => {
  issuer = await startIssuer();
});
afterAll(async () => {
  await issuer.close();
  rmSync(folder, { recursive: true, force: true });
});

const configuration = () => ({
  issuers: [{ name: 'test', 'issuer-url': issuer.url, audiences: ['sigstore'], type: 'email' }],
});

async function post(carrier: { fetch(request: Request): Response | Promise<Response> }): Promise<Response> {
  const token = await issuer.sign({ email: 'a@example.com', email_verified: true });
  return carrier.fetch(
    new Request(`${URL}/api/v2/signingCert`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(orderBody({ token })),
    }),
  );
}

async function json(
  carrier: { fetch(request: Request): Response | Promise<Response> },
  path: string,
): Promise<unknown> {
  return (await carrier.fetch(new Request(URL + path))).json();
}

describe('createMayfly', () => {
  test('answers as itself and below another app, by the address that it was told', async () => {
    await using mayfly = await createMayfly({ url: `${URL}/`, configuration: configuration() });
    const host = new Hono();
    host.get('/about', (c) => c.text('about'));
    host.route('/', mayfly.app);
    for (const carrier of [mayfly, mayfly.app, host]) {
      expect((await post(carrier)).status).toBe(200);
      expect(await json(carrier, '/.well-known/mayfly/signing_config.json')).toMatchObject({
        caUrls: [{ url: URL }],
        tsaUrls: [{ url: `${URL}/api/v1/timestamp` }],
      });
    }
    expect(await json(mayfly, '/.well-known/mayfly/log.json')).toMatchObject({
      origin: 'ca.example.com/log',
    });
    expect(await mayfly.metrics()).toContain('fulcio_new_certs 3');
  });

  test('takes the text of a file, and trusts nobody without one', async () => {
    await using trusting = await createMayfly({ url: URL, configuration: JSON.stringify(configuration()) });
    await using lonely = await createMayfly({ url: URL });
    expect((await post(trusting)).status).toBe(200);
    expect((await post(lonely)).status).toBe(400);
  });

  test('keeps authority and log in its folder', async () => {
    const options = { url: URL, configuration: configuration(), data: join(folder, 'data') };
    const use = async (): Promise<unknown> => {
      await using mayfly = await createMayfly(options);
      expect((await post(mayfly)).status).toBe(200);
      return json(mayfly, '/api/v2/trustBundle');
    };
    expect(await use()).toEqual(await use());
    await using mayfly = await createMayfly(options);
    const checkpoint = await (await mayfly.fetch(new Request(`${URL}/log/checkpoint`))).text();
    expect(checkpoint.split('\n').slice(0, 2)).toEqual(['ca.example.com/log', '2']);
  });

  test('takes up keys that are made beside it while it serves, and is told of nothing once it is closed', async () => {
    const data = join(folder, 'rotated');
    const lines: string[] = [];
    const logger = pino({}, { write: (line: string) => void lines.push(line) });
    const mayfly = await createMayfly({ url: URL, configuration: configuration(), data, logger });
    const chains = async (): Promise<number> => {
      const { chains: known } = (await json(mayfly, '/api/v2/trustBundle')) as { chains: unknown[] };
      return known.length;
    };
    const origins = async (): Promise<string> =>
      JSON.stringify(await json(mayfly, '/.well-known/mayfly/log.json'));
    const command = async (...words: readonly string[]): Promise<void> => {
      const { code, stderr } = await run([...words, '--data', data]);
      expect([words, code, stderr]).toEqual([words, 0, expect.anything()]);
    };
    expect([await chains(), (await post(mayfly)).status]).toEqual([1, 200]);
    await command('ca', 'rotate');
    await vi.waitFor(async () => expect(await chains()).toBe(2), 20_000);
    await command('ca', 'rotate', '--activate');
    await vi.waitFor(() => expect(lines.join('')).toContain('"ca":"ca-2"'), 20_000);
    await command('log', 'rotate');
    await command('log', 'rotate', '--activate');
    await vi.waitFor(async () => expect(await origins()).toContain('ca.example.com/log/2'), 20_000);
    expect((await post(mayfly)).status).toBe(200);
    await mayfly.close();
    const said = lines.length;
    await command('ca', 'rotate');
    expect(lines.length).toBe(said);
  }, 90_000);

  test.each(['ca.example.com', 'https://ca.example.com/path', 'ftp://ca.example.com'])(
    '%s is no address',
    async (url) => {
      await expect(createMayfly({ url })).rejects.toThrow(/root of a host/);
    },
  );

  test('tells every mistake of a configuration', async () => {
    const wrong = { isuers: [], nonsense: 1 };
    const failure = await createMayfly({ url: URL, configuration: wrong }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SettingsError);
    expect(String(failure)).toMatch(/isuers: .*\n.*nonsense: /);
  });
});

describe('startInstance', () => {
  test('has one issuer in front and all of them behind', async () => {
    await using instance = await startInstance({ shape: 'github', configuration: configuration() });
    expect(instance.issuer).toBe(instance.issuers.github.url);
    const listed = await (await fetch(`${instance.url}/api/v2/configuration`)).text();
    for (const { url } of [issuer, ...Object.values(instance.issuers)]) expect(listed).toContain(`"${url}"`);
    expect((await fetch(`${instance.logUrl}checkpoint`)).status).toBe(200);
    expect(instance.trustedRoot).toEqual(
      await (await fetch(`${instance.url}/.well-known/mayfly/trusted_root.json`)).json(),
    );
  });

  test('is gone when it is closed', async () => {
    const instance = await startInstance();
    await instance.close();
    await expect(fetch(`${instance.url}/healthz`)).rejects.toThrow();
    await expect(fetch(`${instance.issuer}/keys`)).rejects.toThrow();
  });

  test('leaves nothing open when it cannot start', async () => {
    await expect(startInstance({ configuration: { isuers: [] } })).rejects.toThrow(SettingsError);
  });
});
