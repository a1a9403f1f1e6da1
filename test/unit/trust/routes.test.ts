// The trust documents over HTTP.

import type { Hono } from 'hono';
import { afterAll, describe, expect, test } from 'vitest';
import { trustRoutes } from '../../../src/http/trust.ts';
import { clientTrustConfig } from '../../../src/trust/client-trust-config.ts';
import type { TrustMaterial } from '../../../src/trust/material.ts';
import { signingConfig } from '../../../src/trust/signing-config.ts';
import { trustedRoot } from '../../../src/trust/trusted-root.ts';
import { describeWith } from '../../fakes/skip.ts';
import { makeChain } from '../timestamp/openssl.ts';
import { materialOf } from './material.ts';

describeWith('openssl', 'trust routes', () => {
  const made = makeChain();
  afterAll(made.remove);
  const routes = (material: () => TrustMaterial): Hono => trustRoutes({ material, errors: 'helpful' });

  describe.each([
    ['trusted_root.json', trustedRoot],
    ['signing_config.json', signingConfig],
    ['client_trust_config.json', clientTrustConfig],
  ])('GET /.well-known/mayfly/%s', (name, document) => {
    const path = `/.well-known/mayfly/${name}`;

    test('gives the document', async () => {
      const material = materialOf(made);
      const response = await routes(() => material).request(path);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('application/json');
      expect(await response.json()).toEqual(document(material));
    });

    test('follows a change of keys', async () => {
      let material = materialOf(made);
      const app = routes(() => material);
      const before = await (await app.request(path)).text();
      expect(await (await app.request(path)).text()).toBe(before);
      material = { ...material, instanceUrl: 'https://moved.example.com' };
      expect(await (await app.request(path)).text()).toContain('https://moved.example.com');
    });

    test('refuses another method', async () => {
      const response = await routes(() => materialOf(made)).request(path, { method: 'POST' });
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('GET');
    });
  });

  test('material that cannot be read is 500, told to the operator alone', async () => {
    const bugs: unknown[] = [];
    const material = { ...materialOf(made), authorities: [{ chain: [] }] };
    const app = trustRoutes({
      material: () => material,
      errors: 'helpful',
      onBug: (cause) => bugs.push(cause),
    });
    const response = await app.request('/.well-known/mayfly/trusted_root.json');
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ code: 13, message: 'internal error' });
    expect(bugs).toEqual([expect.any(TypeError)]);
  });
});
