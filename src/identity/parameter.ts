// Parameter: a setting of an issuer that decides about its identities, checked when the configuration is read.

import { type JsonPath, parseJsonPath } from './json-path.ts';
import type { Kind, ParameterName, ParameterRule } from './kind.ts';
import { UrlError } from './percent-encoding.ts';
import type { Expectation } from './requirement.ts';
import { parseTrustDomain } from './spiffe-id.ts';
import { hostnameOf, parseUrl, type Url } from './url.ts';

/** Takes what is wrong: the path from the issuer's entry, and a sentence that says what would be accepted. */
export type Report = (path: readonly (string | number)[], message: string) => void;

/** As the operator wrote them; undefined where absent. */
export type ParameterValues = Readonly<Record<ParameterName, string | boolean | undefined>>;

export interface Parameters {
  readonly expected: Omit<Expectation, 'constants'>;
  readonly issuerPath: JsonPath | undefined;
}

/** The settings that `kind` reads; mistakes are reported in the words that Fulcio has for them. */
export function readParameters(
  type: string,
  kind: Kind,
  values: ParameterValues,
  issuerUrl: string,
  report: Report,
): Parameters {
  const wrong = (name: string, message: string): void => report([name], message);
  const text = (name: ParameterName): string => {
    const value = kind.parameters.has(name) ? values[name] : undefined;
    return typeof value === 'string' ? value : '';
  };
  const unread = values['issuer-claim'] !== undefined && values['issuer-claim'] !== '';
  if (unread && !kind.parameters.has('issuer-claim')) {
    wrong('issuer-claim', 'only email issuers can use issuer claim mapping');
  }
  for (const [name, rule] of kind.parameters)
    RULES[rule]({ type, name, value: text(name), issuerUrl, wrong });
  const domain = text('subject-domain');
  const subject = attempt(domain);
  return {
    expected: {
      trustDomain: parseTrustDomain(text('spiffe-trust-domain')) ?? '',
      subject: {
        scheme: subject instanceof UrlError ? '' : subject.scheme,
        hostname: subject instanceof UrlError ? '' : hostnameOf(subject),
        text: domain,
      },
      skipEmailVerification:
        kind.parameters.has('skip-email-verification') && values['skip-email-verification'] === true,
    },
    issuerPath: text('issuer-claim') === '' ? undefined : parseJsonPath(text('issuer-claim')),
  };
}

interface Subject {
  readonly type: string;
  readonly name: ParameterName;
  readonly value: string;
  readonly issuerUrl: string;
  readonly wrong: (name: string, message: string) => void;
}

const RULES: Readonly<Record<ParameterRule, (subject: Subject) => void>> = {
  flag: () => {},
  'json-path': ({ name, value, wrong }) => {
    if (value !== '' && parseJsonPath(value) === undefined)
      wrong(name, "is no plain JSONPath; takes $.a.b, $['a'] or $.a[0]");
  },
  'trust-domain': ({ type, name, value, wrong }) => {
    if (value === '')
      return wrong(name, `${type} issuer must have SPIFFETrustDomain set, such as example.org`);
    if (parseTrustDomain(value) !== undefined) return;
    wrong(
      name,
      'spiffe trust domain is invalid: takes lower-case letters, digits, dots, hyphens and underscores',
    );
  },
  'uri-of-site': (subject) => {
    const { type, name, value, issuerUrl, wrong } = subject;
    if (value === '')
      return wrong(name, `${type} issuer must have SubjectDomain set, such as https://example.org`);
    const [domain, issuer] = [attempt(value), attempt(issuerUrl)];
    if (domain instanceof UrlError) return wrong(name, domain.message);
    if (domain.scheme === '')
      return wrong(name, `SubjectDomain for ${type} must contain scheme, such as https://`);
    if (!isComparable(issuer, subject)) return;
    if (domain.scheme !== issuer.scheme) {
      wrong(name, `subject (${domain.scheme}) and issuer (${issuer.scheme}) URI schemes do not match`);
      return;
    }
    checkSite(hostnameOf(domain), hostnameOf(issuer), subject);
  },
  'host-of-site': (subject) => {
    const { type, name, value, issuerUrl, wrong } = subject;
    if (value === '') return wrong(name, `${type} issuer must have SubjectDomain set, such as example.org`);
    const [domain, issuer] = [attempt(value), attempt(issuerUrl)];
    if (domain instanceof UrlError) return wrong(name, domain.message);
    if (domain.scheme !== '')
      return wrong(name, `SubjectDomain for ${type} should not contain scheme; a host only`);
    if (isComparable(issuer, subject)) checkSite(value, hostnameOf(issuer), subject);
  },
};

/** A pattern of issuers has no one host to compare with. */
function isComparable(issuer: Url | UrlError, { type, issuerUrl, wrong }: Subject): issuer is Url {
  if (issuerUrl.includes('*')) return false;
  if (issuer instanceof UrlError) wrong('issuer-url', issuer.message);
  else if (issuer.scheme === '')
    wrong('issuer-url', `issuer for ${type} must contain scheme, such as https://`);
  else return true;
  return false;
}

/** The same host, or the same last two labels: who runs the issuer is to own the subjects' domain. */
function checkSite(subject: string, issuer: string, { name, wrong }: Subject): void {
  if (subject === issuer) return;
  const site = (host: string): string => host.split('.').slice(-2).join('.');
  const short = [subject, issuer].find((host) => !host.includes('.'));
  if (short !== undefined) wrong(name, `URI hostname too short: ${short} needs at least two labels`);
  else if (site(subject) !== site(issuer))
    wrong(name, `hostname top-level and second-level domains do not match: ${subject}, ${issuer}`);
}

function attempt(text: string): Url | UrlError {
  try {
    return parseUrl(text);
  } catch (failure) {
    if (failure instanceof UrlError) return failure;
    throw failure;
  }
}
