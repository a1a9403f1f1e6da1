import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { parseSettings, type Settings } from '../../../src/config/settings.ts';
import { type Service, startService } from '../../../src/node/service.ts';
import { restartNeeded } from '../../../src/node/settings/reload.ts';
import { type Answer, send } from '../../fakes/client.ts';
import { entryOf, KINDS } from '../../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { type RunningServer, run, serve } from '../../fakes/process.ts';
import { overHttp1 } from '../../fakes/secure-client.ts';
import { orderMessage, request } from '../../fakes/signing-client.ts';
import { newTlsAuthority, type TlsIdentity } from '../../fakes/tls.ts';

let first: FakeIssuer;
let second: FakeIssuer;
const claims = { email: 'dana@example.org', email_verified: true };

beforeAll(async () => {
  first = await startIssuer({ claims });
  second = await first.sibling('/second', { claims });
});
afterAll(() => first.close());

const entries = (...issuers: FakeIssuer[]) => issuers.map((issuer) => entryOf({ issuer, type: 'email' }));
const reasonOf = (answer: Answer): unknown =>
  answer.status === 200 ? 'issued' : (/"reason":"(\w+)"/.exec(answer.text)?.[1] ?? answer.status);

describe('in the process', () => {
  let service: Service;
  let log: string;

  const settingsOf = (file: object): Settings => ({
    ...parseSettings(stringify({ log: 'none', ...file }), { fileName: 'the test', kinds: KINDS }).settings,
    port: 0,
    grpcPort: 0,
    metricsPort: 0,
  });
  const started = async (file: object): Promise<void> => {
    log = '';
    const logger = pino(
      {},
      {
        write: (line: string) => {
          log += line;
        },
      },
    );
    service = await startService({ settings: settingsOf(file), kind: 'serve', ephemeral: true, logger });
  };
  const reload = (file: object, more: Partial<Settings> = {}): boolean =>
    service.reload(() => ({ settings: { ...settingsOf(file), ...more }, warnings: [] }), 'signal');
  const ask = async (issuer: FakeIssuer, token?: string): Promise<Answer> =>
    request(service.url, { token: token ?? (await issuer.sign()) });
  const metric = async (name: string): Promise<string | undefined> => {
    const { text } = await send(new URL(service.metricsUrl).origin, '/metrics');
    return new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1];
  };
  afterEach(() => service.close());

  test('issuers, policies, errors and listings are others from the next request on', async () => {
    await started({ issuers: entries(first) });
    expect([reasonOf(await ask(first)), reasonOf(await ask(second))]).toEqual(['issued', 'ISSUER_UNKNOWN']);
    const strict = { ...entries(second)[0], policy: { require: { sub: ['nobody'] } } };
    expect(reload({ issuers: [strict] })).toBe(true);
    expect(reasonOf(await ask(second))).toBe('POLICY_DENIED');
    expect((await ask(first)).text).toContain('byte for byte'); // the hint
    expect(reload({ errors: 'terse', issuers: [strict] })).toBe(true);
    const refused = await ask(first);
    expect(refused.json).toMatchObject({
      code: 3,
      message: 'There was an error processing the identity token',
    });
    expect(refused.text).not.toContain('byte for byte');
    const { json } = await send(service.url, '/api/v2/configuration');
    expect(json).toMatchObject({ issuers: [{ issuerUrl: second.url }] });
    const trust = await send(service.url, '/.well-known/mayfly/signing_config.json');
    expect(trust.text).toContain(second.url);
    expect(log).toContain('read again and in force');
  });

  test('a request that has begun ends under what it began with', async () => {
    const slow = await first.sibling('/w/slow', { claims });
    const wildcard = {
      'issuer-url': new URL('/w/*', first.url).href,
      audiences: ['sigstore'],
      type: 'email',
    };
    await started({ issuers: [wildcard] }); // its keys are fetched for a token, not before
    const release = slow.hold();
    const answer = ask(slow);
    await vi.waitFor(() => expect(slow.fetches).toBe(1));
    reload({ issuers: entries(first) });
    expect(reasonOf(await ask(slow, await slow.sign()))).toBe('ISSUER_UNKNOWN');
    release();
    expect((await answer).status).toBe(200);
  });

  test('keys of an issuer that stays are not fetched again', async () => {
    const kept = await first.sibling('/kept', { claims });
    await started({ issuers: entries(kept) });
    await ask(kept);
    const { fetches } = kept;
    reload({ issuers: [...entries(kept), ...entries(first)] });
    expect((await ask(kept)).status).toBe(200);
    expect(kept.fetches).toBe(fetches);
  });

  test('rates are others, and what was spent stays spent', async () => {
    const limited = (burst: number) => ({
      issuers: entries(first),
      'rate-limits': { defaults: { 'certificates-per-identity': { burst, count: 1, period: '1h' } } },
    });
    await started(limited(2));
    const spend = async () => (await ask(first)).status;
    expect([await spend(), await spend(), await spend()]).toEqual([200, 200, 429]);
    reload(limited(3));
    expect([await spend(), await spend()]).toEqual([200, 429]);
    reload({ issuers: entries(first), 'rate-limits': 'off' });
    expect(await spend()).toBe(200);
    reload(limited(3));
    expect(await spend()).toBe(429);
  });

  test('a file with mistakes changes nothing, and shows in log and metrics', async () => {
    await started({ issuers: entries(first) });
    expect(await metric('mayfly_config_last_reload_success')).toBe('1');
    const since = await metric('mayfly_config_last_reload_timestamp_seconds');
    expect(Math.abs(Number(since) - Date.now() / 1000)).toBeLessThan(300);
    expect(reload({ issuers: [{ ...entries(second)[0], typo: 1 }] })).toBe(false);
    expect(reasonOf(await ask(first))).toBe('issued');
    expect(await metric('mayfly_config_last_reload_success')).toBe('0');
    expect(await metric('mayfly_config_last_reload_timestamp_seconds')).toBe(since);
    expect(log).toMatch(/"level":50.*issuers\[0\]/);
    expect(reload({ issuers: entries(first) })).toBe(true);
    expect(await metric('mayfly_config_last_reload_success')).toBe('1');
  });

  test('says what only a restart changes', async () => {
    await started({ issuers: entries(first) });
    reload({ issuers: entries(first), host: '::1', 'drain-delay': '3s' });
    expect(log).toMatch(/"settings":\["host","drain-delay"\].*restart/);
    const running = settingsOf({});
    const store = { limits: { ...running.limits, onBackendError: 'closed' } } as const;
    expect(restartNeeded(running, { ...running, ...store, errors: 'terse', frozen: new Set(['x']) })).toEqual(
      ['rate-limits'],
    );
    // Limits that come while it runs are counted in memory, whatever store they name.
    const off = settingsOf({ 'rate-limits': 'off' });
    expect(restartNeeded(off, running)).toEqual([]);
    expect(restartNeeded(off, { ...off, ...store })).toEqual(['rate-limits']);
    expect(restartNeeded(running, off)).toEqual([]);
    expect(restartNeeded(running, { ...running, ca: { chain: 'a', key: 'b' } })).toEqual(['ca']);
  });

  test('a frozen issuer gets nothing, is not advertised, and comes back', async () => {
    const file = { issuers: [{ ...entries(first)[0], name: 'one' }, ...entries(second)] };
    await started(file);
    for (const name of ['one', first.url]) {
      reload(file, { frozen: new Set([name]) });
      const answer = await ask(first);
      expect(reasonOf(answer)).toBe('POLICY_DENIED');
      expect(answer.text).toContain('the operator has stopped certificates for this issuer');
      expect(reasonOf(await ask(second))).toBe('issued');
      const { json } = await send(service.url, '/api/v2/configuration');
      expect(json).toMatchObject({ issuers: [{ issuerUrl: second.url }] });
    }
    reload(file);
    expect(reasonOf(await ask(first))).toBe('issued');
  });

  test('one tenant of a wildcard can be frozen alone', async () => {
    const [good, bad] = [
      await first.sibling('/t/good', { claims }),
      await first.sibling('/t/bad', { claims }),
    ];
    const wildcard = {
      'issuer-url': new URL('/t/*', first.url).href,
      audiences: ['sigstore'],
      type: 'email',
    };
    await started({ issuers: [wildcard] });
    reload({ issuers: [wildcard] }, { frozen: new Set([bad.url]) });
    expect([reasonOf(await ask(good)), reasonOf(await ask(bad))]).toEqual(['issued', 'POLICY_DENIED']);
  });
});

describe('mayfly serve', () => {
  let folder: string;
  let server: RunningServer;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mayfly-reload-'));
  });
  afterEach(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  const textOf = (...issuers: FakeIssuer[]): string =>
    stringify({ log: 'none', issuers: entries(...issuers) });
  const statusOf = async (issuer: FakeIssuer): Promise<unknown> =>
    reasonOf(await request(server.url, { token: await issuer.sign() }));
  const becomes = (issuer: FakeIssuer, reason: string): Promise<void> =>
    vi.waitFor(async () => expect(await statusOf(issuer)).toBe(reason), { timeout: 20_000, interval: 20 });

  test('sees a file that was written in place, replaced, or broken for a while', async () => {
    const config = join(folder, 'mayfly.yaml');
    writeFileSync(config, textOf(first));
    server = await serve(['--ephemeral', '--config', config]);
    writeFileSync(config, textOf(second));
    await becomes(second, 'issued');
    expect(await statusOf(first)).toBe('ISSUER_UNKNOWN');
    writeFileSync(config, 'issuers: 7\n');
    await server.saying(/stays in force/);
    expect(await statusOf(second)).toBe('issued');
    writeFileSync(join(folder, 'new'), textOf(first));
    renameSync(join(folder, 'new'), config);
    await becomes(first, 'issued');
  });

  test("follows a Kubernetes volume's swap of ..data", async () => {
    const volume = join(folder, 'volume');
    const mount = (version: string, text: string): void => {
      mkdirSync(join(volume, version), { recursive: true });
      writeFileSync(join(volume, version, 'mayfly.yaml'), text);
      symlinkSync(version, join(volume, '..data_tmp'));
      renameSync(join(volume, '..data_tmp'), join(volume, '..data'));
    };
    mount('..2026_01', textOf(first));
    symlinkSync(join('..data', 'mayfly.yaml'), join(volume, 'mayfly.yaml'));
    server = await serve(['--ephemeral', '--config', join(volume, 'mayfly.yaml')]);
    for (const [version, issuer] of [
      ['..2026_02', second],
      ['..2026_03', first],
    ] as const) {
      mount(version, textOf(issuer));
      await becomes(issuer, 'issued');
    }
  });

  test('an empty file, as a full disk leaves it, takes no issuer away', async () => {
    const config = join(folder, 'mayfly.yaml');
    writeFileSync(config, textOf(first));
    server = await serve(['--ephemeral', '--config', config]);
    writeFileSync(config, '\n');
    await server.saying(/is empty.*the one before stays in force/);
    expect(await statusOf(first)).toBe('issued');
    writeFileSync(config, 'log: none\nissuers: []\n');
    await server.saying(/trusts no issuer any more/);
    expect(await statusOf(first)).toBe('ISSUER_UNKNOWN');
    writeFileSync(config, '');
    expect(await run(['config', 'check', config])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('is empty'),
    });
  });

  test('sees the files that the configuration names', async () => {
    const keys = join(folder, 'keys.json');
    const away = await first.sibling('/away', { claims });
    const other = await first.sibling('/other', { claims });
    const config = join(folder, 'mayfly.yaml');
    writeFileSync(keys, JSON.stringify({ keys: other.published }));
    const [entry] = entries(away);
    writeFileSync(config, stringify({ log: 'none', issuers: [{ ...entry, jwks: { file: keys } }] }));
    server = await serve(['--ephemeral', '--config', config]);
    expect(await statusOf(away)).not.toBe('issued');
    writeFileSync(keys, JSON.stringify({ keys: away.published }));
    await becomes(away, 'issued');
  });

  test('reads again on SIGHUP, also what did not change', async () => {
    const config = join(folder, 'mayfly.yaml');
    writeFileSync(config, textOf(first));
    server = await serve(['--ephemeral', '--config', config]);
    server.child.kill('SIGHUP');
    await server.saying(/"cause":"signal".*in force/);
    expect(await statusOf(first)).toBe('issued');
  });

  test('takes up issuers, limits and TLS on SIGHUP, before the watch has seen anything', async () => {
    const config = join(folder, 'mayfly.yaml');
    const authority = await newTlsAuthority();
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    const write = ({ cert: shown, key: secret }: TlsIdentity, issuer: FakeIssuer, burst: number): void => {
      writeFileSync(cert, shown);
      writeFileSync(key, secret);
      const rate = { burst, count: 1, period: '1h' };
      const limits = { defaults: { 'certificates-per-identity': rate } };
      const tls = { certificate: cert, key };
      writeFileSync(config, stringify({ log: 'none', issuers: entries(issuer), tls, 'rate-limits': limits }));
    };
    const [before, after] = [await authority.issue(), await authority.issue()];
    write(before, first, 100);
    server = await serve(['--ephemeral', '--config', config]);
    const client = () => overHttp1(server.url, { ca: authority.cert });
    const old = client();
    expect((await old.send('/healthz')).status).toBe(200);
    write(after, second, 1);
    server.child.kill('SIGHUP');
    await server.saying(/"cause":"signal".*in force/);
    expect(server.output.stderr).not.toContain('"cause":"file"');
    const renewed = client();
    const sign = async (issuer: FakeIssuer) =>
      (await renewed.send('/api/v2/signingCert', orderMessage({ token: await issuer.sign() }))).status;
    expect([await sign(first), await sign(second), await sign(second)]).toEqual([400, 200, 429]);
    const fingerprints = [old, renewed].map((one) => one.fingerprint());
    expect(fingerprints).toEqual([before, after].map((one) => new X509Certificate(one.cert).fingerprint256));
    for (const one of [old, renewed]) one.close();
  });

  test('mayfly issuer freeze stops an issuer at once, over restarts, until unfreeze', async () => {
    const config = join(folder, 'mayfly.yaml');
    const issuers = [{ ...entries(first)[0], name: 'one' }, ...entries(second)];
    writeFileSync(config, stringify({ log: 'none', issuers }));
    const where = ['--config', config, '--data', join(folder, 'data')];
    server = await serve(where);
    const freeze = await run(['issuer', 'freeze', 'one', '--reason', 'leaked', ...where]);
    expect([freeze.code, freeze.stdout]).toEqual([0, expect.stringContaining('one')]);
    await becomes(first, 'POLICY_DENIED');
    expect(await statusOf(second)).toBe('issued');
    writeFileSync(config, 'issuers: 7\n'); // while somebody has broken the file
    await server.saying(/stays in force/);
    expect((await run(['issuer', 'freeze', second.url, '--config', config])).code).toBe(2);
    const blind = await run(['issuer', 'freeze', second.url, ...where]);
    expect([blind.code, blind.stdout]).toEqual([0, expect.stringContaining('has mistakes')]);
    await becomes(second, 'POLICY_DENIED');
    writeFileSync(config, stringify({ log: 'none', issuers }));
    expect((await run(['issuer', 'unfreeze', second.url, ...where])).code).toBe(0);
    await becomes(second, 'issued');
    await server.stop();
    server = await serve(where);
    expect(await statusOf(first)).toBe('POLICY_DENIED');
    expect((await run(['issuer', 'unfreeze', 'one', ...where])).code).toBe(0);
    await becomes(first, 'issued');
  });
});
