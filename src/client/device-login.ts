// Device login: a person signs in on any device while this one asks whether they have (RFC 8628).

import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { failed, type OpenIdProvider, post, requestToken } from './openid-provider.ts';

export interface DeviceLoginOptions {
  readonly provider: OpenIdProvider;
  readonly clientId: string;
  /** Told where to sign in, once it is known that somebody has to. */
  show(verificationUri: string, userCode: string): void;
  /** Nobody is there to sign in: only a provider that agrees at once gives a token. */
  readonly unattended?: boolean;
}

/** RFC 8628 section 3.2. */
const authorization = z.object({
  device_code: z.string().min(1),
  user_code: z.string().max(64),
  verification_uri: z.url({ protocol: /^https?$/ }),
  verification_uri_complete: z.url({ protocol: /^https?$/ }).optional(),
  expires_in: z.number().nonnegative().default(600),
  interval: z.number().nonnegative().default(5),
});

const MIN_INTERVAL_S = 0.1;
const MAX_PATIENCE_S = 900;

/** The ID token. Throws ClientError `login_failed`. */
export async function logInByDevice(options: DeviceLoginOptions): Promise<string> {
  const { provider, clientId, show, unattended = false } = options;
  const { issuer, deviceEndpoint } = provider;
  if (deviceEndpoint === undefined) throw failed(`${issuer} offers no sign-in by device code`);
  const verifier = randomBytes(32).toString('base64url');
  const { json } = await post(deviceEndpoint, {
    client_id: clientId,
    scope: 'openid email',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const read = authorization.safeParse(json);
  if (!read.success) throw failed(`${issuer} started no sign-in by device code`);
  const { data } = read;

  const deadline = Date.now() + Math.min(data.expires_in, MAX_PATIENCE_S) * 1000;
  let interval = Math.max(data.interval, MIN_INTERVAL_S);
  for (let attempt = 0; ; attempt++) {
    const answer = await requestToken(provider, {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: data.device_code,
      client_id: clientId,
      code_verifier: verifier,
    });
    if ('idToken' in answer) return answer.idToken;
    if (answer.error === 'slow_down') interval += 5;
    else if (answer.error !== 'authorization_pending')
      throw failed(`${issuer} refused the sign-in: ${answer.error}`);
    if (unattended) throw failed(`${issuer} wants a person to sign in, and nobody is at the terminal`);
    if (attempt === 0) show(data.verification_uri_complete ?? data.verification_uri, data.user_code);
    if (Date.now() + interval * 1000 > deadline) throw failed('nobody has signed in in time');
    await new Promise((resolve) => setTimeout(resolve, interval * 1000));
  }
}
