// Dev issuer: an OpenID provider that mints any token for anyone, for development on loopback only.

import { Hono } from 'hono';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { Clock } from '../clock.ts';
import { secondsOf } from '../clock.ts';
import { deviceGrantMetadata, deviceGrantRoutes } from './device-grant.ts';
import { type DevShape, SHAPE_NAMES, SHAPES } from './shape.ts';
import { tokenPage } from './token-page.ts';

export const DEV_AUDIENCE = 'sigstore';

const TOKEN_SECONDS = 600;

export interface DevIssuer {
  readonly app: Hono;
  /** A signed token of a shape; `claims` are laid over the shape's own. */
  token(shape: DevShape, claims?: Readonly<Record<string, unknown>>): Promise<string>;
}

/** `baseUrl` gives where the app is served, without a final slash; each shape is an issuer below it. */
export async function createDevIssuer(baseUrl: () => string, clock: Clock): Promise<DevIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { modulusLength: 2048 });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'dev', use: 'sig', alg: 'RS256' };
  const issuerOf = (shape: DevShape): string => `${baseUrl()}/${shape}`;

  const token: DevIssuer['token'] = (shape, claims = {}) => {
    const now = secondsOf(clock.now());
    const iss = issuerOf(shape);
    const own = withSite({ ...SHAPES[shape].claims, ...claims }, iss.replace(/^https?:\/\//, ''));
    return new SignJWT({ aud: DEV_AUDIENCE, ...own, iss })
      .setProtectedHeader({ alg: 'RS256', kid: 'dev', typ: 'JWT' })
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(now + TOKEN_SECONDS)
      .sign(privateKey);
  };

  const app = new Hono();
  app.get('/', (c) => {
    c.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'");
    return c.html(tokenPage());
  });
  app.get('/:shape/.well-known/openid-configuration', (c) => {
    const shape = shapeOf(c.req.param('shape'));
    if (shape === undefined) return c.notFound();
    const issuer = issuerOf(shape);
    return c.json({
      issuer,
      jwks_uri: `${issuer}/keys`,
      id_token_signing_alg_values_supported: ['RS256'],
      ...deviceGrantMetadata(issuer),
    });
  });
  app.get('/:shape/keys', (c) => c.json({ keys: [jwk] }));
  app.post('/:shape/token', async (c) => {
    const shape = shapeOf(c.req.param('shape'));
    if (shape === undefined) return c.notFound();
    const form = await c.req.parseBody();
    const given = typeof form['claims'] === 'string' && form['claims'].trim() !== '' ? form['claims'] : '{}';
    const claims = parseClaims(given);
    if (claims === undefined) return c.text('claims must be one JSON object\n', 400);
    const jwt = await token(shape, claims);
    return c.req.header('accept')?.includes('text/html') === true
      ? c.html(tokenPage(shape, given, jwt))
      : c.text(jwt);
  });
  for (const shape of SHAPE_NAMES)
    app.route(
      `/${shape}`,
      deviceGrantRoutes(
        shape,
        () => `${baseUrl()}/`,
        () => token(shape),
      ),
    );
  return { app, token };
}

function withSite(claims: Readonly<Record<string, unknown>>, site: string): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(claims).map(([name, value]) => [
      name,
      typeof value === 'string' ? value.replaceAll('{site}', site) : value,
    ]),
  );
}

function shapeOf(name: string): DevShape | undefined {
  return Object.hasOwn(SHAPES, name) ? (name as DevShape) : undefined;
}

function parseClaims(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}
