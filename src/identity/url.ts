// URL: parsing and escaping as Go's net/url does it, so that a SAN has the bytes that Fulcio would give it.
//
// WHATWG URL is no substitute: it resolves `..`, turns `\` into `/`, punycodes hosts and drops default ports.
// Parts are held as bytes in strings, see percent-encoding.ts.

import {
  decodeHost,
  decodeZone,
  FRAGMENT,
  fromBytes,
  HOST,
  PATH,
  percentDecode,
  percentEncode,
  toBytes,
  UrlError,
  USER,
  VALID_FRAGMENT,
  VALID_PATH,
} from './percent-encoding.ts';
import { quote } from './quote.ts';

export interface Url {
  readonly scheme: string;
  /** What follows the scheme where that is no slash; then host and path are empty. */
  readonly opaque: string;
  readonly user: { readonly name: string; readonly password?: string } | undefined;
  /** With port. */
  readonly host: string;
  readonly path: Escapable;
  /** Raw, without its question mark; undefined where there is none. */
  readonly query: string | undefined;
  readonly fragment: Escapable;
  /** `scheme:/path`. */
  readonly omitHost: boolean;
}

/** Decoded text with the escaping that it came in. */
interface Escapable {
  readonly text: string;
  readonly raw: string;
}

/** Plain enough to come out as it went in. */
const PLAIN =
  /^[a-z][a-z0-9+.-]*:\/\/[A-Za-z0-9._~-]+(?::[0-9]*)?(?:\/[A-Za-z0-9._~$&+,/:;=@-]*)?(?:#[A-Za-z0-9._~$&+,/:;=@?!()*-]+)?$/;

/** `url.Parse(text).String()`. Throws UrlError. */
export function escapeUrl(text: string): string {
  return PLAIN.test(text) ? text : formatUrl(parseUrl(text));
}

/** An empty element, `.` or `..`, or a final slash. */
const UNCLEAN = /\/\.{0,2}(?:\/|$)/;

/** `base` with the elements of `path` below its own: cleaned of `.`, `..` and doubled slashes, and escaped. Throws UrlError. */
export function joinUrl(base: string, path: string): string {
  const plain = base.endsWith('/') ? base + path : `${base}/${path}`;
  if (PLAIN.test(plain) && !plain.includes('#') && !UNCLEAN.test(plain.slice(plain.indexOf('://') + 3)))
    return plain;
  const url = parseUrl(base);
  const own = escapedPath(url.path);
  const rooted = cleanPath(`/${own}/${toBytes(path)}`);
  const relative = own.startsWith('/') ? rooted : rooted.slice(1);
  const joined = path.endsWith('/') && !relative.endsWith('/') ? `${relative}/` : relative;
  return formatUrl({ ...url, path: escapable(joined, PATH) });
}

/** Throws UrlError, whose message begins `parse "..."` as Go's does. */
export function parseUrl(input: string): Url {
  const hash = input.indexOf('#');
  const whole = hash < 0 ? input : input.slice(0, hash);
  const url = within(whole, () => parseWithoutFragment(toBytes(whole)));
  if (hash < 0) return url;
  return { ...url, fragment: within(input, () => escapable(toBytes(input.slice(hash + 1)), FRAGMENT)) };
}

function within<T>(text: string, parse: () => T): T {
  try {
    return parse();
  } catch (failure) {
    if (failure instanceof UrlError)
      throw new UrlError(`parse ${quote(text.toWellFormed())}: ${failure.message}`);
    throw failure;
  }
}

const NOTHING: Escapable = { text: '', raw: '' };
const EMPTY: Url = {
  scheme: '',
  opaque: '',
  user: undefined,
  host: '',
  path: NOTHING,
  query: undefined,
  fragment: NOTHING,
  omitHost: false,
};

function parseWithoutFragment(text: string): Url {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\x00-\x1f\x7f]/.test(text)) throw new UrlError('net/url: invalid control character in URL');
  if (text === '*') return { ...EMPTY, path: { text: '*', raw: '*' } };
  const { scheme, rest: afterScheme } = splitScheme(text);
  const mark = afterScheme.indexOf('?');
  const query = mark < 0 ? undefined : afterScheme.slice(mark + 1);
  const rest = mark < 0 ? afterScheme : afterScheme.slice(0, mark);
  if (!rest.startsWith('/')) {
    if (scheme !== '') return { ...EMPTY, scheme, opaque: rest, query };
    if ((rest.split('/', 1)[0] ?? '').includes(':'))
      throw new UrlError('first path segment in URL cannot contain colon');
  }
  if (rest.startsWith('//') && (scheme !== '' || !rest.startsWith('///'))) {
    const slash = rest.indexOf('/', 2);
    const authority = rest.slice(2, slash < 0 ? undefined : slash);
    const at = authority.lastIndexOf('@');
    const host = parseHost(scheme, authority.slice(at + 1));
    const user = at < 0 ? undefined : parseUser(authority.slice(0, at));
    return { ...EMPTY, scheme, user, host, path: escapable(slash < 0 ? '' : rest.slice(slash), PATH), query };
  }
  return { ...EMPTY, scheme, path: escapable(rest, PATH), query, omitHost: scheme !== '' };
}

function splitScheme(text: string): { readonly scheme: string; readonly rest: string } {
  if (text.startsWith(':')) throw new UrlError('missing protocol scheme');
  const found = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text);
  if (found?.[1] === undefined) return { scheme: '', rest: text };
  return { scheme: found[1].toLowerCase(), rest: text.slice(found[0].length) };
}

function parseUser(text: string): NonNullable<Url['user']> {
  if (/[^A-Za-z0-9\-._:~!$&'()*+,;=%@]/.test(text)) throw new UrlError('net/url: invalid userinfo');
  const colon = text.indexOf(':');
  if (colon < 0) return { name: percentDecode(text) };
  return { name: percentDecode(text.slice(0, colon)), password: percentDecode(text.slice(colon + 1)) };
}

function parseHost(scheme: string, text: string): string {
  const open = text.lastIndexOf('[');
  if (open > 0) throw new UrlError('invalid IP-literal');
  if (open === 0) {
    const close = text.lastIndexOf(']');
    if (close < 0) throw new UrlError("missing ']' in host");
    const port = checkPort(text.slice(close + 1));
    const name = text.slice(1, close);
    const zone = name.indexOf('%25');
    const address =
      zone < 0 ? decodeHost(name) : decodeHost(name.slice(0, zone)) + decodeZone(name.slice(zone));
    if (/^[0-9.]+$/.test(address)) throw new UrlError('invalid IP-literal');
    if (!isIpv6(address)) throw new UrlError('invalid host: not an IPv6 address');
    return `[${address}]${port}`;
  }
  // A database URL may list several hosts; a web URL has one colon at most.
  const web = scheme === 'http' || scheme === 'https';
  const colon = web ? text.indexOf(':') : text.lastIndexOf(':');
  if (colon >= 0) checkPort(text.slice(colon));
  return decodeHost(text);
}

function checkPort(port: string): string {
  if (port !== '' && !/^:[0-9]*$/.test(port))
    throw new UrlError(`invalid port ${quote(fromBytes(port))} after host`);
  return port;
}

function isIpv6(text: string): boolean {
  const percent = text.indexOf('%');
  if (percent === text.length - 1) return false;
  const address = percent < 0 ? text : text.slice(0, percent);
  const dotted = /^(.*:)([0-9.]+)$/.exec(address);
  const [head = '', tail = ''] = dotted?.[2]?.includes('.') ? dotted.slice(1) : [address];
  if (tail !== '' && !/^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/.test(tail)) return false;
  const halves = (tail === '' ? head : `${head}0:0`).split('::');
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const count = groups.flat().length;
  if (!groups.flat().every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? count < 8 : halves.length === 1 && count === 8;
}

/** The host without its port and brackets, as text. */
export function hostnameOf(url: Url): string {
  const bare = url.host.replace(/:[0-9]*$/, '');
  return fromBytes(bare.startsWith('[') && bare.endsWith(']') ? bare.slice(1, -1) : bare);
}

export function formatUrl(url: Url): string {
  let out = url.scheme === '' ? '' : `${url.scheme}:`;
  if (url.opaque !== '') out += url.opaque;
  else {
    const { user, host } = url;
    const someHost = host !== '' || user !== undefined;
    if ((url.scheme !== '' || someHost) && (!url.omitHost || someHost)) {
      if (someHost || url.path.text !== '') out += '//';
      if (user !== undefined) {
        out += percentEncode(user.name, USER);
        if (user.password !== undefined) out += `:${percentEncode(user.password, USER)}`;
        out += '@';
      }
      out += percentEncode(host, HOST);
    }
    const path = escapedPath(url.path);
    if (path !== '' && !path.startsWith('/') && host !== '') out += '/';
    if (out === '' && (path.split('/', 1)[0] ?? '').includes(':')) out += './'; // else it would read as a scheme
    out += path;
  }
  if (url.query !== undefined) out += `?${url.query}`;
  if (url.fragment.text !== '') out += `#${escaped(url.fragment, FRAGMENT, VALID_FRAGMENT)}`;
  return fromBytes(out);
}

function escapedPath(path: Escapable): string {
  return path.text === '*' ? '*' : escaped(path, PATH, VALID_PATH);
}

/** The escaping it came in where that is a valid one, else the usual one. */
function escaped({ text, raw }: Escapable, usual: RegExp, valid: RegExp): string {
  return raw !== '' && raw.search(valid) < 0 ? raw : percentEncode(text, usual);
}

function escapable(raw: string, usual: RegExp): Escapable {
  return { text: raw.search(usual) < 0 ? raw : percentDecode(raw), raw };
}

/** Lexically the shortest path from the root: no `.`, no `..`, no doubled and no final slash. */
function cleanPath(path: string): string {
  const out: string[] = [];
  for (const element of path.split('/')) {
    if (element === '..') out.pop();
    else if (element !== '' && element !== '.') out.push(element);
  }
  return `/${out.join('/')}`;
}
