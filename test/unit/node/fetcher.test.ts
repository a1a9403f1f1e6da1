import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { fromUtf8 } from '../../../src/encoding/bytes.ts';
import { NodeFetcher, type NodeFetcherOptions } from '../../../src/node/system/fetcher.ts';
import { FetchError, type FetchOptions } from '../../../src/token/fetcher.ts';
import { newTlsIdentity } from '../../fakes/tls.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port; // listening on a port, not on a pipe
}

function serve(listener: RequestListener): Promise<number> {
  return listen(createServer(listener));
}

const limits: FetchOptions = { timeoutMs: 5_000, maxBytes: 1_000, addresses: 'any' };

function get(
  url: string,
  options: Partial<FetchOptions> = {},
  fetcher: NodeFetcherOptions = { proxyEnv: {} },
) {
  return new NodeFetcher(fetcher).get(url, { ...limits, ...options });
}

async function failure(...args: Parameters<typeof get>): Promise<string> {
  const error = await get(...args).then(
    () => 'no error',
    (thrown: unknown) => thrown,
  );
  if (error instanceof FetchError) return error.code;
  throw new Error(`no FetchError but ${error}`);
}

describe('the Node fetcher', () => {
  it('answers with status and body, whatever the status', async () => {
    const port = await serve(({ url }, response) =>
      response.writeHead(url === '/x' ? 200 : 404).end(`at ${url}`),
    );
    const found = await get(`http://127.0.0.1:${port}/x`);
    expect([found.status, fromUtf8(found.body)]).toEqual([200, 'at /x']);
    expect((await get(`http://127.0.0.1:${port}/y`)).status).toBe(404);
  });

  it('asks for JSON without content coding, and sends a bearer only when told', async () => {
    const seen: (string | undefined)[][] = [];
    const port = await serve(({ headers }, response) => {
      seen.push([headers.accept, headers['accept-encoding'] as string, headers.authorization]);
      response.end();
    });
    await get(`http://127.0.0.1:${port}/`);
    await get(`http://127.0.0.1:${port}/`, { bearer: 'secret' });
    expect(seen).toEqual([
      ['application/json', 'identity', undefined],
      ['application/json', 'identity', 'Bearer secret'],
    ]);
  });

  it.each([
    'ftp://127.0.0.1/',
    'file:///etc/passwd',
    'http://user:pass@127.0.0.1/',
    '/relative',
    '',
    'http://',
  ])('does not take %j for a URL', async (url) => {
    expect(await failure(url)).toBe('invalid_url');
  });

  it('gives up on a body that is larger than announced or allowed', async () => {
    let sent = 0;
    const port = await serve(({ url }, response) => {
      if (url === '/announced') {
        response.writeHead(200, { 'content-length': 1_001 });
        response.flushHeaders();
        return;
      }
      const chunk = Buffer.alloc(64 * 1024);
      const fill = () => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
      };
      response.on('drain', fill);
      fill();
    });
    expect(await failure(`http://127.0.0.1:${port}/announced`)).toBe('too_large');
    expect(await failure(`http://127.0.0.1:${port}/endless`)).toBe('too_large');
    expect(sent).toBeLessThan(50e6); // what the sockets hold, not what the server would send
  });

  it('takes a body of exactly the limit', async () => {
    const port = await serve((_, response) => response.end('x'.repeat(1_000)));
    expect((await get(`http://127.0.0.1:${port}/`)).body.length).toBe(1_000);
  });

  it('times out on no answer, on a dripping header and on a dripping body', async () => {
    const port = await serve(({ url, socket }, response) => {
      if (url === '/silent') return;
      if (url === '/body') response.writeHead(200).flushHeaders();
      else socket.write('HTTP/1.1 200 OK\r\nx-drip: ');
      const timer = setInterval(() => socket.write(url === '/body' ? '1\r\nx\r\n' : 'x'), 5);
      socket.on('close', () => clearInterval(timer));
    });
    for (const path of ['/silent', '/body', '/header'])
      expect(await failure(`http://127.0.0.1:${port}${path}`, { timeoutMs: 100 })).toBe('timed_out');
  });

  it('times out on a name server that does not answer', async () => {
    const resolve = () => new Promise<never>(() => undefined);
    expect(await failure('http://idp.test/', { timeoutMs: 50 }, { resolve, proxyEnv: {} })).toBe('timed_out');
  });

  it('fails on a connection that is refused or cut', async () => {
    const port = await serve(({ url }, response) => {
      if (url === '/at-once') response.destroy();
      else if (url === '/junk') response.socket?.end('junk\r\n\r\n');
      else response.writeHead(200, { 'content-length': 10 }).write('x', () => response.destroy());
    });
    for (const path of ['/at-once', '/half-way', '/junk'])
      expect(await failure(`http://127.0.0.1:${port}${path}`)).toBe('connection_failed');
    const [server] = servers.splice(0);
    await new Promise((resolve) => server?.close(resolve));
    expect(await failure(`http://127.0.0.1:${port}/`)).toBe('connection_failed');
  });
});

describe('a redirect', () => {
  it.each([301, 302, 303, 307, 308])(
    'with status %i is followed on the same host, with the bearer',
    async (status) => {
      const port = await serve(({ url, headers }, response) => {
        if (url === '/a') response.writeHead(status, { location: '/b?c' }).end('ignored');
        else response.end(`${url} ${headers.authorization}`);
      });
      const { body } = await get(`http://127.0.0.1:${port}/a`, { bearer: 'b' });
      expect(fromUtf8(body)).toBe('/b?c Bearer b');
    },
  );

  it('is followed three times and no more', async () => {
    const port = await serve(({ url }, response) => {
      const left = Number(url?.slice(1));
      if (left > 0) response.writeHead(302, { location: `/${left - 1}` }).end();
      else response.end();
    });
    expect((await get(`http://127.0.0.1:${port}/3`)).status).toBe(200);
    expect(await failure(`http://127.0.0.1:${port}/4`)).toBe('redirect_refused');
  });

  it('to another host or port, or to nowhere, is not followed', async () => {
    let reached = 0;
    const other = await serve((_, response) => {
      reached += 1;
      response.end();
    });
    const port = await serve(({ url }, response) => {
      const location = url === '/host' ? `http://localhost:${other}/` : `http://127.0.0.1:${other}/`;
      response
        .writeHead(302, url === '/nowhere' ? {} : { location: url === '/file' ? 'file:///x' : location })
        .end();
    });
    expect(await failure(`http://127.0.0.1:${port}/host`)).toBe('redirect_refused');
    expect(await failure(`http://127.0.0.1:${port}/port`)).toBe('redirect_refused');
    expect(await failure(`http://127.0.0.1:${port}/nowhere`)).toBe('redirect_refused');
    expect(await failure(`http://127.0.0.1:${port}/file`)).toBe('invalid_url');
    expect(reached).toBe(0);
  });
});

describe('an address', () => {
  it('of a name is looked up once, checked, and then connected to', async () => {
    const port = await serve(({ headers }, response) => response.end(headers.host));
    const answers = [['127.0.0.1'], ['169.254.169.254']];
    const asked: unknown[] = [];
    const resolve = async (...args: unknown[]) => {
      asked.push(args.slice(0, 2));
      return answers.shift() ?? [];
    };
    const { body } = await get(`http://idp.test:${port}/`, {}, { resolve, proxyEnv: {} });
    expect(fromUtf8(body)).toBe(`idp.test:${port}`);
    expect(asked).toEqual([['idp.test', 'any']]);
  });

  it('is checked again after a redirect, as the name may have moved', async () => {
    const port = await serve((_, response) => response.writeHead(302, { location: '/again' }).end());
    const answers = [['127.0.0.1'], ['169.254.169.254']];
    const resolve = async () => answers.shift() ?? [];
    expect(await failure(`http://idp.test:${port}/`, {}, { resolve, proxyEnv: {} })).toBe('address_refused');
  });

  it('that is refused is left out when there are others', async () => {
    const port = await serve((_, response) => response.end());
    const resolve = async () => ['169.254.169.254', 'fe80::1', '127.0.0.1'];
    expect((await get(`http://idp.test:${port}/`, {}, { resolve, proxyEnv: {} })).status).toBe(200);
  });

  it.each([
    ['any', ['169.254.169.254']],
    ['any', ['fd00:ec2::254', 'fe80::1']],
    ['any', ['0.0.0.0']],
    ['any', []],
    ['public', ['127.0.0.1']],
    ['public', ['10.0.0.1', '192.168.0.1']],
    ['public', ['::1']],
    ['public', ['::ffff:127.0.0.1']],
    ['public', ['64:ff9b::7f00:1']],
    ['public', ['2002:7f00:1::']],
    ['public', ['100.64.0.1']],
    ['public', ['fd12::1']],
  ] as const)('of a name is refused: for %s, %j', async (addresses, answer) => {
    let connections = 0;
    const port = await serve((_, response) => response.end());
    servers[0]?.on('connection', () => {
      connections += 1;
    });
    const resolve = async () => answer;
    expect(await failure(`http://idp.test:${port}/`, { addresses }, { resolve, proxyEnv: {} })).toBe(
      'address_refused',
    );
    expect(connections).toBe(0);
  });

  it.each([
    ['any', '169.254.169.254'],
    ['any', '0.0.0.0'],
    ['any', '[fe80::1]'],
    ['any', '[::ffff:169.254.169.254]'],
    ['any', '2852039166'], // 169.254.169.254
    ['public', '127.0.0.1'],
    ['public', '2130706433'],
    ['public', '0x7f.1'],
    ['public', '[::1]'],
    ['public', '[::ffff:7f00:1]'],
    ['public', '10.0.0.1'],
  ] as const)('in the URL is refused: for %s, %s', async (addresses, host) => {
    let lookups = 0;
    const resolve = async () => {
      lookups += 1;
      return ['127.0.0.1'];
    };
    expect(await failure(`http://${host}:1/`, { addresses }, { resolve, proxyEnv: {} })).toBe(
      'address_refused',
    );
    expect(lookups).toBe(0);
  });

  it('is missing where the name has none', async () => {
    const resolve = async () => {
      throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
    };
    expect(await failure('http://idp.test/', {}, { resolve, proxyEnv: {} })).toBe('name_unresolved');
  });

  it('of localhost comes from the system', async () => {
    const port = await serve((_, response) => response.end());
    expect((await get(`http://localhost:${port}/`)).status).toBe(200);
  });
});

describe('TLS', () => {
  it('is trusted through the private CA of the issuer, and not without it', async () => {
    const identity = await newTlsIdentity('idp.test');
    const port = await listen(createTlsServer(identity, (_, response) => response.end('ok')));
    const caCert = identity.cert;
    expect((await get(`https://127.0.0.1:${port}/`, { caCert })).status).toBe(200);
    const resolve = async () => ['127.0.0.1'];
    const named = { resolve, proxyEnv: {} };
    expect((await get(`https://idp.test:${port}/`, { caCert }, named)).status).toBe(200);
    expect(await failure(`https://127.0.0.1:${port}/`)).toBe('tls_failed');
    expect(await failure(`https://other.test:${port}/`, { caCert }, named)).toBe('tls_failed');
    const { cert } = await newTlsIdentity();
    expect(await failure(`https://127.0.0.1:${port}/`, { caCert: cert })).toBe('tls_failed');
  });

  it('is at least 1.2', async () => {
    const identity = await newTlsIdentity();
    const old = createTlsServer(
      { ...identity, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' },
      (_, response) => response.end(),
    );
    const port = await listen(old);
    expect(await failure(`https://127.0.0.1:${port}/`, { caCert: identity.cert })).toBe('tls_failed');
  });

  it('is not given up by a redirect', async () => {
    const identity = await newTlsIdentity();
    const port = await listen(
      createTlsServer(identity, ({ headers }, response) => {
        response.writeHead(302, { location: `http://${headers.host}/` }).end();
      }),
    );
    expect(await failure(`https://127.0.0.1:${port}/`, { caCert: identity.cert })).toBe('redirect_refused');
  });
});

describe('a proxy', () => {
  async function startProxy() {
    const seen: string[] = [];
    const server = createServer(({ method, url }, response) => {
      seen.push(`${method} ${url}`);
      response.end('through the proxy');
    });
    server.on('connect', ({ url }, socket) => {
      seen.push(`CONNECT ${url}`);
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    });
    const proxy = `http://127.0.0.1:${await listen(server)}`;
    return { seen, proxyEnv: { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, NO_PROXY: 'direct.test' } };
  }

  it('carries requests by name; the name is not resolved here', async () => {
    const { seen, proxyEnv } = await startProxy();
    const resolve = () => Promise.reject(new Error('not to be asked'));
    const { body } = await get('http://idp.test/x', {}, { resolve, proxyEnv });
    expect(fromUtf8(body)).toBe('through the proxy');
    expect(await failure('https://idp.test/x', {}, { resolve, proxyEnv })).toBe('connection_failed');
    expect(seen).toEqual(['GET http://idp.test/x', 'CONNECT idp.test:443']);
  });

  it('is not used for the loopback, for NO_PROXY, or with a private CA', async () => {
    const { seen, proxyEnv } = await startProxy();
    const identity = await newTlsIdentity('idp.test');
    const secure = await listen(createTlsServer(identity, (_, response) => response.end()));
    const plain = await serve((_, response) => response.end());
    const options = { resolve: async () => ['127.0.0.1'], proxyEnv };
    const caCert = identity.cert;
    expect((await get(`https://idp.test:${secure}/`, { caCert }, options)).status).toBe(200);
    expect((await get(`http://direct.test:${plain}/`, {}, options)).status).toBe(200);
    expect((await get(`http://127.0.0.1:${plain}/`, {}, options)).status).toBe(200);
    expect((await get(`http://localhost:${plain}/`, {}, options)).status).toBe(200);
    expect(seen).toEqual([]);
  });

  it('does not lift the rules on addresses in a URL', async () => {
    const { seen, proxyEnv } = await startProxy();
    expect(await failure('http://169.254.169.254/', {}, { proxyEnv })).toBe('address_refused');
    expect(await failure('https://10.0.0.1/', { addresses: 'public' }, { proxyEnv })).toBe('address_refused');
    expect(seen).toEqual([]);
  });
});
