// A log or a signer that fails: the client is told to come back, learns nothing of the inside, and pays nothing.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BucketKeys } from '../../src/admission/bucket-key.ts';
import { Limits } from '../../src/admission/limit.ts';
import { MemoryLimiter } from '../../src/admission/memory-limiter.ts';
import type { Authority } from '../../src/certificate/authority.ts';
import { compileProfile } from '../../src/certificate/profile.ts';
import { instantOf } from '../../src/clock.ts';
import { createApp, type Door } from '../../src/http/app.ts';
import { authorityReadiness, signerReadiness } from '../../src/http/health.ts';
import type { Line } from '../../src/issuance.ts';
import type { Log } from '../../src/log/log.ts';
import { type HttpServer, listen } from '../../src/node/listener/http-server.ts';
import { sha256 } from '../../src/node/system/native-digest.ts';
import { nativeRandom as random } from '../../src/node/system/native-random.ts';
import { type ErrorBody, expectRefusal } from '../contract/world.ts';
import { SCT_LIST } from '../fakes/certificate.ts';
import { type Answer, send } from '../fakes/client.ts';
import { type CtLog, startCtLog } from '../fakes/ct-log.ts';
import { startInstance } from '../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import { openLine, type TestLine } from '../fakes/line.ts';
import { LogRig } from '../fakes/log-rig.ts';
import { issuedBy, request } from '../fakes/signing-client.ts';

const LOG_MESSAGE = 'Error entering certificate in CTL';
const SIGNER_MESSAGE = 'error communicating with CA backend';

function expectUnavailable(answer: Answer, message: string, reason: string): void {
  expectRefusal(answer, { status: 503, code: 14, message, reason });
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  expect(answer.text).not.toMatch(/secret|ECONN|127\.0\.0\.1|EIO|ENOSPC|at .*\.ts/);
}

describe('a log elsewhere', () => {
  let people: FakeIssuer;
  let log: CtLog;
  beforeAll(async () => {
    people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
    log = await startCtLog();
  });
  afterAll(() => Promise.all([people.close(), log.close()]));

  const instance = (settings: object) =>
    startInstance({ issuers: [{ issuer: people, type: 'email' }], settings: { ...settings } });

  test.each(['garbage', 'forge', { status: 400 }, { status: 404 }, { status: 302 }] as const)(
    'that does this: %j',
    async (behaviour) => {
      const { url, close } = await instance({ log: { url: log.url, 'public-key': log.publicKey } });
      log.behaviour = behaviour;
      for (const api of ['v1', 'v2'] as const) {
        const answer = await request(url, { api, token: await people.sign() });
        expectUnavailable(answer, LOG_MESSAGE, 'LOG_UNAVAILABLE');
      }
      log.behaviour = 'serve';
      const { leaf } = issuedBy(await request(url, { token: await people.sign() }));
      expect(leaf.extensions.at(-1)?.id).toBe(SCT_LIST);
      await close();
    },
  );

  test('that fails costs the identity nothing', async () => {
    const { url, close } = await instance({
      log: log.url,
      'rate-limits': { defaults: { 'certificates-per-identity': { burst: 1, count: 1, period: '1h' } } },
    });
    log.behaviour = { status: 400 };
    for (const _ of [1, 2]) expect((await request(url, { token: await people.sign() })).status).toBe(503);
    log.behaviour = 'serve';
    expect((await request(url, { token: await people.sign() })).status).toBe(200);
    expect((await request(url, { token: await people.sign() })).status).toBe(429);
    await close();
  });

  test('that hangs, or cannot be reached, is waited for until its deadline and no longer', async () => {
    const [hanging, gone] = await Promise.all([startCtLog(), startCtLog()]);
    hanging.behaviour = 'hang';
    await gone.close();
    const instances = await Promise.all(
      [hanging, gone].map(({ url }) => instance({ log: { url, deadline: '1s' } })),
    );
    const answers = instances.map(async ({ url }) => request(url, { token: await people.sign() }));
    for (const answer of await Promise.all(answers))
      expectUnavailable(answer, LOG_MESSAGE, 'LOG_UNAVAILABLE');
    await hanging.close();
    await Promise.all(instances.map(({ close }) => close()));
  });
});

describe('a part of the instance', () => {
  const ISSUER = 'https://issuer.example.org';
  const NOW = Date.UTC(2026, 10, 24);
  let opened: TestLine;
  let server: HttpServer;
  let line: Line;
  let now = NOW;
  const bugs: unknown[] = [];

  beforeAll(async () => {
    opened = await openLine({ now: NOW, issuers: { [ISSUER]: { type: 'email' } } });
    const door: Door = {
      line: () => line,
      listings: () => [],
      clock: { now: () => instantOf(now) },
      errors: 'helpful',
      readiness: async () => [
        ...authorityReadiness(line.authority, instantOf(now)),
        ...(await signerReadiness(line.authority)),
      ],
      onBug: (cause) => bugs.push(cause),
    };
    server = await listen(createApp(door).fetch, '127.0.0.1', 0);
    line = opened.line;
  });
  afterEach(() => {
    line = opened.line;
    now = NOW;
    bugs.length = 0;
  });
  afterAll(async () => {
    await server.close();
    await opened.log.close();
  });

  const url = (): string => `http://127.0.0.1:${server.port}`;
  const ask = async (): Promise<Answer> => {
    const claims = { email: 'dana@example.org', email_verified: true, exp: Math.floor(now / 1000) + 60 };
    return request(url(), { token: await opened.token(ISSUER, claims) });
  };

  /** Fails at the given signatures, counted from the first. */
  const signingWith = (failing: (count: number) => boolean): void => {
    let count = 0;
    const { signer } = opened.authority;
    const authority: Authority = {
      ...opened.authority,
      signer: {
        ...signer,
        sign: (message) => {
          count += 1;
          if (failing(count)) throw new Error('a secret of the HSM');
          return signer.sign(message);
        },
      },
    };
    line = { ...opened.line, authority, profile: compileProfile(authority) };
  };

  test.each([
    ['the precertificate', (count: number) => count === 1],
    ['the certificate, when the log has its entry already', (count: number) => count === 2],
    ['anything', () => true],
  ])('a signer that cannot sign %s', async (_, failing) => {
    signingWith(failing);
    const limits = new Limits({ 'certificates-per-identity': { burst: 1, count: 1, periodMs: 3_600_000 } });
    const keys = new BucketKeys(sha256);
    const admitter = { limiter: new MemoryLimiter(), limits, keys, replay: new Map(), random };
    line = { ...line, admitter };
    expectUnavailable(await ask(), SIGNER_MESSAGE, 'SIGNER_UNAVAILABLE');
    line = { ...opened.line, admitter };
    expect((await ask()).status).toBe(200); // what was spent has been given back
    expect((await ask()).status).toBe(429);
    expect(bugs).toEqual([]);
  });

  test('a signer that cannot sign makes the instance unready, and tells no more', async () => {
    signingWith(() => true);
    const answer = await send(url(), '/readyz');
    expect(answer.status).toBe(503);
    expect(answer.json).toEqual({
      status: 'NOT_READY',
      reasons: [{ component: 'signer', reason: 'the signing key cannot be used' }],
    });
    expect((await send(url(), '/healthz')).status).toBe(200);
  });

  test('an authority that will have expired before the leaf does', async () => {
    now = opened.authority.notAfter - 599_000;
    expectUnavailable(await ask(), SIGNER_MESSAGE, 'SIGNER_UNAVAILABLE');
    const { status, json } = await send(url(), '/readyz');
    expect(status).toBe(503);
    expect(json).toMatchObject({ reasons: [{ component: 'authority' }] });
    now = opened.authority.notAfter - 86_400_000;
    expect((await ask()).status).toBe(200);
    expect((await send(url(), '/readyz')).status).toBe(503); // a day's notice
    now = opened.authority.notAfter - 2 * 86_400_000;
    expect((await send(url(), '/readyz')).status).toBe(200);
  });

  test('the disk under the log', async () => {
    const rig = new LogRig();
    const log = await rig.open();
    line = { ...opened.line, log: log.log };
    expect((await ask()).status).toBe(200);
    rig.disk.fault = () => 'before';
    for (let i = 0; i < 3; i++) expectUnavailable(await ask(), LOG_MESSAGE, 'LOG_UNAVAILABLE');
    expect(log.ready).toBe(false);
    rig.disk.fault = () => undefined;
    rig.timers.runDue();
    for (let i = 0; i < 10_000 && !log.ready; i++) await Promise.resolve();
    expect((await ask()).status).toBe(200);
    await log.close();
  });

  test('a log that closes is a server that shuts down', async () => {
    const rig = new LogRig();
    const log = await rig.open();
    await log.close();
    line = { ...opened.line, log: log.log };
    expectUnavailable(await ask(), 'The server is shutting down', 'DRAINING');
  });

  test('a fault that nobody thought of is 500, with none of its text, and is reported', async () => {
    const broken: Log = { append: () => Promise.reject(new TypeError('a secret of the program')) };
    line = { ...opened.line, log: broken };
    const answer = await ask();
    expect(answer.status).toBe(500);
    expect(answer.json).toMatchObject({ code: 13, message: 'internal error' });
    expect((answer.json as ErrorBody).details[0]?.reason).toBe('INTERNAL');
    expect(answer.text).not.toContain('secret');
    expect(bugs).toEqual([expect.objectContaining({ message: 'a secret of the program' })]);
  });
});
