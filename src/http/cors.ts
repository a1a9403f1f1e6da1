// CORS: browsers may use every route, with the token in the body or in the Authorization header.

import type { MiddlewareHandler } from 'hono';

const METHODS = 'GET, POST, HEAD';
/** What a page may read of an answer beside its body. */
const EXPOSED = 'RateLimit, RateLimit-Policy, Retry-After';

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
  c.res.headers.append('vary', 'Origin');
  if (headers.has('origin')) {
    c.res.headers.set('access-control-allow-origin', '*');
    c.res.headers.set('access-control-expose-headers', EXPOSED);
  }
  return undefined;
};
