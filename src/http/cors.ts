// CORS: browsers may use every route, with the token in the body or in the Authorization header.

import type { MiddlewareHandler } from 'hono';

const METHODS = 'GET, POST, HEAD';
/** What a page may read of an answer beside its body. */
const EXPOSED = 'RateLimit, RateLimit-Policy, Retry-After, X-Request-Id';

const HEADERS = 'Accept, Content-Type, X-Requested-With, Authorization';

export const cors: MiddlewareHandler = async (c, next) => {
  const { headers, method } = c.req.raw;
  if (method === 'OPTIONS' && headers.has('origin') && headers.has('access-control-request-method')) {
    return new Response(null, {
      status: 204,
      headers: {
        vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
        'access-control-allow-origin': '*',
        'access-control-allow-methods': METHODS,
        'access-control-allow-headers': HEADERS,
      },
    });
  }
  await next();
  const { vary, ...others } = corsHeaders(headers);
  c.res.headers.append('vary', vary);
  for (const [name, value] of Object.entries(others)) c.res.headers.set(name, value);
  return undefined;
};

type CorsHeaders = { readonly vary: string } & Readonly<Record<string, string>>;

const FOR_ANYONE: CorsHeaders = { vary: 'Origin' };
const FOR_A_PAGE: CorsHeaders = {
  ...FOR_ANYONE,
  'access-control-allow-origin': '*',
  'access-control-expose-headers': EXPOSED,
};

/** What the middleware would add to the answer; to be written with its other headers where time counts. */
export function corsHeaders(request: Headers): CorsHeaders {
  return request.has('origin') ? FOR_A_PAGE : FOR_ANYONE;
}
