import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { Explanation } from '../../../src/explanation.ts';
import { send } from '../../fakes/client.ts';
import { entryOf, startConfigured, type TestInstance } from '../../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { run } from '../../fakes/process.ts';
import { github } from '../identity/kinds.ts';

const BEARER = 'a-secret-for-explaining';
let folder: string;
let forge: FakeIssuer;
let instance: TestInstance;
let config: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mayfly-explain-'));
  forge = await startIssuer({ claims: github });
  const policy = {
    require: { repository: ['octo-org/octo-repo'] },
    cel: [{ rule: 'claims.ref == "refs/heads/main"', message: 'only main may sign' }],
  };
  const bearer = join(folder, 'explain.token');
  writeFileSync(bearer, `${BEARER}\n`);
  const text = stringify({
    explain: { bearer: { file: bearer } },
    issuers: [entryOf({ issuer: forge, type: 'github', name: 'forge', policy })],
  });
  config = join(folder, 'mayfly.yaml');
  writeFileSync(config, text);
  instance = await startConfigured(text);
});
afterAll(async () => {
  await instance.close();
  await forge.close();
  rmSync(folder, { recursive: true });
});

const good = { repository: 'octo-org/octo-repo', ref: 'refs/heads/main' };

async function ask(token: unknown, authorization = `Bearer ${BEARER}`) {
  return send(instance.url, '/api/mayfly/v1/explain', {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ token }),
  });
}

async function explained(token: unknown): Promise<Explanation> {
  const { status, json } = await ask(token);
  expect(status).toBe(200);
  return json as Explanation;
}

const failed = ({ steps }: Explanation) =>
  steps.filter(({ passed }) => !passed).map(({ step, reason }) => `${step}: ${reason}`);

describe('POST /api/mayfly/v1/explain', () => {
  it('says what an accepted token becomes, without its signature', async () => {
    const token = await forge.sign(good);
    const unsigned = token.split('.').slice(0, 2).join('.');
    for (const text of [token, unsigned, `${unsigned}.`, `${unsigned}.bm90IGl0`]) {
      const explanation = await explained(text);
      expect(failed(explanation)).toEqual([]);
      expect(explanation).toMatchObject({
        accepted: true,
        issuer: { name: 'forge', type: 'github', url: forge.url },
        policy: { mode: 'enforce', rules: [{ holds: true }, { name: 'cel[0]', holds: true }] },
      });
    }
  });

  it('foretells exactly the certificate that is issued', async () => {
    const token = await forge.sign(good);
    const { certificate } = await explained(token);
    const { leaf } = await instance.issue({ token });
    expect(leaf.names).toEqual([certificate?.subjectAltName]);
    const foretold = certificate?.extensions.map(({ oid, value }) => [oid.split('.').at(-1), value]);
    expect(Object.entries(leaf.attributes)).toEqual(foretold);
  });

  it.each([
    [{ ref: 'refs/heads/x' }, {}, ['policy: POLICY_DENIED']],
    [{ aud: 'other' }, {}, ['audience: AUDIENCE_MISMATCH']],
    [{}, { expiresIn: -60 }, ['times: TOKEN_EXPIRED']],
    [{ ref: 'refs/heads/x', aud: 'other' }, { expiresIn: -60 }, ['audience', 'times', 'policy']],
    [{ iss: 'https://nobody.example' }, {}, ['issuer: ISSUER_UNKNOWN']],
    [{ job_workflow_ref: undefined }, {}, ['identity: CLAIM_MISSING']],
  ])('%j is refused for what it is: %j %j', async (claims, options, expected) => {
    const explanation = await explained(await forge.sign({ ...good, ...claims }, options));
    expect(explanation.accepted).toBe(false);
    expect(
      failed(explanation).map((line, i) => (expected[i]?.includes(':') ? line : line.split(':')[0])),
    ).toEqual(expected);
  });

  it('tells the same reason that a client gets', async () => {
    const token = await forge.sign({ ...good, ref: 'refs/heads/x' });
    const { steps } = await explained(token);
    await expect(instance.issue({ token })).rejects.toThrow('only main may sign');
    expect(steps.at(-1)?.message).toContain('only main may sign');
  });

  it.each(['', 'a.b', 'a.b.c.d', '....', '!'])('takes %j for what it is', async (token) => {
    expect(failed(await explained(token))).toHaveLength(1);
  });

  it('answers to its bearer token only', async () => {
    for (const authorization of ['', 'Bearer ', 'Bearer other', `Basic ${BEARER}`, BEARER]) {
      const { status, headers } = await ask('a.b', authorization);
      expect(status).toBe(401);
      expect(headers['www-authenticate']).toBe('Bearer');
    }
  });

  it('is not there unless it is asked for', async () => {
    const plain = await startConfigured('');
    expect((await send(plain.url, '/api/mayfly/v1/explain', { method: 'POST' })).status).toBe(404);
    await plain.close();
  });

  it('refuses what is no question', async () => {
    expect((await ask(7)).status).toBe(400);
    expect((await send(instance.url, '/api/mayfly/v1/explain')).status).toBe(405);
  });
});

describe('mayfly explain', () => {
  it('prints the same for people and for scripts, and says by its exit code whether the token would do', async () => {
    const file = join(folder, 'token');
    writeFileSync(file, await forge.sign({ ...good, ref: 'refs/heads/x' }));
    const people = await run(['explain', '--config', config, '--token-file', file]);
    expect(people.stdout).toContain('Would be refused');
    expect(people.stdout).toMatch(/false +cel\[0\] claims\.ref == "refs\/heads\/main"/);
    expect(people.stdout).toMatch(/true +repository: \["octo-org\/octo-repo"\]/);
    expect(people.code).toBe(1);
    writeFileSync(file, await forge.sign(good));
    const script = await run(['explain', '--config', config, '--token-file', file, '--json']);
    expect(JSON.parse(script.stdout)).toMatchObject({ accepted: true, issuer: { name: 'forge' } });
    expect(script.code).toBe(0);
    const token = await forge.sign(good);
    const pasted = await run(['explain', '--config', config, '--token', `Bearer ${token}`]);
    expect([pasted.code, pasted.stdout]).toEqual([0, expect.stringContaining('Would be accepted')]);
    const none = await run(['explain', '--config', config]);
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('--token')]);
  });
});
