// Effective settings: what an instance runs with, under the names of the file and with nothing secret in it.

import type { ConfiguredIssuer, Settings } from './settings.ts';

type Plain = string | number | boolean | null | readonly Plain[] | { readonly [name: string]: Plain };

const SET = '(set)';

/** For people and scripts; what stands in place of a secret only says that there is one. */
export function effectiveSettings(settings: Settings): { readonly [name: string]: Plain } {
  const { issuers, frozen, limits, ...general } = settings;
  return {
    ...mapOf(general),
    'rate-limits': limits.enabled ? mapOf(limits) : 'off',
    issuers: issuers.map(issuerOf),
    ...(frozen !== undefined && frozen.size > 0 && { frozen: [...frozen] }),
  };
}

function issuerOf({ issuer, provider, policy, replay }: ConfiguredIssuer): Plain {
  const { name, url, wildcard, audiences, ...trust } = issuer;
  return {
    name,
    'issuer-url': url,
    wildcard,
    audiences: [...audiences],
    type: provider.type,
    ...mapOf({ ...trust, ...(trust.jwks !== undefined && { jwks: `${trust.jwks.keys.length} keys` }) }),
    policy:
      policy === undefined
        ? 'none: every identity of this issuer may have a certificate'
        : { mode: policy.mode, rules: policy.rules.map(({ text }) => text) },
    replay,
  };
}

/** Names of settings whose value nobody else may see; a path to a file is no secret. */
const SECRET = /password|secret|bearer|tokens?$|options|access-key|passphrase|pin$|private/;
const PATH = /-file$|^allow-private-addresses$/;

function mapOf(object: object): { readonly [name: string]: Plain } {
  return Object.fromEntries(
    Object.entries(object)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => {
        const key = kebab(name);
        return [key, SECRET.test(key) && !PATH.test(key) && !isEmpty(value) ? SET : plain(value)];
      }),
  );
}

function plain(value: unknown): Plain {
  if (typeof value === 'string') return withoutSecrets(value);
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Set) return [...value].map(plain);
  return typeof value === 'object' ? mapOf(value) : String(value);
}

/** Neither a private key in PEM nor what stands before the @ of a URL. */
function withoutSecrets(text: string): string {
  if (text.includes('PRIVATE KEY-----')) return SET;
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, `$1${SET}@`);
}

function isEmpty(value: unknown): boolean {
  return (Array.isArray(value) && value.length === 0) || value === false;
}

function kebab(name: string): string {
  const key = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return key.endsWith('-ms') ? `${key.slice(0, -3)}-in-ms` : key;
}
