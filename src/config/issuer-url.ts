// Issuer URL: what an operator may write for one, compared byte for byte with a token's `iss` and never normalized.

import { maxIssuerLength } from '../token/issuer.ts';

/** Patterns are compared with each other, which takes longer with their length and the stars in them. */
const MAX_PATTERN_LENGTH = 256;
const MAX_STARS = 8;

const URL_PARTS = /^(https?):\/\/([^/?#\\]+)(.*)$/s;
const HOST_PORT = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s;

export interface UrlFault {
  readonly message: string;
  /** Loads in Fulcio's form, with a warning, as it does in Fulcio; elsewhere it is refused. */
  readonly tolerable: boolean;
}

/** Everything wrong with an issuer URL or pattern. */
export function faultsOf(url: string): readonly UrlFault[] {
  const [, scheme, authority = '', rest = ''] = URL_PARTS.exec(url) ?? [];
  if (scheme === undefined) return [refused('takes a URL that begins with https://')];
  const [, host = '', port] = HOST_PORT.exec(authority) ?? [];
  const faults: UrlFault[] = [];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not be in it
  if (/[\u0000-\u0020\u007f]/.test(url))
    faults.push(refused('must not hold white space or control characters'));
  const longest = url.includes('*') ? MAX_PATTERN_LENGTH : maxIssuerLength;
  if (url.length > longest) faults.push(refused(`takes at most ${longest} characters`));
  if (url.split('*').length - 1 > MAX_STARS) faults.push(refused(`takes at most ${MAX_STARS} *`));
  if (authority.includes('@')) faults.push(refused('must not hold a user name'));
  if (/[?#]/.test(rest)) faults.push(tolerable('takes a URL without query and fragment'));
  if (scheme === 'http' && !isLoopback(host)) {
    faults.push(
      tolerable(
        'takes https://; keys fetched over http:// can be replaced on the way, so it is for loopback only',
      ),
    );
  }
  if (crossesHosts(host)) {
    faults.push(
      tolerable(
        'a * in the host needs two fixed labels to its right, such as https://*.example.com, or it matches hosts of strangers',
      ),
    );
  }
  if (port?.includes('*') === true && !isLoopback(host)) {
    faults.push(tolerable('takes a fixed port: whatever else runs on the host would be trusted too'));
  }
  return faults;
}

export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  if (name === '[::1]' || name === 'localhost' || name.endsWith('.localhost')) return !name.includes('*');
  return /^127(?:\.(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])){3}$/.test(name);
}

/** Whether the last two labels, or an address, are not fixed: what a `*` matches there may belong to anybody. */
function crossesHosts(host: string): boolean {
  if (!host.includes('*')) return false;
  const labels = host.split('.');
  return (
    labels.length < 3 ||
    labels.slice(-2).some((label) => label.includes('*') || label === '') ||
    /^\d+$/.test(labels.at(-1) ?? '')
  );
}

const refused = (message: string): UrlFault => ({ message, tolerable: false });
const tolerable = (message: string): UrlFault => ({ message, tolerable: true });
