// Provider: how the tokens of one configured issuer become identities; a kind of config/providers.yaml, compiled.

import type { Claims } from '../token/claims.ts';
import { ATTRIBUTE_NAMES, attributeNamed, IGNORED_ATTRIBUTE_NAMES } from './attribute.ts';
import { claimText, type Names } from './claim-text.ts';
import { readConstants } from './constant.ts';
import type { JsonPath } from './json-path.ts';
import type { Kind, QuotaSource, SanRule, TextRule } from './kind.ts';
import { type Parameters, type Report, readParameters } from './parameter.ts';
import { claimReader, compileRequirement, type Requirement } from './requirement.ts';
import type { SubjectAltName } from './subject-alt-name.ts';
import type { Evaluator } from './template.ts';
import { compileText } from './text-rule.ts';

/** By the name that a configuration calls `type`. */
export type Kinds = ReadonlyMap<string, Kind>;

/** One entry of `ci-issuer-metadata`. */
export interface CiMetadata {
  /** default-template-values */
  readonly defaults: Readonly<Record<string, string>>;
  /** extension-templates, by their YAML names */
  readonly extensions: Readonly<Record<string, string>>;
  /** subject-alternative-name-template */
  readonly san: string;
}

export interface ProviderParameters {
  /** A Fulcio type or, in the list form, also a preset. */
  readonly type: string;
  readonly form: 'fulcio' | 'list';
  /** May be a pattern with `*`. */
  readonly issuerUrl: string;
  readonly subjectDomain?: string;
  readonly spiffeTrustDomain?: string;
  readonly issuerClaim?: string;
  readonly skipEmailVerification?: boolean;
  /** Only advertised; what is verified is the kind's. */
  readonly challengeClaim?: string;
  readonly metadata?: CiMetadata;
  /** Other values for the constants of a preset, such as { url: 'https://github.example.com' }. */
  readonly values?: Readonly<Record<string, string>>;
}

export interface ProviderMistake {
  /**
   * From the issuer's entry; where it begins with default-template-values, extension-templates or
   * subject-alternative-name-template, from the metadata.
   */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export interface Provider {
  readonly type: string;
  /** Advertised in GET /api/v2/configuration, as are the next three. */
  readonly challengeClaim: string;
  readonly subjectDomain: string;
  readonly spiffeTrustDomain: string;
  readonly skipEmailVerification: boolean;
  /** The rest is what `derive` walks through. */
  readonly requirements: readonly Requirement[];
  /** Where the certificate's issuer stands in the claims, if not in `iss`. */
  readonly issuerPath: JsonPath | undefined;
  readonly challenge: readonly string[];
  readonly san: { readonly kind: SubjectAltName['kind']; readonly value: Evaluator };
  /** Ascending by extension. */
  readonly extensions: readonly { readonly extension: number; readonly value: Evaluator }[];
  readonly quota: { readonly identity: readonly QuotaReader[]; readonly owner: readonly QuotaReader[] };
}

/** Undefined or empty where the source has no text; `extensions` holds the values that were derived. */
export type QuotaReader = (claims: Claims, extensions: ReadonlyMap<number, string>) => string | undefined;

/** Every mistake at once, or a provider without any. */
export function compileProvider(
  kinds: Kinds,
  parameters: ProviderParameters,
): { readonly provider: Provider } | { readonly mistakes: readonly ProviderMistake[] } {
  const { type, form, issuerUrl, metadata, values } = parameters;
  const kind = kinds.get(type);
  if (kind === undefined || (kind.preset && form === 'fulcio')) {
    const known = [...kinds].filter(([, { preset }]) => !preset || form === 'list').map(([name]) => name);
    return {
      mistakes: [
        { path: ['type'], message: `unknown type ${JSON.stringify(type)}; takes ${known.join(', ')}` },
      ],
    };
  }
  const mistakes: ProviderMistake[] = [];
  const report: Report = (path, message) => void mistakes.push({ path, message });
  const constants = readConstants(type, kind, values ?? {}, issuerUrl, report);
  const given = {
    'subject-domain': parameters.subjectDomain,
    'spiffe-trust-domain': parameters.spiffeTrustDomain,
    'issuer-claim': parameters.issuerClaim,
    'skip-email-verification': parameters.skipEmailVerification,
  };
  const read = readParameters(type, kind, given, issuerUrl, report);
  const names = namesOf(kind, constants, read, new Map(Object.entries(metadata?.defaults ?? {})));
  const templates = templatesOf(kind, metadata, report);
  const compile = (rule: TextRule, strict: boolean, jsonName: string, path: readonly string[]): Evaluator => {
    const value = compileText(rule, { names, strict, jsonName });
    if (typeof value === 'function') return value;
    report(path, value.mistake);
    return () => '';
  };
  const sanPath = ['subject-alternative-name-template'];
  const san = compile(templates.san.value, true, 'SubjectAlternativeName', sanPath);
  const extensions = ATTRIBUTE_NAMES.flatMap(({ extension, name, jsonName }) => {
    const rule = templates.extensions.get(name);
    if (rule === undefined) return [];
    return [{ extension, value: compile(rule, false, jsonName, ['extension-templates', name]) }];
  });
  for (const name of IGNORED_ATTRIBUTE_NAMES) {
    const rule = templates.extensions.get(name);
    if (rule !== undefined) compile(rule, false, name, ['extension-templates', name]);
  }
  if (mistakes.length > 0) return { mistakes };
  return {
    provider: {
      type,
      challengeClaim: parameters.challengeClaim || kind.advertisedChallenge,
      subjectDomain: parameters.subjectDomain ?? '',
      spiffeTrustDomain: parameters.spiffeTrustDomain ?? '',
      skipEmailVerification: parameters.skipEmailVerification ?? false,
      requirements: [...kind.claims].map(([name, rule]) =>
        compileRequirement(name, rule, { ...read.expected, constants }),
      ),
      issuerPath: read.issuerPath,
      challenge: kind.challenge,
      san: { kind: templates.san.kind, value: san },
      extensions,
      quota: {
        identity: kind.quota.identity.map((source) => quotaReader(source, names)),
        owner: kind.quota.owner.map((source) => quotaReader(source, names)),
      },
    },
  };
}

/** Constants beat claims; claims beat defaults. */
function namesOf(
  kind: Kind,
  constants: ReadonlyMap<string, string>,
  { expected }: Parameters,
  defaults: ReadonlyMap<string, string>,
): Names {
  const fixed = new Map(constants);
  if (kind.parameters.has('subject-domain')) fixed.set('subject_domain', expected.subject.text);
  return {
    reader(name) {
      const constant = fixed.get(name);
      if (constant !== undefined) return () => constant;
      const rule = kind.claims.get(name);
      const read = claimReader(name, rule ?? {});
      const fallback = rule === undefined ? defaults.get(name) : rule.default;
      const replacesEmpty = rule?.default !== undefined;
      return (claims) => {
        const value = read(claims);
        if (value === undefined) return fallback;
        return replacesEmpty && (value === null || value === '') ? fallback : claimText(name, value);
      };
    },
  };
}

interface Templates {
  readonly san: SanRule;
  readonly extensions: ReadonlyMap<string, TextRule>;
}

/** The kind's own or, where it leaves them to it, those of the metadata. */
function templatesOf(kind: Kind, metadata: CiMetadata | undefined, report: Report): Templates {
  if (kind.san !== undefined) return { san: kind.san, extensions: kind.extensions };
  if (metadata === undefined) {
    report(['ci-provider'], 'is missing; it takes a key of ci-issuer-metadata');
    return { san: { kind: 'uri', value: '' }, extensions: new Map() };
  }
  if (metadata.san.trim() === '') {
    report(
      ['subject-alternative-name-template'],
      'SubjectAlternativeNameTemplate should not be empty; takes a template such as "{{ .url }}/{{ .workflow }}"',
    );
  }
  const extensions = new Map<string, string>();
  for (const [name, template] of Object.entries(metadata.extensions)) {
    if (attributeNamed(name) === undefined && !IGNORED_ATTRIBUTE_NAMES.includes(name)) {
      const known = ATTRIBUTE_NAMES.map((entry) => entry.name).join(', ');
      report(['extension-templates', name], `is no extension; takes ${known}`);
    } else if (template.trim() !== '') extensions.set(name, template);
  }
  return { san: { kind: 'uri', value: { uri: metadata.san } }, extensions };
}

function quotaReader(source: QuotaSource, names: Names): QuotaReader {
  if ('extension' in source) {
    const extension = attributeNamed(source.extension)?.extension ?? 0;
    return (_, extensions) => extensions.get(extension);
  }
  const read = names.reader(source.claim);
  return (claims) => {
    const value = read(claims);
    return typeof value === 'string' ? value : undefined;
  };
}
