// Fake issuer: a real, small OpenID provider on the loopback, which can be told to misbehave.

import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

/** What is done with a request for one of the two documents. */
export type Behaviour =
  | 'serve'
  /** The connection is cut. */
  | 'down'
  /** No answer, ever. */
  | 'hang'
  /** A header and then one byte every 20 ms. */
  | 'drip'
  /** A body that does not end. */
  | 'huge'
  | { readonly redirect: string }
  | { readonly status: number }
  | { readonly body: string | Uint8Array };

export interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  /** With `kid`, `alg` and `use`, as it is published. */
  readonly jwk: JWK;
}

export interface IssuerOptions {
  /** '' or '/tenant'; part of the issuer's URL. */
  readonly path?: string;
  /** Of the first key; ES256 unless given, as that is the quickest. */
  readonly alg?: string;
  /** `id_token_signing_alg_values_supported`: the first key's algorithm unless given; null leaves it out. */
  readonly algorithms?: readonly string[] | null;
  /** Claims that each token starts from, over the usual ones. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Serves https with these PEM texts. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

export interface SignOptions {
  /** The newest key unless given. */
  readonly key?: SigningKey | undefined;
  /** Over { alg, kid, typ: 'JWT' }; undefined leaves a parameter out. */
  readonly header?: Readonly<Record<string, unknown>>;
  /** Seconds from now; 600 unless given. */
  readonly expiresIn?: number;
}

let kids = 0;

export async function newSigningKey(alg: string, kid?: string): Promise<SigningKey> {
  kids += 1;
  const name = kid ?? `key-${kids}`;
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { kid: name, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), alg, use: 'sig', kid: name } };
}

export class FakeIssuer {
  /** The exact `iss` of its tokens. */
  readonly url: string;
  readonly hits = { discovery: 0, jwks: 0 };
  /** `Authorization` headers received, in order; undefined where there was none. */
  readonly authorizations: (string | undefined)[] = [];
  discovery: Behaviour = 'serve';
  jwks: Behaviour = 'serve';
  /** Of every answer, such as another Date. */
  headers: Readonly<Record<string, string>> = {};
  /** Merged into the discovery document, for lies. */
  document: Record<string, unknown> = {};
  /** Published as they are; replace or extend to publish something else. */
  published: unknown[] = [];
  /** Those this issuer signs with, the newest last. */
  keys: SigningKey[] = [];

  readonly #host: Host;
  readonly #claims: Readonly<Record<string, unknown>>;
  #held: Promise<void> | undefined;

  constructor(host: Host, path: string, options: IssuerOptions) {
    this.#host = host;
    this.#claims = options.claims ?? {};
    this.url = `${host.origin}${path}`;
    const algorithms = options.algorithms === undefined ? [options.alg ?? 'ES256'] : options.algorithms;
    if (algorithms) this.document['id_token_signing_alg_values_supported'] = algorithms;
  }

  get jwksUri(): string {
    return `${this.url}/jwks`;
  }

  /** Requests for either document. */
  get fetches(): number {
    return this.hits.discovery + this.hits.jwks;
  }

  async sign(claims: Readonly<Record<string, unknown>> = {}, options: SignOptions = {}): Promise<string> {
    const key = options.key ?? this.keys.at(-1);
    if (key === undefined) throw new Error('the issuer has no key');
    const seconds = Math.floor(Date.now() / 1000);
    const usual = {
      iss: this.url,
      sub: 'subject',
      aud: 'sigstore',
      iat: seconds,
      nbf: seconds,
      exp: seconds + (options.expiresIn ?? 600),
    };
    return signToken({ ...usual, ...this.#claims, ...claims }, key, options.header);
  }

  /** Another key beside those there are; tokens are signed with it from now on. */
  async addKey(alg = 'ES256', kid?: string): Promise<SigningKey> {
    const key = await newSigningKey(alg, kid);
    this.keys.push(key);
    this.published.push(key.jwk);
    return key;
  }

  /** A new key instead of those there are. */
  async rotate(alg = this.keys.at(-1)?.alg ?? 'ES256', kid?: string): Promise<SigningKey> {
    this.keys = [];
    this.published = [];
    return this.addKey(alg, kid);
  }

  /** Answers nothing until the returned function is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held = promise;
    return () => {
      this.#held = undefined;
      resolve();
    };
  }

  /** Another issuer on the same host and port. */
  sibling(path: string, options: Omit<IssuerOptions, 'path' | 'tls'> = {}): Promise<FakeIssuer> {
    return this.#host.add(path, options);
  }

  /** Closes the host with every issuer on it. */
  close(): Promise<void> {
    return this.#host.close();
  }

  async answer(document: 'discovery' | 'jwks', request: IncomingMessage, response: ServerResponse) {
    this.hits[document] += 1;
    this.authorizations.push(request.headers.authorization);
    await this.#held;
    const body =
      document === 'jwks'
        ? { keys: this.published }
        : { issuer: this.url, jwks_uri: this.jwksUri, ...this.document };
    for (const [name, value] of Object.entries(this.headers)) response.setHeader(name, value);
    behave(this[document], JSON.stringify(body), response);
  }
}

/** `undefined` among the claims or header parameters leaves one out. */
export function signToken(
  claims: Readonly<Record<string, unknown>>,
  key: SigningKey,
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const given = { alg: key.alg, kid: key.kid, typ: 'JWT', ...header };
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return new SignJWT({ ...claims }).setProtectedHeader({ ...present, alg: given.alg }).sign(key.privateKey);
}

export async function startIssuer(options: IssuerOptions = {}): Promise<FakeIssuer> {
  const host = new Host(options.tls);
  await host.listen();
  return host.add(options.path ?? '', options);
}

class Host {
  readonly #server: Server;
  readonly #issuers = new Map<string, FakeIssuer>();
  readonly #scheme: string;

  constructor(tls: IssuerOptions['tls']) {
    const listener: RequestListener = (request, response) => void this.#route(request, response);
    this.#server = tls ? createTlsServer(tls, listener) : createServer(listener);
    this.#scheme = tls ? 'https' : 'http';
  }

  get origin(): string {
    const { port } = this.#server.address() as AddressInfo; // listening on a port, not on a pipe
    return `${this.#scheme}://127.0.0.1:${port}`;
  }

  listen(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
  }

  async add(path: string, options: IssuerOptions): Promise<FakeIssuer> {
    const issuer = new FakeIssuer(this, path, options);
    await issuer.addKey(options.alg);
    this.#issuers.set(path.replace(/\/$/, ''), issuer);
    return issuer;
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    for (const [suffix, document] of [
      ['/.well-known/openid-configuration', 'discovery'],
      ['/jwks', 'jwks'],
    ] as const) {
      if (!path.endsWith(suffix)) continue;
      const issuer = this.#issuers.get(path.slice(0, -suffix.length).replace(/\/$/, ''));
      if (issuer) return issuer.answer(document, request, response);
    }
    response.writeHead(404).end();
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

function behave(behaviour: Behaviour, body: string, response: ServerResponse): void {
  if (behaviour === 'serve') response.writeHead(200, { 'content-type': 'application/json' }).end(body);
  else if (behaviour === 'down') response.destroy();
  else if (behaviour === 'drip') drip(response);
  else if (behaviour === 'huge') flood(response);
  else if (behaviour === 'hang') return;
  else if ('redirect' in behaviour) response.writeHead(302, { location: behaviour.redirect }).end();
  else if ('status' in behaviour) response.writeHead(behaviour.status).end('{}');
  else response.writeHead(200).end(behaviour.body);
}

function drip(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  const timer = setInterval(() => response.write(' '), 20);
  response.on('close', () => clearInterval(timer));
}

function flood(response: ServerResponse): void {
  const chunk = Buffer.alloc(64 * 1024, 0x20);
  const fill = () => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on('drain', fill);
  fill();
}
