// SPIFFE ID: spiffe://trust-domain/path, the name of a workload (SPIFFE-ID section 2).

export interface SpiffeId {
  readonly trustDomain: string;
  /** Empty, or begins with a slash. */
  readonly path: string;
}

const SCHEME = 'spiffe://';
const TRUST_DOMAIN = /^[a-z0-9._-]+$/;
const SEGMENT = /^[A-Za-z0-9._-]+$/;

/** Undefined for anything but the canonical form: lower-case domain, no empty, `.` or `..` segment, no final slash. */
export function parseSpiffeId(text: string): SpiffeId | undefined {
  if (!text.startsWith(SCHEME)) return undefined;
  const rest = text.slice(SCHEME.length);
  const slash = rest.indexOf('/');
  const trustDomain = slash < 0 ? rest : rest.slice(0, slash);
  const path = slash < 0 ? '' : rest.slice(slash);
  if (!TRUST_DOMAIN.test(trustDomain)) return undefined;
  if (path !== '' && !path.slice(1).split('/').every(isSegment)) return undefined;
  return { trustDomain, path };
}

function isSegment(segment: string): boolean {
  return SEGMENT.test(segment) && segment !== '.' && segment !== '..';
}

/** From the bare name or from any ID within the domain. */
export function parseTrustDomain(text: string): string | undefined {
  if (text.includes(':/')) return parseSpiffeId(text)?.trustDomain;
  return TRUST_DOMAIN.test(text) ? text : undefined;
}
