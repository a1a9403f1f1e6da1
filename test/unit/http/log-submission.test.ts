import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bytes, base64, hex } from '../../../src/encoding/bytes.ts';
import { logRoutes } from '../../../src/http/log.ts';
import { submissionRoutes } from '../../../src/http/log-submission.ts';
import { parsePublicKey } from '../../../src/key/public-key.ts';
import type { OpenLog } from '../../../src/log/open-log.ts';
import { readSct } from '../../../src/log/remote.ts';
import { verifySct } from '../../../src/log/sct.ts';
import { Intake } from '../../../src/log/submission.ts';
import { nativeVerifier as verifier } from '../../../src/node/system/native-verifier.ts';
import type { Problem } from '../../../src/problem.ts';
import { hierarchy, precertificate } from '../log/precertificates.ts';
import { openLog, p256Signer, sha256, temporaryFolder } from '../log/support.ts';

const signer = p256Signer();
const ca = hierarchy();
const intake = new Intake({ sha256, verifier, authorities: [ca.root.der] });
const TOKENS = ['first-token-of-the-log', 'second-token-of-the-log'];
const ends: (string | undefined)[] = [];
const bugs: unknown[] = [];
let log: OpenLog;

beforeAll(async () => {
  log = await openLog({ folder: temporaryFolder(), signer });
});
afterAll(() => log.close());

function appWith(bearers: readonly string[]): Hono {
  const door = {
    log: log.log,
    intake,
    bearers,
    sha256,
    errors: 'helpful',
    onSubmission: (failure: Problem | undefined) => ends.push(failure?.code),
    onBug: (cause: unknown) => bugs.push(cause),
  } as const;
  const reads = {
    reader: log.reader,
    prefix: () => '',
    roots: () => intake.authorities,
    errors: 'helpful',
  } as const;
  return new Hono().route('/log', submissionRoutes(door)).route('/log', logRoutes(reads));
}

const bodyOf = (chain: readonly Bytes[]): string => JSON.stringify({ chain: chain.map(base64) });
const chain = [precertificate(ca.issuing).der, ...ca.chain];

async function post(
  body: string,
  headers: Record<string, string> = {},
  bearers: readonly string[] = [],
): Promise<Response> {
  const init = { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } };
  return appWith(bearers).request('/log/ct/v1/add-pre-chain', init);
}

describe('add-pre-chain', () => {
  it('answers with an SCT that the log keeps', async () => {
    const response = await post(bodyOf(chain));
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('cache-control')).toBe('no-store');
    const text = await response.text();
    expect(Object.keys(JSON.parse(text))).toEqual([
      'sct_version',
      'id',
      'timestamp',
      'extensions',
      'signature',
    ]);
    const sct = readSct(Buffer.from(text));
    const entry = await intake.accept(chain);
    expect(sct && (await verifySct(verifier, sha256, parsePublicKey(signer.publicKey), entry, sct))).toBe(
      true,
    );
    await log.publish();
    const [stored] = await log.reader.entries(0, 1);
    expect(stored && hex(stored.tbs)).toBe(hex(entry.tbs));
    expect(stored && hex(stored.precertificate)).toBe(hex(chain[0] ?? Buffer.of()));
    expect(stored?.chain.map((fingerprint) => hex(fingerprint))).toEqual(
      ca.chain.map((der) => hex(sha256(der))),
    );
    expect(ends.at(-1)).toBeUndefined();
  });

  it.each<[string, string, string]>([
    ['no JSON', '{', 'the body is not JSON'],
    ['a list', '[]', 'the body has no list "chain"'],
    ['null', 'null', 'the body has no list "chain"'],
    ['no chain', '{}', 'the body has no list "chain"'],
    ['an empty chain', '{"chain": []}', 'the body has no list "chain"'],
    ['numbers', '{"chain": [1]}', 'is not base64'],
    ['no base64', '{"chain": ["*"]}', 'is not base64'],
    ['nothing in base64', '{"chain": [""]}', 'is not base64'],
  ])('refuses %s', async (_, body, message) => {
    const response = await post(body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 3, message: expect.stringContaining(message) });
    expect(ends.at(-1)).toBe('request_malformed');
  });

  it('refuses a chain of another CA, and says why', async () => {
    const stranger = hierarchy();
    const response = await post(bodyOf([precertificate(stranger.issuing).der, ...stranger.chain]));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      code: 3,
      message: expect.stringContaining('does not lead to a CA'),
      details: [{ reason: 'SUBMISSION_REFUSED' }],
    });
  });

  it('refuses a body above 512 KiB, and takes one below', async () => {
    const filled = (size: number): string => {
      const body = bodyOf(chain);
      return body.slice(0, -1) + ' '.repeat(size - body.length) + body.slice(-1);
    };
    expect((await post(filled(512 * 1024 + 1))).status).toBe(413);
    expect((await post(filled(512 * 1024))).status).toBe(200);
  });

  it('is asked with POST', async () => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const response = await appWith([]).request('/log/ct/v1/add-pre-chain', { method });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
    }
  });

  it('stands beside reads, and beside no add-chain', async () => {
    const app = appWith([]);
    expect((await app.request('/log/checkpoint')).status).toBe(200);
    const roots = await (await app.request('/log/ct/v1/get-roots')).json();
    expect(roots).toEqual({ certificates: [base64(ca.root.der)] });
    for (const method of ['GET', 'POST'])
      expect([404, 405]).toContain((await app.request('/log/ct/v1/add-chain', { method })).status);
  });
});

describe('with bearer tokens', () => {
  it.each([...TOKENS.map((token) => `Bearer ${token}`), `bearer ${TOKENS[0]}`])(
    '%s opens',
    async (authorization) => {
      expect((await post(bodyOf(chain), { authorization }, TOKENS)).status).toBe(200);
    },
  );

  it.each([
    undefined,
    'Bearer ',
    'Bearer',
    `Basic ${TOKENS[0]}`,
    TOKENS[0],
    'Bearer first-token-of-the-lo',
    'Bearer first-token-of-the-logg',
    'Bearer FIRST-TOKEN-OF-THE-LOG',
    `Bearer ${TOKENS.join(' ')}`,
  ])('%s does not', async (authorization) => {
    const response = await post(bodyOf(chain), authorization === undefined ? {} : { authorization }, TOKENS);
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ code: 16, details: [{ reason: 'SUBMITTER_UNKNOWN' }] });
    expect(text).not.toContain('token-of-the-lo');
    expect(ends.at(-1)).toBe('submitter_unknown');
  });

  it('reads need none', async () => {
    expect((await appWith(TOKENS).request('/log/ct/v1/get-sth')).status).toBe(200);
  });
});

it('nothing of all that was a bug', () => {
  expect(bugs).toEqual([]);
});
