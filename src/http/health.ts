// Health: /healthz says the process lives; /readyz says whether a certificate could be issued now, and if not, why.

import { type Authority, PROBE } from '../certificate/authority.ts';
import { LIFETIME_SECONDS } from '../certificate/profile.ts';
import type { Instant } from '../clock.ts';

/** Red this long before the CA certificate is too short-lived to issue: the operator needs time to act. */
export const EXPIRY_WARNING_MS = 24 * 60 * 60 * 1000;

/** One reason not to send traffic here. */
export interface Unreadiness {
  readonly component: 'draining' | 'signer' | 'authority' | 'log' | 'workers';
  readonly reason: string;
  /** For the operator's log alone. */
  readonly cause?: unknown;
}

const JSON_TYPE = { 'content-type': 'application/json' };

export function servingResponse(): Response {
  return new Response('{"status":"SERVING"}\n', { headers: JSON_TYPE });
}

export function readinessResponse(reasons: readonly Unreadiness[]): Response {
  if (reasons.length === 0) return new Response('{"status":"READY"}\n', { headers: JSON_TYPE });
  const told = reasons.map(({ component, reason }) => ({ component, reason }));
  const body = `${JSON.stringify({ status: 'NOT_READY', reasons: told })}\n`;
  return new Response(body, { status: 503, headers: JSON_TYPE });
}

export async function signerReadiness({
  signer,
}: Pick<Authority, 'signer'>): Promise<readonly Unreadiness[]> {
  try {
    const signature = await signer.sign(PROBE);
    if (signature.length > 0) return [];
    return [{ component: 'signer', reason: 'the signing key returned an empty signature' }];
  } catch (cause) {
    return [{ component: 'signer', reason: 'the signing key cannot be used', cause }];
  }
}

export function authorityReadiness(authority: Authority, now: Instant): readonly Unreadiness[] {
  if (now < authority.notBefore)
    return [{ component: 'authority', reason: 'the CA certificate is not valid yet' }];
  if (now + LIFETIME_SECONDS * 1000 + EXPIRY_WARNING_MS <= authority.notAfter) return [];
  const when = new Date(authority.notAfter).toISOString();
  return [{ component: 'authority', reason: `the CA certificate chain expires at ${when}` }];
}
