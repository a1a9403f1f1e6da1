// OpenID provider: where a person signs in, as its discovery document describes it (OpenID Connect Discovery section 4).

import { z } from 'zod';
import { ClientError } from './client-error.ts';
import { exchange, NoAnswer, stringIn } from './exchange.ts';
import { isLoopback } from './remote-instance.ts';

export interface OpenIdProvider {
  readonly issuer: string;
  readonly tokenEndpoint: string;
  readonly authorizationEndpoint?: string;
  /** RFC 8628 section 4. */
  readonly deviceEndpoint?: string;
}

const discovery = z.object({
  issuer: z.string(),
  token_endpoint: z.url(),
  authorization_endpoint: z.url().optional(),
  device_authorization_endpoint: z.url().optional(),
});

/** Throws ClientError `login_failed`. */
export async function discover(issuer: string): Promise<OpenIdProvider> {
  requireSecure(issuer);
  const answer = await ask(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  const read = discovery.safeParse(answer.json);
  if (answer.status !== 200 || !read.success)
    throw failed(`${issuer} offers no sign-in: its discovery document names no token endpoint`);
  const { data } = read;
  if (data.issuer !== issuer) throw failed(`${issuer} says that it is another issuer`);
  const { authorization_endpoint: authorizationEndpoint, device_authorization_endpoint: deviceEndpoint } =
    data;
  for (const endpoint of [data.token_endpoint, authorizationEndpoint, deviceEndpoint])
    if (endpoint !== undefined) requireSecure(endpoint);
  return {
    issuer,
    tokenEndpoint: data.token_endpoint,
    ...(authorizationEndpoint === undefined ? {} : { authorizationEndpoint }),
    ...(deviceEndpoint === undefined ? {} : { deviceEndpoint }),
  };
}

export type TokenAnswer =
  | { readonly idToken: string }
  /** An error code of RFC 6749 section 5.2 or RFC 8628 section 3.5. */
  | { readonly error: string };

/** One request to the token endpoint. Throws ClientError `login_failed` for anything but a token or an error code. */
export async function requestToken(
  { issuer, tokenEndpoint }: OpenIdProvider,
  form: Readonly<Record<string, string>>,
): Promise<TokenAnswer> {
  const { json } = await post(tokenEndpoint, form);
  const idToken = stringIn(json, 'id_token');
  if (idToken !== undefined) return { idToken };
  const error = stringIn(json, 'error');
  if (error !== undefined && ERROR_CODE.test(error)) return { error };
  throw failed(`${issuer} gave no ID token`);
}

/** The characters that RFC 6749 section 5.2 allows, and no more of them than a code has. */
export const ERROR_CODE = /^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,100}$/;

export function post(url: string, form: Readonly<Record<string, string>>): ReturnType<typeof exchange> {
  return ask(url, {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  });
}

async function ask(...[url, options]: Parameters<typeof exchange>): ReturnType<typeof exchange> {
  try {
    return await exchange(url, options);
  } catch (cause) {
    if (!(cause instanceof NoAnswer)) throw cause;
    throw failed(cause.message, cause);
  }
}

/** Codes and tokens travel there. */
function requireSecure(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname))) return;
  throw failed(`${text} is no https URL, and a sign-in needs one`);
}

export function failed(sentence: string, cause?: unknown): ClientError {
  return new ClientError('login_failed', sentence, cause);
}
