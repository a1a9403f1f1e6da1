// Constant: a name of a kind that no claim overrides, such as the URL under which a CI's repositories live.

import type { Kind, UrlConstant } from './kind.ts';
import type { Report } from './parameter.ts';
import { UrlError } from './percent-encoding.ts';
import { parseUrl } from './url.ts';

/** The kind's constants for one issuer, `values` being the operator's. */
export function readConstants(
  type: string,
  kind: Kind,
  values: Readonly<Record<string, string>>,
  issuerUrl: string,
  report: Report,
): ReadonlyMap<string, string> {
  const given = new Map(Object.entries(values));
  for (const name of given.keys()) {
    if (kind.constants.has(name)) continue;
    const known = [...kind.constants.keys()].join(', ') || 'none';
    report(['values', name], `is no constant of ${type}; its constants: ${known}`);
  }
  const constants = new Map<string, string>();
  for (const [name, rule] of kind.constants) {
    const value = given.get(name);
    const path = ['values', name];
    if (typeof rule === 'string') constants.set(name, value ?? rule);
    else if (value === undefined) {
      const derived = derive(rule, issuerUrl);
      if (derived !== undefined) constants.set(name, derived);
      else report(path, 'is needed for this issuer, such as https://ci.example.org');
    } else if (isWebUrl(value)) constants.set(name, value.replace(/\/+$/, ''));
    else report(path, 'takes a URL with http:// or https://, a host and perhaps a path');
  }
  return constants;
}

function isWebUrl(text: string): boolean {
  try {
    const { scheme, host, user, query, fragment } = parseUrl(text);
    const web = (scheme === 'https' || scheme === 'http') && host !== '';
    return web && user === undefined && query === undefined && fragment.text === '';
  } catch (failure) {
    if (failure instanceof UrlError) return false;
    throw failure;
  }
}

/** Undefined where it cannot be told, as for a pattern with a `*` in what would become part of it. */
function derive(rule: UrlConstant, issuerUrl: string): string | undefined {
  const origin = /^https?:\/\/[^/?#]+/.exec(issuerUrl)?.[0];
  if (origin === undefined) return undefined;
  for (const [pattern, value] of rule.known) {
    const part = matchOrigin(pattern, origin);
    if (part !== undefined) return value.replace('*', () => part);
  }
  const ending = rule.fromIssuerWithout;
  if (ending === undefined) return undefined;
  const url = issuerUrl.endsWith(ending) ? issuerUrl.slice(0, issuerUrl.length - ending.length) : origin;
  const bare = url.replace(/\/+$/, '');
  return bare.includes('*') ? undefined : bare;
}

/** What the `*` stands for, '' where there is none; undefined where they differ. */
function matchOrigin(pattern: string, origin: string): string | undefined {
  const [before = '', after] = pattern.split('*');
  if (after === undefined) return origin === before ? '' : undefined;
  if (origin.length <= before.length + after.length) return undefined;
  if (!origin.startsWith(before) || !origin.endsWith(after)) return undefined;
  const part = origin.slice(before.length, origin.length - after.length);
  return /^[A-Za-z0-9-]+$/.test(part) ? part : undefined;
}
