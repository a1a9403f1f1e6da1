// Policies at the door of a whole instance: who is refused, in which words, and what is told of those who pass.

import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { startInstance } from '../../fakes/instance.ts';
import { startIssuer } from '../../fakes/issuer.ts';
import { request } from '../../fakes/signing-client.ts';
import { github } from '../identity/kinds.ts';

const stack: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of stack.splice(0).reverse()) await close();
});

async function world(policy: object) {
  const lines: string[] = [];
  const sink = new Writable({ write: (chunk, _, done) => done(void lines.push(String(chunk))) });
  const issuer = await startIssuer({ claims: { ...github, ref: 'refs/heads/main' } });
  stack.push(() => issuer.close());
  const instance = await startInstance({
    issuers: [{ issuer, type: 'github', name: 'forge', policy }],
    logger: pino(sink),
  });
  stack.push(() => instance.close());
  return { issuer, instance, lines };
}

const policy = {
  require: { repository_owner_id: ['1', '65*'], ref: 'refs/heads/main' },
  message: 'this instance is for octo-org',
  cel: [{ rule: 'claims.event_name != "pull_request"', message: 'pull requests may not sign' }],
};

describe('a policy that enforces', () => {
  it.each([
    [{ repository_owner_id: '2' }, 'this instance is for octo-org', 'require.repository_owner_id'],
    [{ repository_owner_id: '1', ref: 'refs/heads/main2' }, 'this instance is for octo-org', 'require.ref'],
    [{ repository_owner_id: '650', event_name: 'pull_request' }, 'pull requests may not sign', 'cel[0]'],
  ])('refuses %j in the words of the operator: %s', async (claims, message, rule) => {
    const { issuer, instance } = await world(policy);
    const { status, json } = await request(instance.url, { token: await issuer.sign(claims) });
    expect(status).toBe(400);
    expect(json).toMatchObject({
      code: 3,
      message: `The policy of this issuer does not allow a certificate for this identity: ${message}`,
      details: [{ reason: 'POLICY_DENIED', metadata: { rule } }, {}],
    });
  });

  it.each([{ repository_owner_id: '1' }, { repository_owner_id: '65000' }, { repository_owner_id: 1 }])(
    'lets %j pass',
    async (claims) => {
      const { issuer, instance } = await world(policy);
      await instance.issue({ token: await issuer.sign({ event_name: 'push', ...claims }) });
    },
  );
});

it('a policy in audit mode refuses nobody, and tells whom it would refuse', async () => {
  const { issuer, instance, lines } = await world({ ...policy, mode: 'audit' });
  await instance.issue({ token: await issuer.sign({ repository_owner_id: '2', event_name: 'push' }) });
  const told = lines.map((line) => JSON.parse(line)).filter(({ rules }) => rules !== undefined);
  expect(told).toMatchObject([{ issuer: 'forge', rules: ['require.repository_owner_id'] }]);
  const metrics = await (await fetch(instance.service.metricsUrl)).text();
  expect(metrics).toContain('mayfly_policy_would_refuse_total{issuer="forge"} 1');
});
