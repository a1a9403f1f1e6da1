// Device grant: a sign-in at the dev issuer that needs nobody, as every device code is approved from the start (RFC 8628).

import { Hono } from 'hono';
import type { DevShape } from './shape.ts';

const GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

/** Members of the issuer's discovery document; sign-in by browser is left out, so that clients take this one. */
export function deviceGrantMetadata(issuer: string): Readonly<Record<string, unknown>> {
  return {
    token_endpoint: `${issuer}/oauth/token`,
    device_authorization_endpoint: `${issuer}/oauth/device`,
    grant_types_supported: [GRANT],
  };
}

/** Routes below an issuer's path; `page` is where a person could go, though none has to. */
export function deviceGrantRoutes(shape: DevShape, page: () => string, mint: () => Promise<string>): Hono {
  const app = new Hono();
  app.post('/oauth/device', (c) =>
    c.json({
      device_code: shape,
      user_code: 'MAYFLY',
      verification_uri: page(),
      expires_in: 600,
      interval: 1,
    }),
  );
  app.post('/oauth/token', async (c) => {
    const form = await c.req.parseBody();
    if (form['grant_type'] !== GRANT) return c.json({ error: 'unsupported_grant_type' }, 400);
    if (form['device_code'] !== shape) return c.json({ error: 'invalid_grant' }, 400);
    c.header('cache-control', 'no-store');
    return c.json({ access_token: 'none', token_type: 'Bearer', id_token: await mint() });
  });
  return app;
}
