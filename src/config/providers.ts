// Providers: config/providers.yaml, in which every kind of issuer is described, read into kinds.

import * as z from 'zod';
import { ATTRIBUTE_NAMES } from '../identity/attribute.ts';
import {
  CHECKS,
  type ClaimRule,
  type ConstantRule,
  type Kind,
  PARAMETER_NAMES,
  PARAMETER_RULES,
  type QuotaSource,
  type SanRule,
  type TextRule,
} from '../identity/kind.ts';
import type { Kinds } from '../identity/provider.ts';
import { parseTemplate } from '../identity/template-parser.ts';
import { readDocument } from './document.ts';
import { Findings } from './findings.ts';
import { SettingsError } from './mistake.ts';

const attributeName = z.enum(ATTRIBUTE_NAMES.map(({ name }) => name));

/** A bare name or a template. */
const template = z.string().superRefine((text, context) => {
  const parsed = parseTemplate(text);
  if ('pieces' in parsed) return;
  const { message, column } = parsed.mistake;
  context.addIssue({ code: 'custom', message: `${message} (character ${column + 1} of the template)` });
});

const textRule: z.ZodType<TextRule> = z.union(
  [template, z.strictObject({ uri: template }), z.strictObject({ base: template, path: template })],
  'takes a name, a template, { uri } or { base, path }',
);

const sanRule = z
  .strictObject({
    email: textRule.optional(),
    uri: textRule.optional(),
    'other-name': textRule.optional(),
  })
  .transform(({ email, uri, 'other-name': otherName }, context): SanRule => {
    const given: SanRule[] = [];
    if (email !== undefined) given.push({ kind: 'email', value: email });
    if (uri !== undefined) given.push({ kind: 'uri', value: typeof uri === 'string' ? { uri } : uri });
    if (otherName !== undefined) given.push({ kind: 'other-name', value: otherName });
    const [only, second] = given;
    if (only !== undefined && second === undefined) return only;
    context.addIssue({ code: 'custom', message: 'takes exactly one of email, uri and other-name' });
    return z.NEVER;
  });

const check = z.enum(CHECKS);

const claimRule = z.union(
  [
    check.transform((is): ClaimRule => ({ is })),
    z
      .strictObject({
        is: check,
        path: z.array(z.string()).min(1, 'needs at least one name').optional(),
        default: z.string().optional(),
        'one-of': z.array(z.string()).min(1, 'needs at least one value').optional(),
        of: z.string().optional(),
        under: z.string().optional(),
      })
      .transform(({ 'one-of': oneOf, ...rule }): ClaimRule => ({ ...rule, oneOf })),
  ],
  'takes a check, or { is, path, default, one-of, of, under }',
);

const constantRule = z.union(
  [
    z.string(),
    z
      .strictObject({
        known: z.record(z.string(), z.string()).default({}),
        'from-issuer-without': z.string().optional(),
      })
      .transform(({ known, 'from-issuer-without': fromIssuerWithout }): ConstantRule => {
        return { known: mapOf(known), fromIssuerWithout };
      }),
  ],
  'takes a text, or { known, from-issuer-without }',
);

const quotaSource = z.union(
  [
    z.string().transform((claim): QuotaSource => ({ claim })),
    z.strictObject({ extension: attributeName }) satisfies z.ZodType<QuotaSource>,
  ],
  'takes the name of a claim, or { extension }',
);

const quotaSources = z.union(
  [quotaSource.transform((source) => [source]), z.array(quotaSource)],
  'takes the name of a claim, { extension }, or a list of them',
);

const kind = z
  .strictObject({
    parameters: z.partialRecord(z.enum(PARAMETER_NAMES), z.enum(PARAMETER_RULES)).default({}),
    constants: z.record(z.string(), constantRule).default({}),
    claims: z.record(z.string(), claimRule).default({}),
    'other-claims': z
      .array(z.string().regex(/^[^*]+\*?$/, 'takes the name of a claim, or the beginning of several and *'))
      .optional(),
    san: sanRule.optional(),
    extensions: z.partialRecord(attributeName, textRule).default({}),
    challenge: z.array(z.string()).min(1, 'needs at least one claim').default(['sub']),
    'advertised-challenge': z.string().optional(),
    quota: z
      .strictObject({ identity: quotaSources.default([]), owner: quotaSources.default([]) })
      .default({ identity: [], owner: [] }),
  })
  .superRefine(({ claims, constants }, context) => {
    for (const [name, { under }] of Object.entries(claims)) {
      if (under === undefined || typeof constants[under] === 'object') continue;
      const message = 'takes the name of a constant that is a URL';
      context.addIssue({ code: 'custom', message, path: ['claims', name, 'under'] });
    }
  })
  .transform(({ parameters, constants, claims, extensions, ...rest }): Omit<Kind, 'preset'> => {
    return {
      parameters: mapOf(parameters),
      constants: mapOf(constants),
      claims: mapOf(claims),
      otherClaims: rest['other-claims'],
      san: rest.san,
      extensions: mapOf(extensions),
      challenge: rest.challenge,
      advertisedChallenge: rest['advertised-challenge'] ?? rest.challenge[0] ?? 'sub',
      quota: rest.quota,
    };
  });

const document = z.strictObject({
  kinds: z.record(z.string(), kind),
  presets: z.record(z.string(), kind).default({}),
});

/** Throws SettingsError with every mistake, and where it is in the text. */
export function parseProviders(yamlText: string, fileName = 'providers.yaml'): Kinds {
  const read = readDocument(yamlText);
  if ('mistakes' in read) throw new SettingsError(read.mistakes, fileName);
  const findings = new Findings(read.document.root, read.document);
  const found = findings.read(document, read.document.root, []);
  const twice = Object.keys(found?.presets ?? {}).filter((name) => Object.hasOwn(found?.kinds ?? {}, name));
  for (const name of twice) findings.error(['presets', name], 'is the name of a kind already');
  if (found === undefined || findings.errors.length > 0) throw new SettingsError(findings.errors, fileName);
  return new Map<string, Kind>([
    ...Object.entries(found.kinds).map(([name, one]): [string, Kind] => [name, { ...one, preset: false }]),
    ...Object.entries(found.presets).map(([name, one]): [string, Kind] => [name, { ...one, preset: true }]),
  ]);
}

function mapOf<K extends string, V>(record: { readonly [key in K]?: V }): ReadonlyMap<K, V> {
  return new Map(Object.entries(record) as [K, V][]); // the keys are the record's own
}
