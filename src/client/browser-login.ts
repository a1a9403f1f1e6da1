// Browser login: the authorization code flow of a native app, with PKCE and a loopback redirect (RFC 8252, RFC 7636).

import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeJwt } from 'jose';
import { ERROR_CODE, failed, type OpenIdProvider, requestToken } from './openid-provider.ts';

const CALLBACK = '/auth/callback';
const PATIENCE_MS = 300_000;

export interface BrowserLoginOptions {
  readonly provider: OpenIdProvider;
  readonly clientId: string;
  /** Told the URL to open. */
  show(url: string): void;
}

/** The ID token. Throws ClientError `login_failed`. */
export async function logInByBrowser({ provider, clientId, show }: BrowserLoginOptions): Promise<string> {
  if (provider.authorizationEndpoint === undefined)
    throw failed(`${provider.issuer} offers no sign-in by browser`);
  const [state, nonce, verifier] = [secret(), secret(), secret()];
  const { server, port, code } = await listenForCode(state, provider.issuer);
  try {
    const redirectUri = `http://localhost:${port}${CALLBACK}`;
    const url = new URL(provider.authorizationEndpoint);
    const query = {
      response_type: 'code',
      client_id: clientId,
      redirect_uri: redirectUri,
      scope: 'openid email',
      state,
      nonce,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    };
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    show(url.href);
    const answer = await requestToken(provider, {
      grant_type: 'authorization_code',
      code: await code,
      redirect_uri: redirectUri,
      client_id: clientId,
      code_verifier: verifier,
    });
    if ('error' in answer) throw failed(`${provider.issuer} refused the sign-in: ${answer.error}`);
    if (nonceOf(answer.idToken) !== nonce) throw failed(`${provider.issuer} gave a token of another sign-in`);
    return answer.idToken;
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

const secret = (): string => randomBytes(32).toString('base64url');

function nonceOf(idToken: string): unknown {
  try {
    return decodeJwt(idToken)['nonce'];
  } catch {
    return undefined;
  }
}

interface CodeListener {
  readonly server: Server;
  readonly port: number;
  /** Rejects after five minutes. */
  readonly code: Promise<string>;
}

async function listenForCode(state: string, issuer: string): Promise<CodeListener> {
  const { promise: code, resolve, reject } = Promise.withResolvers<string>();
  code.catch(() => {}); // awaited later, and perhaps never
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const { searchParams: query } = url;
    // Anything else that reaches the port, another page perhaps, neither ends nor spoils the sign-in.
    if (url.pathname !== CALLBACK || query.get('state') !== state) {
      response.writeHead(404, PAGE).end(page('Nothing is here', 'This address waits for a sign-in.'));
      return;
    }
    const [given, error, iss] = ['code', 'error', 'iss'].map((name) => query.get(name));
    if (iss !== null && iss !== undefined && iss !== issuer) {
      // RFC 9207
      reject(failed('the sign-in was answered by another issuer'));
    } else if (typeof given === 'string' && given !== '') {
      response.writeHead(200, PAGE).end(page('Signed in', 'You may close this window.'));
      resolve(given);
      return;
    } else {
      const why = typeof error === 'string' && ERROR_CODE.test(error) ? error : 'no reason given';
      reject(failed(`${issuer} refused the sign-in: ${why}`));
    }
    response.writeHead(400, PAGE).end(page('Not signed in', 'The terminal says why.'));
  });
  const timer = setTimeout(
    () => reject(failed('nobody has signed in within five minutes')),
    PATIENCE_MS,
  ).unref();
  server.on('close', () => clearTimeout(timer));
  await new Promise<void>((done, refused) => server.once('error', refused).listen(0, '127.0.0.1', done));
  return { server, port: (server.address() as AddressInfo).port, code }; // a TCP server has a port
}

const PAGE = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
  connection: 'close',
};

function page(title: string, text: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Mayfly: ${title}</title><style>:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{max-width:32rem;margin:4rem auto;padding:0 1rem}</style><h1>${title}</h1><p>${text}</p></html>`;
}

/** Opens the person's browser; that may fail without harm, as the URL is printed too. */
export function openBrowser(url: string): void {
  const [command, ...args] =
    process.platform === 'darwin'
      ? ['open', url]
      : process.platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler', url]
        : ['xdg-open', url];
  execFile(command, args, () => {}).unref();
}

/** Whether a browser on this machine can show something to whoever is at the terminal. */
export function hasBrowser(env: Readonly<Record<string, string | undefined>>): boolean {
  if (env['SSH_CONNECTION'] !== undefined) return false;
  if (process.platform === 'darwin' || process.platform === 'win32') return true;
  return (env['DISPLAY'] ?? env['WAYLAND_DISPLAY'] ?? '') !== '';
}
