// Configured issuer: one entry of the configuration made usable: whom it trusts, and how claims become an identity.

import type { ReplayMode } from '../admission/replay.ts';
import { PARAMETER_NAMES } from '../identity/kind.ts';
import { compileProvider, type Kinds, type Provider, type ProviderParameters } from '../identity/provider.ts';
import type { Policy } from '../policy/policy.ts';
import type { Issuer } from '../token/issuer.ts';
import { hasWildcardHost } from '../token/issuer-pattern.ts';
import type { CiMetadata, TrustFields } from './issuer-schema.ts';
import { faultsOf } from './issuer-url.ts';
import type { Mistake, Path } from './mistake.ts';
import { suggestion } from './nearest.ts';
import { readPolicy } from './policy-settings.ts';
import { narrowing } from './public-issuer.ts';
import { defined, type Reader, readCaCert, readKeySet } from './trust-material.ts';

export interface ConfiguredIssuer {
  readonly issuer: Issuer;
  readonly provider: Provider;
  /** Without one every proven identity of the issuer may have a certificate. */
  readonly policy?: Policy;
  readonly replay: ReplayMode;
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
  /** Not in Fulcio's message, and absent unless the entry has it: how an audience names the key that a token is for. */
  readonly binding?: 'audience-thumbprint';
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
  /** Which of them the file itself says; the others stand in for what is wrong there. */
  readonly own: { readonly url: boolean; readonly name: boolean; readonly audiences: boolean };
  /** Constants of the type. */
  readonly values?: Readonly<Record<string, string>>;
}

export interface Surroundings extends Reader {
  readonly kinds: Kinds;
  /** By name; undefined for one that has mistakes of its own. */
  readonly metadata: ReadonlyMap<string, CiMetadata | undefined>;
}

/** Undefined for an entry with mistakes; they are in `findings` then. */
export function configure(entry: IssuerEntry, surroundings: Surroundings): ConfiguredIssuer | undefined {
  const { findings } = surroundings;
  const before = findings.errors.length;
  checkTrust(entry, surroundings);
  const issuer = issuerOf(entry, surroundings);
  const provider = providerOf(entry, surroundings);
  const { fields } = entry;
  const policy =
    fields.policy &&
    readPolicy(fields.policy, surroundings.kinds.get(fields.type), [...entry.path, 'policy'], findings);
  if (provider === undefined || findings.errors.length > before) return undefined;
  return {
    issuer,
    provider,
    ...defined('policy', policy),
    replay: fields.replay,
    listing: { ...listingOf(entry, provider), ...defined('binding', fields.binding) },
  };
}

function checkTrust(entry: IssuerEntry, { findings }: Surroundings): void {
  const { path, urlPath, url, wildcard, fields, own } = entry;
  if (own.url)
    for (const { message, tolerable } of faultsOf(url))
      findings.add(urlPath, message, tolerable ? severityIn(entry.form) : 'error');
  if (wildcard && fields.type === 'spiffe') {
    findings.error(
      [...path, 'type'],
      'SPIFFE meta issuers not supported: a trust domain takes one issuer, named in full',
    );
  }
  if (fields['allow-private-addresses'] === true && own.url && !hasWildcardHost(url)) {
    findings.error(
      [...path, 'allow-private-addresses'],
      'is for a URL with a * in its host; any other may be at any address',
    );
  }
  if (fields.jwks !== undefined && fields['jwks-uri'] !== undefined) {
    findings.error([...path, 'jwks-uri'], 'cannot stand beside jwks: give the keys or where they are');
  }
  const remedy = narrowing(url);
  const says = (key: string): boolean => findings.isSound([...path, key]);
  const open = fields.policy === undefined && fields['allow-any'] !== true;
  if (remedy !== undefined && open && says('policy') && says('allow-any')) {
    const message = 'anybody can have an account at this public issuer, and so a certificate here';
    findings.add(
      path,
      `${message}; ${remedy}, or allow-any: true where that is meant`,
      severityIn(entry.form),
    );
  }
}

/** What Fulcio loads without a word is refused in our own form, and loads with a warning in Fulcio's. */
function severityIn(form: IssuerEntry['form']): Mistake['severity'] {
  return form === 'fulcio' ? 'warning' : 'error';
}

function issuerOf(entry: IssuerEntry, reader: Reader): Issuer {
  const { name, url, wildcard, audiences, fields, path } = entry;
  const { 'ca-cert': caCert, jwks, 'max-token-age': maxTokenAge } = fields;
  const inMessages = `${wildcard ? 'meta issuer' : 'issuer'} ${url}`;
  return {
    name,
    url,
    wildcard,
    audiences,
    ...defined('caCert', caCert && readCaCert(caCert, inMessages, [...path, 'ca-cert'], reader)),
    ...defined('jwks', jwks && readKeySet(jwks, [...path, 'jwks'], reader)),
    ...defined('jwksUri', fields['jwks-uri']),
    ...defined('jwksHosts', fields['jwks-hosts']),
    ...defined('binding', fields.binding),
    ...defined('maxTokenAge', maxTokenAge === undefined ? undefined : maxTokenAge / 1000),
    ...defined('allowPrivateAddresses', fields['allow-private-addresses']),
  };
}

function providerOf(entry: IssuerEntry, { kinds, metadata, findings }: Surroundings): Provider | undefined {
  const { fields, path } = entry;
  const name = fields['ci-provider'];
  let templates: CiMetadata | undefined;
  if (fields.type === 'ci-provider') {
    const here = [...path, 'ci-provider'];
    if (name === undefined && !findings.isSound(here)) return undefined;
    if (name === undefined) findings.error(here, 'is missing; it takes a key of ci-issuer-metadata');
    else if (!metadata.has(name)) {
      findings.error(here, `names no key of ci-issuer-metadata${suggestion(name, metadata.keys())}`);
    }
    templates = name === undefined ? undefined : metadata.get(name);
    if (templates === undefined) return undefined; // where it has mistakes, they are told there
  } else if (name !== undefined) {
    findings.add([...path, 'ci-provider'], 'is read for type ci-provider only', severityIn(entry.form));
  }
  for (const parameter of PARAMETER_NAMES) {
    // compileProvider has its own words for an issuer-claim that is not read
    const unread =
      parameter !== 'issuer-claim' && kinds.get(fields.type)?.parameters.has(parameter) === false;
    if (unread && fields[parameter] !== undefined) {
      findings.add([...path, parameter], `is not read for type ${fields.type}`, severityIn(entry.form));
    }
  }
  const result = compileProvider(kinds, parametersOf(entry, templates));
  if ('provider' in result) return result.provider;
  for (const mistake of result.mistakes) {
    const hint = mistake.path.join() === 'type' ? suggestion(fields.type, typesIn(entry.form, kinds)) : '';
    const at = [...path, ...mistake.path];
    if (findings.isSound(at)) findings.error(at, mistake.message + hint);
  }
  return undefined;
}

/** Presets are for the list form. */
export function typesIn(form: IssuerEntry['form'], kinds: Kinds): readonly string[] {
  return [...kinds].filter(([, { preset }]) => form === 'list' || !preset).map(([name]) => name);
}

function parametersOf(entry: IssuerEntry, templates: CiMetadata | undefined): ProviderParameters {
  const { fields, values } = entry;
  return {
    type: fields.type,
    form: entry.form,
    issuerUrl: entry.url,
    ...defined('subjectDomain', fields['subject-domain']),
    ...defined('spiffeTrustDomain', fields['spiffe-trust-domain']),
    ...defined('issuerClaim', fields['issuer-claim']),
    ...defined('skipEmailVerification', fields['skip-email-verification']),
    ...defined('challengeClaim', fields['challenge-claim']),
    ...defined('metadata', templates && metadataOf(templates)),
    ...defined('values', values),
  };
}

export function metadataOf(templates: CiMetadata): NonNullable<ProviderParameters['metadata']> {
  return {
    defaults: templates['default-template-values'] ?? {},
    extensions: templates['extension-templates'] ?? {},
    san: templates['subject-alternative-name-template'],
  };
}

function listingOf({ url, wildcard, audiences }: IssuerEntry, provider: Provider): IssuerListing {
  return {
    ...(wildcard ? { wildcardIssuerUrl: url } : { issuerUrl: url }),
    audience: audiences[0] ?? '',
    challengeClaim: provider.challengeClaim,
    spiffeTrustDomain: provider.spiffeTrustDomain,
    issuerType: provider.type,
    subjectDomain: provider.subjectDomain,
    skipEmailVerification: provider.skipEmailVerification,
  };
}
