// Policy cases: a table of claims and what a policy must say to them, as an operator writes it for `mayfly policy test`.

import * as z from 'zod';
import { type Claims, claimsOf } from '../token/claims.ts';
import { readDocument } from './document.ts';
import { Findings } from './findings.ts';
import { SettingsError } from './mistake.ts';
import { text } from './value-schema.ts';

export interface PolicyCase {
  /** 1 is the first. */
  readonly number: number;
  readonly name: string;
  /** Name of a configured issuer. */
  readonly issuer: string;
  readonly claims: Claims;
  readonly expected: 'allow' | 'deny';
  /** The rule that must be the first to object. */
  readonly rule: string | undefined;
}

export interface PolicyCases {
  /** Of the configuration, from the working directory. */
  readonly config: string | undefined;
  readonly cases: readonly PolicyCase[];
}

const schema = z.strictObject({
  config: text.optional(),
  cases: z
    .array(
      z.strictObject({
        name: text,
        issuer: text,
        claims: z.record(z.string(), z.json()),
        expect: z.enum(['allow', 'deny']),
        rule: text.optional(),
      }),
    )
    .min(1, 'needs at least one case'),
});

/** Throws SettingsError with every mistake. */
export function parsePolicyCases(yamlText: string, fileName: string): PolicyCases {
  const read = readDocument(yamlText);
  if ('mistakes' in read) throw new SettingsError(read.mistakes, fileName);
  const { root } = read.document;
  const findings = new Findings(root, read.document);
  const table = findings.read(schema, root, []);
  if (table === undefined || findings.errors.length > 0) throw new SettingsError(findings.errors, fileName);
  return {
    config: table.config,
    cases: table.cases.map(({ name, issuer, claims, expect, rule }, index) => {
      return { number: index + 1, name, issuer, claims: claimsOf(claims), expected: expect, rule };
    }),
  };
}
