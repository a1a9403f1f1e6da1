// CEL: rules in the Common Expression Language (cel.dev) over `claims`, compiled and tried out when they are read.

import { type CelInput, CelScalar, celEnv, isCelError, mapType, parse, plan, unparse } from '@bufbuild/cel';
import type { Claims, ClaimValue } from '../token/claims.ts';
import {
  callsIn,
  claimsIn,
  conditionsIn,
  type Expression,
  freeNames,
  isCall,
  partsOf,
  patternsIn,
} from './cel-tree.ts';
import type { Rule } from './rule.ts';

const ENVIRONMENT = celEnv({ variables: { claims: mapType(CelScalar.STRING, CelScalar.DYN) } });

/** What stands for `claims` in a rule. */
type ClaimMap = ReadonlyMap<string, CelInput>;

export interface CelOptions {
  /** Where it stands: `cel[0]`. */
  readonly name: string;
  readonly message?: string | undefined;
  /** Claims as a token of the issuer's kind may have them; those of no certain type are left out. */
  readonly sample: Claims;
}

export type CompiledRule =
  | { readonly rule: Rule; readonly claims: ReturnType<typeof claimsIn> }
  /** Completes "the rule ...". */
  | { readonly mistake: string };

/** Longer than anybody writes, and short enough to be parsed at once. */
const MAX_LENGTH = 4096;

/**
 * A rule that never throws: what cannot be evaluated, such as a claim that is not there, makes it false. Whatever is
 * wrong with it for every token is told here: syntax, unknown names and functions, types that do not go together,
 * regular expressions, an answer that is neither true nor false. `claims` are the names that stand in it.
 */
export function compileCel(text: string, { name, message, sample }: CelOptions): CompiledRule {
  if (text.length > MAX_LENGTH) return { mistake: `takes at most ${MAX_LENGTH} characters` };
  let expression: Expression;
  let evaluate: (context: { claims: ClaimMap }) => unknown;
  try {
    expression = parse(text).expr;
    evaluate = plan(ENVIRONMENT, expression);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : '';
    return { mistake: `is not CEL: ${reason.replace('<input>:', '').slice(0, 200)}` };
  }
  const mistake = mistakeIn(expression, sample);
  if (mistake !== undefined) return { mistake };
  const holds = (claims: Claims): boolean => {
    try {
      return evaluate({ claims: inputOf(claims) }) === true;
    } catch {
      return false; // the library answers errors as values, and this is where it would not
    }
  };
  return { rule: { name, text, claim: undefined, message, holds }, claims: claimsIn(expression) };
}

/** Errors that no token can help; others, such as a claim that is not there or no number, depend on the token. */
const LASTING =
  /^(?:found no matching overload for|unbound function|error parsing regexp|unresolved attribute|type mismatch)/;

function mistakeIn(expression: Expression, sample: Claims): string | undefined {
  const strangers = [...freeNames(expression)].filter((name) => name !== 'claims' && !TYPES.has(name));
  if (strangers.length > 0)
    return `knows no ${strangers.join(', ')}; a claim is written claims.NAME or claims["NAME"]`;
  const context = { claims: inputOf(sample) };
  // Part by part, as `a && b` does not look at b when a is false.
  for (const part of callsIn(expression)) {
    const value = attempt(part, context);
    if (isCelError(value) && LASTING.test(value.message)) return `cannot be evaluated: ${value.message}`;
  }
  // Within macros as well, where a function is missed before its arguments are.
  for (const part of partsOf(expression).filter(isCall)) {
    const value = attempt(part, context);
    if (isCelError(value) && value.message.startsWith('unbound function'))
      return `cannot be evaluated: ${value.message}`;
  }
  for (const pattern of patternsIn(expression)) {
    const value = MATCHES({ claims: new Map([['pattern', pattern]]) });
    if (isCelError(value)) return `cannot be evaluated: ${value.message}`;
  }
  for (const part of conditionsIn(expression)) {
    const value = attempt(part, context);
    if (isCelError(value) || typeof value === 'boolean') continue;
    const which = part === expression ? '' : `, as ${unparse(part).slice(0, 100)}`;
    return `must be true or false, and is neither${which}`;
  }
  return undefined;
}

function attempt(expression: Expression, context: { claims: ClaimMap }): unknown {
  return plan(ENVIRONMENT, expression)(context);
}

/** For patterns that are there whatever the token holds. */
const MATCHES = plan(ENVIRONMENT, parse('"".matches(claims.pattern)').expr);

const TYPES: ReadonlySet<string> = new Set([
  'bool',
  'bytes',
  'double',
  'int',
  'list',
  'map',
  'null_type',
  'string',
  'type',
  'uint',
]);

/** The rules of a policy look at the same claims one after the other. */
const inputs = new WeakMap<Claims, ClaimMap>();

function inputOf(claims: Claims): ClaimMap {
  let input = inputs.get(claims);
  if (input === undefined) {
    input = new Map([...claims].map(([name, value]) => [name, celOf(value)]));
    inputs.set(claims, input);
  }
  return input;
}

/** Whole numbers are ints, so that `claims.project_id % 2 == 0` works; int and double compare as one expects. */
function celOf(value: ClaimValue): CelInput {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(celOf);
  return new Map(Object.entries(value).map(([name, one]): [string, CelInput] => [name, celOf(one)]));
}
