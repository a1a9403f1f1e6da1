// Token acquisition: one identity token, from what was given, from the place this runs in, or from a person who signs in.

import { readFile } from 'node:fs/promises';
import type { IssuerListing } from '../config/settings.ts';
import { AMBIENT_SOURCES, type Environment, findAmbientSource, thisPlace } from './ambient-token.ts';
import { audienceFor, bindingOf } from './audience.ts';
import { ClientError } from './client-error.ts';
import { type IdentityToken, readIdentityToken } from './identity-token.ts';
import { type Flow, logIn } from './login.ts';
import { boundAudience, type SigningKey } from './signing-key.ts';

export interface TokenOptions {
  /** A JWT, the name of a file that holds one, or `-` for standard input. */
  readonly given?: string;
  /** Over what the instance says it wants; for a sign-in, the client id. */
  readonly audience?: string;
  /** Asks for a sign-in, whatever the place offers. */
  readonly flow?: Flow;
  /** Where a person signs in, over what the instance says. */
  readonly loginIssuer?: string;
  readonly env: Environment;
  readonly attended: boolean;
  tell(line: string): void;
}

/** What the instance says about the tokens that it takes. */
export interface TokenTerms {
  readonly listings: readonly IssuerListing[];
  readonly oidcUrls: readonly string[];
}

export interface AcquiredToken {
  readonly token: IdentityToken;
  /** Whether it is good for the key alone that it was asked for with. */
  readonly bound: boolean;
}

/**
 * A token for `key`, and for it alone where the instance wants that. Throws ClientError `token_unavailable`,
 * `token_malformed` and `login_failed`.
 */
export async function acquireToken(
  options: TokenOptions,
  terms: TokenTerms,
  key: Pick<SigningKey, 'thumbprint'>,
): Promise<AcquiredToken> {
  const token = await anyToken(options, terms, key);
  const binding = bindingOf(token, terms.listings, key);
  if (binding !== 'needed') return { token, bound: binding === 'kept' };
  throw new ClientError(
    'token_unavailable',
    `the instance takes a token of ${token.issuer} only for the key that its audience names, and this one was made before the key: run where a token can be asked for, such as GitHub Actions`,
  );
}

async function anyToken(
  options: TokenOptions,
  terms: TokenTerms,
  key: Pick<SigningKey, 'thumbprint'>,
): Promise<IdentityToken> {
  const { given, audience, flow, loginIssuer, env } = options;
  if (given !== undefined) return readGiven(given);
  const place = thisPlace(env);
  const wantsLogin = flow !== undefined || loginIssuer !== undefined;
  const source = wantsLogin ? undefined : await findAmbientSource(place);
  if (source !== undefined) {
    const ask = async (forKey: boolean): Promise<IdentityToken> => {
      const jwt = await source.token(place, () => {
        const { name, bound } = audienceFor(source.issuers, terms.listings, audience);
        return forKey || bound ? boundAudience(name, key) : name;
      });
      return readIdentityToken(jwt, source.name);
    };
    const token = await ask(false);
    // Only the token says which of the issuers that fit has made it.
    return bindingOf(token, terms.listings, key) === 'needed' ? ask(true) : token;
  }
  const login = await attemptLogin(options, terms);
  if (login !== undefined) return readIdentityToken(login.idToken, login.issuer);
  throw none();
}

async function attemptLogin(
  { audience, flow, loginIssuer, env, attended, tell }: TokenOptions,
  { oidcUrls, listings }: TokenTerms,
): ReturnType<typeof logIn> {
  try {
    return await logIn({
      oidcUrls,
      listings,
      env,
      attended,
      tell,
      ...(loginIssuer === undefined ? {} : { issuer: loginIssuer }),
      ...(flow === undefined ? {} : { flow }),
      ...(audience === undefined ? {} : { clientId: audience }),
    });
  } catch (failure) {
    // Where nobody is there to sign in, the lack of a token is the news, not the sign-in that could not be.
    if (attended || flow !== undefined || !(failure instanceof ClientError)) throw failure;
    throw none(failure);
  }
}

function none(cause?: ClientError): ClientError {
  const places = AMBIENT_SOURCES.map(({ name }) => name).join(', ');
  const why = cause === undefined ? '' : ` (${cause.message})`;
  return new ClientError(
    'token_unavailable',
    `no identity token was found${why}: give one with --identity-token, sign in with --browser or --device, or run where there is one of ${places}`,
    cause,
  );
}

const JWT = /^[\w-]+\.[\w-]+\.[\w-]*$/;

async function readGiven(given: string): Promise<IdentityToken> {
  if (JWT.test(given.trim()) && given.startsWith('eyJ')) return readIdentityToken(given, '--identity-token');
  let text: string;
  try {
    text = given === '-' ? await readStandardInput() : await readFile(given, 'utf8');
  } catch (cause) {
    // Not even the name is told, as a mistyped token would be taken for one.
    throw new ClientError(
      'token_unavailable',
      'what --identity-token gives is neither a JWT nor a file that can be read',
      cause,
    );
  }
  return readIdentityToken(text, given === '-' ? 'standard input' : given);
}

async function readStandardInput(): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(Buffer.from(part));
  return Buffer.concat(parts).toString('utf8');
}
