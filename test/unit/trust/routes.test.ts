import { afterAll, describe, expect, test } from 'vitest';
import { trustRoutes } from '../../../src/http/trust.ts';
import { clientTrustConfig } from '../../../src/trust/client-trust-config.ts';
import { signingConfig } from '../../../src/trust/signing-config.ts';
import { trustedRoot } from '../../../src/trust/trusted-root.ts';
import { makeChain } from '../timestamp/openssl.ts';
import { materialOf } from './material.ts';

const made = makeChain();
afterAll(made.remove);

describe.each([
  ['trusted_root.json', trustedRoot],
  ['signing_config.json', signingConfig],
  ['client_trust_config.json', clientTrustConfig],
])('GET /.well-known/mayfly/%s', (name, document) => {
  const path = `/.well-known/mayfly/${name}`;

  test('gives the document', async () => {
    const material = materialOf(made);
    const response = await trustRoutes(() => material).request(path);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toEqual(document(material));
  });

  test('follows a change of keys', async () => {
    let material = materialOf(made);
    const app = trustRoutes(() => material);
    const before = await (await app.request(path)).text();
    expect(await (await app.request(path)).text()).toBe(before);
    material = { ...material, instanceUrl: 'https://moved.example.com' };
    expect(await (await app.request(path)).text()).toContain('https://moved.example.com');
  });

  test('refuses another method', async () => {
    const response = await trustRoutes(() => materialOf(made)).request(path, { method: 'POST' });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET');
  });
});
