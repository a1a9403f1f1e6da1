// Whatever is sent to the HTTP door: never a 5xx, never an unhandled rejection (which vitest reports), and good requests
// are served all the same.

import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { KINDS } from '../contract/kinds.ts';
import { World } from '../contract/world.ts';
import { type Answer, send } from '../fakes/client.ts';
import { startConfigured } from '../fakes/instance.ts';
import { chainOf, issue, orderBody, orderMessage, request } from '../fakes/signing-client.ts';
import { signingRequest } from '../fakes/signing-request.ts';
import { ACCEPTED, pemOf, spkiOf } from '../vectors/key-pairs.ts';

const FULL = process.env['MAYFLY_TESTS_FULL'] !== undefined;
if (FULL) vi.setConfig({ testTimeout: 1_200_000 });

const runs = (count: number) => ({ numRuns: FULL ? count * 25 : count });

const PATHS = ['/api/v2/signingCert', '/api/v1/signingCert', '/api/v2/trustBundle', '/api/v2/configuration'];

/** Failed proofs are counted even where limits are off. */
const UNLIMITED = Object.fromEntries(
  [
    ...['certificates-per-identity', 'certificates-per-owner', 'certificates-per-issuer'],
    ...['failures-per-address', 'failed-proofs-per-identity'],
  ].map((name) => [name, { burst: 1_000_000, count: 1_000_000, period: '1h' }]),
);

const MARK = 'the part that is replaced';

let world: World;
beforeAll(async () => {
  world = await World.open((configuration) => startConfigured(configuration), {
    'rate-limits': { defaults: UNLIMITED },
  });
});
afterAll(() => world.close());

/** After all that, a good request is still served. */
afterEach(async () => {
  const { leaf } = await issue(world.url, { token: await world.token() });
  expect(leaf.names).toHaveLength(1);
});

/** A refusal of the API is a google.rpc.Status and nothing else. */
function expectAnswer(answer: Answer): void {
  expect([200, 201, 400, 413], answer.text).toContain(answer.status);
  if (answer.status < 300) return;
  expect(answer.json).toEqual({
    code: 3,
    message: expect.any(String),
    details: expect.any(Array),
  });
}

describe('any message', () => {
  const method = fc.oneof(
    fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'TRACE', 'QUERY', 'PURGE'),
    fc.constantFrom('M-SEARCH', 'PROPFIND', 'LINK', 'SOURCE'),
  );
  const path = fc.oneof(
    fc.constantFrom(...PATHS, '/healthz', '/readyz', '/', '*'),
    fc
      .array(
        fc.constantFrom(
          '/',
          'api',
          'v2',
          'signingCert',
          '%2f',
          '%00',
          '%ff',
          '%',
          '..',
          '?',
          '#',
          '\\',
          ';',
          '~',
        ),
      )
      .map((parts) => `/${parts.join('')}`),
    fc.webPath().map((text) => text || '/'),
  );
  const header = fc.tuple(
    fc.constantFrom(
      'origin',
      'content-type',
      'authorization',
      'accept',
      'cookie',
      'content-encoding',
      'host',
      'x-y',
      'expect',
      'range',
      'grpc-timeout',
      'access-control-request-method',
    ),
    fc.oneof(
      fc.stringMatching(/^[ -~]{0,40}$/),
      fc.constantFrom('100-continue', 'null', 'Bearer ', '1n', '[::1', 'a b', 'a/b', '\u00e9'),
    ),
  );

  test('with any method, path, headers and bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        method,
        path,
        fc.array(header, { maxLength: 4 }),
        fc.uint8Array({ maxLength: 400 }),
        async (verb, target, headers, bytes) => {
          const message = { method: verb, headers: Object.fromEntries(headers), body: bytes };
          const answer = await send(world.url, target, message).catch((error: unknown) => error);
          // Node's own parser may hang up on what is no HTTP.
          if (answer instanceof Error)
            expect(answer.message).toMatch(/hang up|ECONNRESET|Invalid|Parse|unescaped/i);
          else expect((answer as Answer).status).toBeLessThan(500);
        },
      ),
      runs(400),
    );
  });

  test('with any bytes for a message', async () => {
    const line = fc.constantFrom(
      'POST /api/v2/signingCert HTTP/1.1\r\n',
      'GET / HTTP/1.1\r\n',
      'GET / HTTP/9.9\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    );
    const field = fc.constantFrom(
      'Host: a\r\n',
      'Content-Length: 5\r\n',
      'Content-Length: -1\r\n',
      'Content-Length: 99999999999999999999\r\n',
      'Transfer-Encoding: chunked\r\n',
      'Transfer-Encoding: gzip\r\n',
      'Upgrade: websocket\r\nConnection: Upgrade\r\n',
      ': x\r\n',
      'x\r\n',
      'Expect: magic\r\n',
    );
    const rest = fc.constantFrom(
      '\r\n',
      '\r\nhello',
      '\r\n5\r\nhello\r\n0\r\n\r\n',
      '\r\nfffffffff\r\nx',
      '\r\nzz\r\n',
      '',
    );
    const message = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc
        .tuple(line, fc.array(field, { maxLength: 4 }), rest)
        .map(([a, b, c]) => Buffer.from(a + b.join('') + c, 'latin1')),
    );
    await fc.assert(
      fc.asyncProperty(message, async (bytes) => {
        for (const [status] of (await converse(bytes)).matchAll(/(?<=HTTP\/1\.1 )\d{3}/g))
          expect(Number(status)).toBeLessThan(500);
      }),
      runs(150),
    );
  });
});

/** Sends bytes on a connection, closes our half, and returns what comes until the other side closes or has answered. */
function converse(bytes: Uint8Array): Promise<string> {
  const { port, hostname } = new URL(world.url);
  return new Promise((resolve) => {
    let said = '';
    const socket = connect(Number(port), hostname, () => socket.end(bytes));
    socket.on('data', (chunk) => {
      said += chunk.toString('latin1');
    });
    socket.on('error', () => resolve(said));
    socket.on('close', () => resolve(said));
  });
}

describe('any JSON', () => {
  const value = fc.jsonValue({ maxDepth: 3 });
  const names = [
    'credentials',
    'oidcIdentityToken',
    'publicKeyRequest',
    'publicKey',
    'content',
    'algorithm',
    'proofOfPossession',
    'certificateSigningRequest',
    'signedEmailAddress',
    'public_key_request',
    'constructor',
    '__proto__',
  ];
  const shaped = fc.letrec<{ node: unknown }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      value,
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.dictionary(fc.constantFrom(...names), tie('node'), { maxKeys: 4 }),
    ),
  })).node;

  test('as a whole', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...PATHS.slice(0, 2)), shaped, async (path, body) => {
        expectAnswer(await send(world.url, path, { method: 'POST', body: JSON.stringify(body) }));
      }),
      runs(300),
    );
  });

  test('in the place of one part of a good request', async () => {
    const token = await world.token();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('v1', 'v2'),
        fc.constantFrom(...names),
        shaped,
        async (api, name, part) => {
          const order = { api, token } as const;
          const text = JSON.stringify(orderBody(order), (key, old) => (key === name ? MARK : old)).replace(
            JSON.stringify(MARK),
            () => JSON.stringify(part) ?? 'null',
          );
          expectAnswer(
            await send(world.url, `/api/${api}/signingCert`, { ...orderMessage(order), body: text }),
          );
        },
      ),
      runs(200),
    );
  });

  test('cut anywhere, or with a byte changed', async () => {
    const text = Buffer.from(JSON.stringify(orderBody({ token: await world.token() })));
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), fc.nat(255), fc.boolean(), async (at, byte, cut) => {
        const body = Buffer.from(cut ? text.subarray(0, at) : text);
        if (!cut) body[at] = byte;
        expectAnswer(await send(world.url, PATHS[0] ?? '', { method: 'POST', body }));
      }),
      runs(200),
    );
  });
});

describe('any token', () => {
  test('of any text', async () => {
    const part = fc.oneof(
      fc.base64String({ maxLength: 40 }),
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.jsonValue().map((one) => Buffer.from(JSON.stringify(one)).toString('base64url')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 6 }), async (parts) => {
        const answer = await request(world.url, { token: parts.join('.'), challenge: 'x' });
        expect(answer.status).toBe(400);
      }),
      runs(200),
    );
  });

  test('whose header and claims are any JSON, under a bad signature', async () => {
    const encode = (one: unknown): string => Buffer.from(JSON.stringify(one)).toString('base64url');
    const { url, keys } = world.issuer();
    const name = fc.constantFrom('alg', 'kid', 'typ', 'crit', 'jwk', 'x5c', 'b64');
    const claim = fc.constantFrom('iss', 'aud', 'exp', 'nbf', 'iat', 'sub', 'email', '_claim_names');
    const now = Math.floor(Date.now() / 1000);
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(name, fc.jsonValue()),
        fc.dictionary(claim, fc.jsonValue()),
        fc.base64String({ maxLength: 88 }),
        async (header, claims, signature) => {
          const usual = { iss: url, aud: 'sigstore', exp: now + 100 };
          const token = `${encode({ alg: 'RS256', kid: keys[0]?.kid, ...header })}.${encode({ ...usual, ...claims })}.${signature.replace(/[=+/]/g, '')}`;
          expect((await request(world.url, { token, challenge: 'x' })).status).toBe(400);
        },
      ),
      runs(300),
    );
  });

  test('that an issuer really signed, with any claims', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.string({ unit: 'grapheme', maxLength: 20 }),
      fc.constantFrom(
        '\ud800',
        '%zz',
        'a/../b',
        '://',
        'ü',
        '\u0000',
        'x'.repeat(300),
        'https://[::1',
        '{{ .x }}',
        'a@b.c',
        'spiffe://mesh.example.org/x',
      ),
    );
    const claim = fc.oneof(text, fc.jsonValue({ maxDepth: 2 }), fc.double(), fc.boolean());
    const kind = fc.constantFrom(...KINDS);
    await fc.assert(
      fc.asyncProperty(
        kind.chain((one) =>
          fc.tuple(
            fc.constant(one),
            fc.dictionary(fc.constantFrom(...Object.keys(one.claims), 'url'), claim, { maxKeys: 3 }),
          ),
        ),
        async ([{ title, claims: usual, challenge }, changed]) => {
          const claims = { ...usual, ...changed };
          const token = await world.issuer(title).sign(claims);
          const signed = challenge === undefined ? claims['sub'] : (claims as { email?: unknown }).email;
          const answer = await request(world.url, { token, challenge: String(signed) });
          expectAnswer(answer);
        },
      ),
      runs(300),
    );
  });
});

describe('any key', () => {
  const kinds = ACCEPTED.map(([kind]) => kind);

  test('that is a good one with bytes changed', async () => {
    const token = await world.token();
    const flips = fc.array(fc.tuple(fc.nat(5000), fc.nat(255)), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...kinds), flips, async (kind, changes) => {
        const publicKey = flipped(spkiOf(kind), changes);
        expectAnswer(await request(world.url, { api: 'v1', token, key: kind, publicKey }));
      }),
      runs(200),
    );
  });

  test('that is a good PEM text with characters changed', async () => {
    const token = await world.token();
    const flips = fc.array(fc.tuple(fc.nat(5000), fc.integer({ min: 1, max: 127 })), {
      minLength: 1,
      maxLength: 3,
    });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...kinds), flips, async (kind, changes) => {
        const publicKey = flipped(Buffer.from(pemOf(kind)), changes).toString();
        expectAnswer(await request(world.url, { token, key: kind, publicKey }));
      }),
      runs(150),
    );
  });

  test('that a changed request is for', async () => {
    const token = await world.token();
    const requests = new Map(kinds.map((kind) => [kind, derOf(signingRequest(kind))]));
    const flips = fc.array(fc.tuple(fc.nat(5000), fc.nat(255)), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...kinds), flips, async (kind, changes) => {
        const changed = flipped(requests.get(kind) ?? Buffer.of(), changes);
        const csr = `-----BEGIN CERTIFICATE REQUEST-----\n${changed.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
        expectAnswer(await request(world.url, { token, csr }));
      }),
      runs(200),
    );
  });

  test('of any bytes, with any proof', async () => {
    const token = await world.token();
    const bytes = fc.uint8Array({ maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(bytes, bytes, fc.constantFrom(...kinds, undefined), async (publicKey, proof, kind) => {
        const key = kind === undefined ? { publicKey } : { key: kind };
        const answer = await request(world.url, { api: 'v1', token, proof, ...key });
        expect(answer.status).toBe(400);
        expect(chainOf(answer)).toEqual([]);
      }),
      runs(200),
    );
  });
});

function flipped(bytes: Uint8Array, changes: readonly (readonly [number, number])[]): Buffer {
  const out = Buffer.from(bytes);
  for (const [at, byte] of changes) out[at % out.length] = byte;
  return out;
}

const derOf = (pem: string): Buffer => Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');

test('headers without end are refused by the server before anybody reads them', async () => {
  const long = { authorization: `Bearer ${'x'.repeat(40_000)}` };
  const answer = await send(world.url, PATHS[0] ?? '', { method: 'POST', headers: long, body: '{}' });
  expect(answer.status).toBe(431);
  const token = { authorization: `Bearer ${'x'.repeat(16_000)}` };
  expect((await send(world.url, PATHS[0] ?? '', { method: 'POST', headers: token, body: '{}' })).status).toBe(
    400,
  );
});
