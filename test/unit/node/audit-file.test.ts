// The audit lines of a whole instance, and what happens when they cannot be written.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { AuditLog, type Sink } from '../../../src/node/signals/audit-file.ts';
import { Problem } from '../../../src/problem.ts';
import { startInstance } from '../../fakes/instance.ts';
import { startIssuer } from '../../fakes/issuer.ts';
import { request, spkiOf } from '../../fakes/signing-client.ts';

const stack: (() => unknown)[] = [];
let file: string;
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'mayfly-audit-'));
  stack.push(() => rmSync(folder, { recursive: true }));
  file = join(folder, 'audit.jsonl');
});
afterEach(async () => {
  for (const close of stack.splice(0).reverse()) await close();
});

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
const lines = () => {
  const text = readFileSync(file, 'utf8');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
};

async function world(settings: object) {
  const issuer = await startIssuer({ claims: { email: 'a@example.com', email_verified: true, team: 'red' } });
  stack.push(() => issuer.close());
  const instance = await startInstance({
    issuers: [{ issuer, type: 'email', name: 'people' }],
    settings: { ...settings },
  });
  stack.push(() => instance.close());
  return { issuer, instance };
}

describe('audit lines', () => {
  it('say of a certificate whose it is, for which token and key, and where it is logged', async () => {
    const { issuer, instance } = await world({ audit: { file, required: true, claims: ['team', 'absent'] } });
    const token = await issuer.sign();
    const headers = {
      'x-request-id': 'req-7',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    };
    const { leaf } = await instance.issue({ token, headers });
    expect(lines()).toEqual([
      {
        time: expect.stringMatching(/^\d{4}-.*Z$/),
        audit: true,
        event: 'issued',
        request_id: 'req-7',
        trace_id: '0af7651916cd43dd8448eb211c80319c',
        address: '127.0.0.1',
        issuer: 'people',
        iss: issuer.url,
        sub: 'subject',
        san: 'a@example.com',
        claims: { team: 'red' },
        token_sha256: sha256(token.slice(0, token.lastIndexOf('.'))),
        key_algorithm: 'ECDSA P-256',
        key_sha256: sha256(Buffer.from(spkiOf('P-256'))),
        serial: leaf.serial,
        log_index: 0,
      },
    ]);
  });

  it.each([
    ['P-384', 'ECDSA P-384'],
    ['Ed25519', 'Ed25519'],
    ['RSA-3072', 'RSA 3072'],
  ] as const)('name the algorithm of a key: %s', async (key, algorithm) => {
    const { issuer, instance } = await world({ audit: { file, required: true } });
    await instance.issue({ token: await issuer.sign(), key });
    expect(lines()).toMatchObject([{ key_algorithm: algorithm }]);
  });

  it('tell the rule of a policy that refused, with nothing of a key that was not looked at', async () => {
    const issuer = await startIssuer({ claims: { email: 'a@example.com', email_verified: true } });
    stack.push(() => issuer.close());
    const policy = { cel: [{ rule: 'claims.email.endsWith("@other.example")', message: 'others only' }] };
    const instance = await startInstance({
      issuers: [{ issuer, type: 'email', policy }],
      settings: { audit: { file, required: true } },
    });
    stack.push(() => instance.close());
    await request(instance.url, { token: await issuer.sign() });
    const [line] = lines();
    expect(line).toMatchObject({ event: 'refused', reason: 'POLICY_DENIED', rule: 'cel[0]' });
    expect(line).not.toHaveProperty('key_sha256');
  });

  it('say of a refusal why, and never hold a token or the text of one that was not proven', async () => {
    const { issuer, instance } = await world({
      audit: { file, required: true },
      'rate-limits': { defaults: { 'certificates-per-identity': { burst: 1, count: 1, period: '1h' } } },
    });
    const token = await issuer.sign();
    const forged = await issuer.sign({ email: 'mallory@example.com' }, { header: { kid: 'nobody' } });
    await request(instance.url, { token: forged, headers: { 'x-request-id': 'a b' } });
    await request(instance.url, { token, challenge: 'x' });
    await instance.issue({ token });
    await request(instance.url, { token });
    expect(lines()).toMatchObject([
      { event: 'refused', reason: 'KEY_ID_UNKNOWN' },
      { event: 'refused', reason: 'POSSESSION_UNPROVEN', san: 'a@example.com' },
      { event: 'issued' },
      { event: 'limited', reason: 'RATE_LIMITED', limit: 'certificates-per-identity' },
    ]);
    const text = readFileSync(file, 'utf8');
    for (const secret of [token, forged, ...token.split('.'), 'mallory', 'a b'])
      expect(text).not.toContain(secret);
  });

  it.each([true, false])('follow the name when the file is moved away; required: %s', async (required) => {
    const { issuer, instance } = await world({ audit: { file, required }, 'rate-limits': 'off' });
    const token = await issuer.sign();
    const logged: unknown[] = [];
    const issue = async () => logged.push((await instance.issue({ token })).leaf.serial);
    await issue();
    await vi.waitFor(() => expect(lines()).toHaveLength(1));
    renameSync(file, `${file}.1`);
    await issue();
    if (required) expect(lines()).toHaveLength(1);
    while (!existsSync(file)) await issue();
    await vi.waitFor(() => {
      const moved = readFileSync(`${file}.1`, 'utf8').trim().split('\n');
      const all = [...moved.map((line) => JSON.parse(line)), ...lines()];
      expect(all.map(({ serial }) => serial)).toEqual(logged);
    });
  });

  it('are lost, and the issuance refused, where there can be no file of that name any more', async () => {
    const { issuer, instance } = await world({ audit: { file, required: true } });
    const token = await issuer.sign();
    await instance.issue({ token });
    renameSync(file, `${file}.1`);
    mkdirSync(file);
    expect((await request(instance.url, { token })).json).toMatchObject({
      details: [{ reason: 'AUDIT_UNAVAILABLE' }],
    });
    rmSync(file, { recursive: true });
    await instance.issue({ token });
    expect(readFileSync(file, 'utf8')).toContain('"event":"issued"');
  });

  it('are not written unless asked for', async () => {
    const { issuer, instance } = await world({});
    await instance.issue({ token: await issuer.sign() });
    expect(() => readFileSync(file)).toThrow();
  });
});

describe('a disk that is full', () => {
  it.runIf(process.platform === 'linux')(
    'stops the issuance where the audit is required, and gives the quota back',
    async () => {
      const { issuer, instance } = await world({
        audit: { file: '/dev/full', required: true },
        'rate-limits': { defaults: { 'certificates-per-identity': { burst: 1, count: 1, period: '1h' } } },
      });
      const token = await issuer.sign();
      for (const _ of [1, 2]) {
        const { status, json, headers } = await request(instance.url, { token });
        expect(status).toBe(503);
        expect(headers['retry-after']).toBe('1');
        expect(json).toMatchObject({ code: 14, details: [{ reason: 'AUDIT_UNAVAILABLE' }] });
      }
      const metrics = await (await fetch(instance.service.metricsUrl)).text();
      expect(metrics).toContain('fulcio_new_certs 0');
    },
  );

  it.runIf(process.platform === 'linux')('stops nothing where it is not', async () => {
    const { issuer, instance } = await world({ audit: { file: '/dev/full' } });
    await instance.issue({ token: await issuer.sign() });
  });
});

describe('AuditLog', () => {
  const trail = { startedAt: systemClock.now(), caller: {} };

  it('writes what waits together, in order, and each line once', async () => {
    const writes: string[] = [];
    const held = Promise.withResolvers<void>();
    const sink: Sink = {
      write: async (text) => {
        writes.push(text);
        if (writes.length === 1) await held.promise;
      },
      close: async () => {},
    };
    const log = new AuditLog(sink, { required: true, claims: [], onState: () => {} });
    const first = log.record({ ...trail, caller: { requestId: '0' } });
    await new Promise((resolve) => setImmediate(resolve));
    const others = Array.from({ length: 9 }, (_, i) =>
      log.record({ ...trail, caller: { requestId: String(i + 1) } }),
    );
    held.resolve();
    await Promise.all([first, ...others]);
    expect(writes.map((text) => text.split('\n').length - 1)).toEqual([1, 9]);
    const ids = writes
      .join('')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).request_id);
    expect(ids).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
  });

  it('tells once that lines get lost and once that they arrive again, on lines of their own', async () => {
    const told: boolean[] = [];
    let [text, full] = ['', true];
    const sink: Sink = {
      write: async (more) => {
        if (full) text += more.slice(0, 10);
        else text += more;
        if (full) throw new Error('ENOSPC');
      },
      close: async () => {},
    };
    const log = new AuditLog(sink, {
      required: true,
      claims: [],
      onState: (arriving) => told.push(arriving),
    });
    await expect(log.record(trail)).rejects.toBeInstanceOf(Problem);
    await expect(log.record(trail)).rejects.toBeInstanceOf(Problem);
    await log.record(trail, new Problem('token_missing')); // a refusal stands
    full = false;
    await log.record(trail);
    await log.record(trail);
    expect(told).toEqual([false, true]);
    const whole = text.split('\n').filter((line) => line.endsWith('}'));
    expect(whole.length).toBeGreaterThanOrEqual(2);
    for (const line of whole) JSON.parse(line);
  });
});
