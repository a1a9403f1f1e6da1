// Login provider: an OpenID provider at which a test signs in, by browser or by device code, strict about what RFC 6749,
// 7636 and 8628 demand of the client.

import { createHash, randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { SignJWT } from 'jose';

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

interface Asked {
  readonly clientId: string;
  readonly redirectUri: string | undefined;
  readonly challenge: string;
  readonly nonce: string | undefined;
}

export interface LoginProviderOptions {
  readonly browser?: boolean;
  readonly device?: boolean;
  /** Answers to polls before the token, or instead of it. */
  readonly polls?: readonly string[];
  /** Error of the authorization endpoint. */
  readonly refusal?: string;
  /** Laid over the discovery document. */
  readonly document?: Readonly<Record<string, unknown>>;
  /** Laid over the claims of the token. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

export class LoginProvider {
  /** What the client did that it must not. */
  readonly faults: string[] = [];
  readonly #server: Server;
  readonly #options: LoginProviderOptions;
  readonly #asked = new Map<string, Asked>();
  readonly #polls: string[];

  private constructor(options: LoginProviderOptions) {
    this.#options = options;
    this.#polls = [...(options.polls ?? [])];
    this.#server = createServer((request, response) => {
      void text(request).then(async (body) => {
        const { status, location, json } = await this.#answer(request.url ?? '/', new URLSearchParams(body));
        response.writeHead(status, { 'content-type': 'application/json', ...(location && { location }) });
        response.end(JSON.stringify(json ?? {}));
      });
    });
  }

  static async start(options: LoginProviderOptions = {}): Promise<LoginProvider> {
    const provider = new LoginProvider(options);
    await new Promise<void>((listening) => provider.#server.listen(0, '127.0.0.1', listening));
    return provider;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo; // listening on a port, not on a pipe
    return `http://127.0.0.1:${port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(
    path: string,
    form: URLSearchParams,
  ): Promise<{ readonly status: number; readonly location?: string; readonly json?: object }> {
    const { pathname, searchParams: query } = new URL(path, this.url);
    switch (pathname) {
      case '/.well-known/openid-configuration':
        return { status: 200, json: this.#discovery() };
      case '/authorize':
        return { status: 302, location: this.#authorize(query) };
      case '/device':
        return { status: 200, json: this.#device(form) };
      case '/token':
        return this.#token(form);
      default:
        return { status: 404 };
    }
  }

  #discovery(): object {
    const { browser = true, device = true, document } = this.#options;
    return {
      issuer: this.url,
      token_endpoint: `${this.url}/token`,
      ...(browser && { authorization_endpoint: `${this.url}/authorize` }),
      ...(device && { device_authorization_endpoint: `${this.url}/device` }),
      ...document,
    };
  }

  #authorize(query: URLSearchParams): string {
    const get = (name: string): string => query.get(name) ?? this.#fault(`no ${name}`);
    const redirect = new URL(get('redirect_uri'));
    if (redirect.protocol !== 'http:' || redirect.hostname !== 'localhost')
      this.#fault('no loopback redirect');
    if (get('response_type') !== 'code' || get('code_challenge_method') !== 'S256')
      this.#fault('no code flow');
    if (!get('scope').split(' ').includes('openid')) this.#fault('no openid scope');
    redirect.searchParams.set('state', get('state'));
    if (this.#options.refusal !== undefined) redirect.searchParams.set('error', this.#options.refusal);
    else {
      const code = randomUUID();
      this.#asked.set(code, {
        clientId: get('client_id'),
        redirectUri: get('redirect_uri'),
        challenge: get('code_challenge'),
        nonce: get('nonce'),
      });
      redirect.searchParams.set('code', code);
    }
    return redirect.href;
  }

  #device(form: URLSearchParams): object {
    const code = randomUUID();
    const clientId = form.get('client_id') ?? this.#fault('no client_id');
    const challenge = form.get('code_challenge') ?? this.#fault('no code_challenge');
    this.#asked.set(code, { clientId, challenge, redirectUri: undefined, nonce: undefined });
    return {
      device_code: code,
      user_code: 'ABCD-EFGH',
      verification_uri: `${this.url}/activate`,
      expires_in: 60,
      interval: 0,
    };
  }

  async #token(form: URLSearchParams): Promise<{ readonly status: number; readonly json: object }> {
    const isDevice = form.get('grant_type') === DEVICE_GRANT;
    const code = form.get(isDevice ? 'device_code' : 'code') ?? '';
    const asked = this.#asked.get(code);
    if (asked === undefined) return { status: 400, json: { error: 'invalid_grant' } };
    const verifier = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (verifier !== asked.challenge) this.#fault('the verifier is not of the challenge');
    if (form.get('client_id') !== asked.clientId) this.#fault('another client_id');
    if (!isDevice && form.get('redirect_uri') !== asked.redirectUri) this.#fault('another redirect_uri');
    const poll = isDevice ? this.#polls.shift() : undefined;
    if (poll !== undefined) return { status: 400, json: { error: poll } };
    this.#asked.delete(code); // good for one token
    const claims = { email: 'person@example.com', email_verified: true, nonce: asked.nonce };
    const token = await new SignJWT({ ...claims, ...this.#options.claims })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer(this.url)
      .setAudience(asked.clientId)
      .setSubject('person')
      .sign(Buffer.alloc(32));
    return { status: 200, json: { id_token: token, token_type: 'Bearer', access_token: 'none' } };
  }

  #fault(sentence: string): string {
    this.faults.push(sentence);
    return '';
  }
}
