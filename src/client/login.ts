// Login: which issuer a person signs in at, and by which flow.

import type { IssuerListing } from '../config/settings.ts';
import type { Environment } from './ambient-token.ts';
import { hasBrowser, logInByBrowser, openBrowser } from './browser-login.ts';
import { logInByDevice } from './device-login.ts';
import { discover, failed, type OpenIdProvider } from './openid-provider.ts';

export type Flow = 'browser' | 'device';

export interface LoginOptions {
  /** Issuers that people sign in at, from the signing configuration; the first is taken unless `issuer` is given. */
  readonly oidcUrls: readonly string[];
  readonly listings: readonly IssuerListing[];
  readonly issuer?: string;
  readonly flow?: Flow;
  /** Over the audience that the instance wants of this issuer. */
  readonly clientId?: string;
  readonly env: Environment;
  /** Whether a person is at the terminal. */
  readonly attended: boolean;
  /** Shows a person a line. */
  tell(line: string): void;
  /** Opens a URL in the person's browser; the browser of this machine unless given. */
  open?(url: string): void;
}

export interface Login {
  readonly issuer: string;
  readonly idToken: string;
}

/** Undefined where the instance knows no issuer for people. Throws ClientError `login_failed`. */
export async function logIn(options: LoginOptions): Promise<Login | undefined> {
  const issuer = options.issuer ?? issuerForPeople(options);
  if (issuer === undefined) return undefined;
  const provider = await discover(issuer);
  const listing = options.listings.find(({ issuerUrl }) => issuerUrl === issuer);
  const clientId = options.clientId ?? listing?.audience ?? 'sigstore';
  const flow = options.flow ?? flowFor(provider, options);
  if (flow === 'browser') return { issuer, idToken: await byBrowser(provider, clientId, options) };
  const idToken = await logInByDevice({
    provider,
    clientId,
    unattended: !options.attended && options.flow === undefined,
    show: (uri, code) => options.tell(`Sign in at ${uri} with the code ${code}`),
  });
  return { issuer, idToken };
}

function issuerForPeople({ oidcUrls, listings }: LoginOptions): string | undefined {
  return oidcUrls[0] ?? listings.find(({ issuerType }) => issuerType === 'email')?.issuerUrl;
}

function byBrowser(provider: OpenIdProvider, clientId: string, options: LoginOptions): Promise<string> {
  if (!options.attended && options.flow === undefined)
    throw failed(`${provider.issuer} wants a person to sign in, and nobody is at the terminal`);
  return logInByBrowser({
    provider,
    clientId,
    show: (url) => {
      options.tell(`Sign in at ${url}`);
      if (hasBrowser(options.env)) (options.open ?? openBrowser)(url);
    },
  });
}

function flowFor(provider: OpenIdProvider, { env, attended }: LoginOptions): Flow {
  const { authorizationEndpoint, deviceEndpoint } = provider;
  if (deviceEndpoint === undefined) return 'browser';
  if (authorizationEndpoint === undefined) return 'device';
  return attended && hasBrowser(env) ? 'browser' : 'device';
}
