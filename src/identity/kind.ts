// Kind: how the claims of one kind of issuer become an identity, as data; config/providers.yaml holds them all.

import type { SubjectAltName } from './subject-alt-name.ts';

export interface Kind {
  /** Presets are for Mayfly's list form; a Fulcio file knows the other kinds only. */
  readonly preset: boolean;
  /** Issuer settings that this kind reads, with the rule that each must keep. */
  readonly parameters: ReadonlyMap<ParameterName, ParameterRule>;
  /** Names that no claim overrides. */
  readonly constants: ReadonlyMap<string, ConstantRule>;
  /** Claims that are checked; in templates a name that is not here stands for the claim of that name, unchecked. */
  readonly claims: ReadonlyMap<string, ClaimRule>;
  /**
   * Names of all other claims that its tokens can have, one with a `*` at its end for all that begin so; undefined where
   * nobody can list them. For policies alone.
   */
  readonly otherClaims: readonly string[] | undefined;
  /** Undefined where the issuer's `ci-issuer-metadata` gives the name and the extensions. */
  readonly san: SanRule | undefined;
  /** By the names of attribute.ts. */
  readonly extensions: ReadonlyMap<string, TextRule>;
  /** The claim whose text clients sign as proof of possession; the first that is there and not empty. */
  readonly challenge: readonly string[];
  /** What the configuration endpoint says about it. */
  readonly advertisedChallenge: string;
  /** What limits count by; the first source that has text. */
  readonly quota: { readonly identity: readonly QuotaSource[]; readonly owner: readonly QuotaSource[] };
}

export const PARAMETER_NAMES = [
  'subject-domain',
  'spiffe-trust-domain',
  'issuer-claim',
  'skip-email-verification',
] as const;

export type ParameterName = (typeof PARAMETER_NAMES)[number];

export const PARAMETER_RULES = ['uri-of-site', 'host-of-site', 'trust-domain', 'json-path', 'flag'] as const;

export type ParameterRule = (typeof PARAMETER_RULES)[number];

/** Plain text, or a URL that depends on the issuer. */
export type ConstantRule = string | UrlConstant;

export interface UrlConstant {
  /** By the scheme and host of the issuer; one `*` in a key stands for a part of it, and for the same in the value. */
  readonly known: ReadonlyMap<string, string>;
  /** Any other issuer's URL without this ending, or its scheme and host; undefined where the operator must say. */
  readonly fromIssuerWithout: string | undefined;
}

export const CHECKS = [
  'text',
  'scalar',
  'whole-number',
  'strings',
  'verified',
  'email-address',
  'spiffe-id',
  'uri-in-domain',
  'user-name',
] as const;

export type Check = (typeof CHECKS)[number];

export interface ClaimRule {
  readonly is: Check;
  /** From the top of the claims to a nested one; the name itself where absent. */
  readonly path?: readonly string[] | undefined;
  /** Stands for the claim where it is absent, null or empty; without it the claim is required. */
  readonly default?: string | undefined;
  readonly oneOf?: readonly string[] | undefined;
  /** For `verified`: the claim that needs no proof where it is empty. */
  readonly of?: string | undefined;
  /** The constant, a URL, whose host and path the claim must begin with: an issuer speaks for its own host only. */
  readonly under?: string | undefined;
}

/** A bare name, a template, or a URL: escaped, or joined from a base and a path below it. */
export type TextRule = string | { readonly uri: string } | { readonly base: string; readonly path: string };

export interface SanRule {
  readonly kind: SubjectAltName['kind'];
  readonly value: TextRule;
}

export type QuotaSource = { readonly claim: string } | { readonly extension: string };
