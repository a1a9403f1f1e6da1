// Configured issuer: one entry of the configuration made usable: whom it trusts, and how claims become an identity.

import { compileProvider, type Kinds, type Provider, type ProviderParameters } from '../identity/provider.ts';
import type { Policy } from '../policy/policy.ts';
import type { InlineKeySet, Issuer } from '../token/issuer.ts';
import { holdsCertificates } from './certificates.ts';
import type { Findings } from './findings.ts';
import { faultsOf } from './issuer-url.ts';
import type { Path } from './mistake.ts';
import { suggestion } from './nearest.ts';
import { tenantClaim } from './public-issuer.ts';
import { type CiMetadata, jwks, type TrustFields } from './schema.ts';

export interface ConfiguredIssuer {
  readonly issuer: Issuer;
  readonly provider: Provider;
  /** Every token of an issuer without one may have a certificate. */
  readonly policy?: Policy;
  readonly listing: IssuerListing;
}

/** One element of `issuers` in GET /api/v2/configuration; exactly one of the URLs is there. */
export interface IssuerListing {
  readonly issuerUrl?: string;
  readonly wildcardIssuerUrl?: string;
  readonly audience: string;
  readonly challengeClaim: string;
  readonly spiffeTrustDomain: string;
  readonly issuerType: string;
  readonly subjectDomain: string;
  readonly skipEmailVerification: boolean;
}

/** An entry as either form of the file gives it. */
export interface IssuerEntry {
  readonly form: 'list' | 'fulcio';
  readonly path: Path;
  /** Where its URL stands. */
  readonly urlPath: Path;
  readonly name: string;
  readonly url: string;
  readonly wildcard: boolean;
  /** Not empty; the first is advertised. */
  readonly audiences: readonly string[];
  readonly fields: TrustFields;
  /** Constants of the type. */
  readonly values?: Readonly<Record<string, string>>;
}

export interface Surroundings {
  readonly kinds: Kinds;
  /** By name; undefined for one that has mistakes of its own. */
  readonly metadata: ReadonlyMap<string, CiMetadata | undefined>;
  readonly readFile: (path: string) => string;
  readonly findings: Findings;
}

/** Undefined for an entry with mistakes; they are in `findings` then. */
export function configure(entry: IssuerEntry, surroundings: Surroundings): ConfiguredIssuer | undefined {
  const { findings } = surroundings;
  const before = findings.errors.length;
  checkTrust(entry, findings);
  const issuer = issuerOf(entry, surroundings);
  const provider = providerOf(entry, surroundings);
  if (provider === undefined || findings.errors.length > before) return undefined;
  const { policy } = entry.fields;
  return {
    issuer,
    provider,
    ...(policy === undefined ? {} : { policy: policyOf(policy) }),
    listing: listingOf(entry, provider),
  };
}

function checkTrust({ form, path, urlPath, url, wildcard, fields }: IssuerEntry, findings: Findings): void {
  for (const { message, tolerable } of faultsOf(url)) {
    if (tolerable && form === 'fulcio') findings.warn(urlPath, message);
    else findings.error(urlPath, message);
  }
  if (wildcard && fields.type === 'spiffe') {
    findings.error(
      [...path, 'type'],
      'SPIFFE meta issuers not supported: name each issuer and its one trust domain',
    );
  }
  if (fields['allow-private-addresses'] === true && !wildcard) {
    findings.error(
      [...path, 'allow-private-addresses'],
      'is only for a URL with a *; one that is named in full may be anywhere',
    );
  }
  if (fields.jwks !== undefined && fields['jwks-uri'] !== undefined) {
    findings.error([...path, 'jwks-uri'], 'cannot stand beside jwks; give the keys or where they are');
  }
  const claim = tenantClaim(url);
  if (claim !== undefined && fields.policy === undefined && fields['allow-any'] !== true) {
    const remedy = `add policy: { require: { ${claim}: [...] } }, or allow-any: true if that is meant`;
    if (form === 'list')
      findings.error(path, `anybody can get an account at this issuer, and so a certificate; ${remedy}`);
    else findings.warn(path, `anybody can get an account at this issuer, and so a certificate; ${remedy}`);
  }
}

function issuerOf(entry: IssuerEntry, surroundings: Surroundings): Issuer {
  const { fields } = entry;
  const caCert = caCertOf(entry, surroundings);
  const keySet = keySetOf(entry, surroundings);
  const maxTokenAge = fields['max-token-age'];
  const allowPrivateAddresses = fields['allow-private-addresses'];
  const jwksHosts = fields['jwks-hosts'];
  const jwksUri = fields['jwks-uri'];
  return {
    name: entry.name,
    url: entry.url,
    wildcard: entry.wildcard,
    audiences: entry.audiences,
    ...(caCert === undefined ? {} : { caCert }),
    ...(keySet === undefined ? {} : { jwks: keySet }),
    ...(jwksUri === undefined ? {} : { jwksUri }),
    ...(maxTokenAge === undefined ? {} : { maxTokenAge: maxTokenAge / 1000 }),
    ...(allowPrivateAddresses === undefined ? {} : { allowPrivateAddresses }),
    ...(jwksHosts === undefined ? {} : { jwksHosts }),
  };
}

function caCertOf(
  { path, wildcard, fields, name }: IssuerEntry,
  surroundings: Surroundings,
): string | undefined {
  const given = fields['ca-cert'];
  if (given === undefined) return undefined;
  const here = [...path, 'ca-cert'];
  const pem = typeof given === 'string' ? given : read(given.file, [...here, 'file'], surroundings);
  if (pem !== undefined && !holdsCertificates(pem)) {
    const kind = wildcard ? 'meta issuer' : 'issuer';
    surroundings.findings.error(
      here,
      `failed to parse CA certificate for ${kind} ${name}: takes PEM certificates`,
    );
  }
  return pem;
}

function keySetOf({ path, fields }: IssuerEntry, surroundings: Surroundings): InlineKeySet | undefined {
  const given = fields.jwks;
  if (given === undefined) return undefined;
  const { findings } = surroundings;
  let here: Path = [...path, 'jwks'];
  let keySet: InlineKeySet | undefined;
  if ('keys' in given) {
    keySet = given;
  } else {
    here = [...here, 'file'];
    const text = read(given.file, here, surroundings);
    if (text === undefined) return undefined;
    try {
      keySet = findings.readData(jwks, JSON.parse(text), here);
    } catch {
      findings.error(here, 'the file is not JSON');
    }
  }
  if (keySet?.keys.some((key) => 'd' in key) === true) {
    findings.error(here, 'holds a private key; give the public part of each key only');
  }
  return keySet;
}

export function read(
  path: string,
  at: Path,
  { readFile, findings }: Pick<Surroundings, 'readFile' | 'findings'>,
): string | undefined {
  try {
    return readFile(path);
  } catch (cause) {
    findings.error(at, `the file cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
    return undefined;
  }
}

function providerOf(entry: IssuerEntry, { kinds, metadata, findings }: Surroundings): Provider | undefined {
  const { fields, path } = entry;
  const name = fields['ci-provider'];
  let templates: CiMetadata | undefined;
  if (fields.type === 'ci-provider') {
    if (name === undefined) {
      findings.error([...path, 'ci-provider'], 'is missing; it takes a key of ci-issuer-metadata');
      return undefined;
    }
    if (!metadata.has(name)) {
      findings.error(
        [...path, 'ci-provider'],
        `is not a key of ci-issuer-metadata${suggestion(name, metadata.keys())}`,
      );
      return undefined;
    }
    templates = metadata.get(name);
    if (templates === undefined) return undefined; // its mistakes are told where it stands
  } else if (name !== undefined) {
    const message = 'is only read for type ci-provider';
    if (entry.form === 'list') findings.error([...path, 'ci-provider'], message);
    else findings.warn([...path, 'ci-provider'], message);
  }
  return compile(kinds, parametersOf(entry, templates), entry, findings);
}
