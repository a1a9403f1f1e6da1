// CEL: rules in the Common Expression Language (cel.dev) over `claims`, compiled and tried out when they are read.

import { type CelInput, CelScalar, celEnv, isCelError, mapType, parse, plan } from '@bufbuild/cel';
import type { Claims, ClaimValue } from '../token/claims.ts';
import type { Rule } from './rule.ts';

const ENVIRONMENT = celEnv({ variables: { claims: mapType(CelScalar.STRING, CelScalar.DYN) } });

type Expression = ReturnType<typeof parse>['expr'];

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
  | { readonly rule: Rule; readonly claims: ReadonlySet<string> }
  /** Completes "the rule ...". */
  | { readonly mistake: string };

/** Longer than anybody writes, and short enough to be parsed at once. */
const MAX_LENGTH = 4096;

/**
 * A rule that never throws: what cannot be evaluated, such as a claim that is not there, makes it false. Whatever is
 * wrong with it for every token is told here: syntax, unknown names and functions, types that do not go together,
 * regular expressions, an answer that is neither true nor false. `claims` are the names that it reads.
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
  /^(?:found no matching overload for|unbound function|error parsing regexp|unresolved attribute)/;

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
  for (const pattern of patternsIn(expression)) {
    const value = MATCHES({ claims: new Map([['pattern', pattern]]) });
    if (isCelError(value)) return `cannot be evaluated: ${value.message}`;
  }
  const whole = attempt(expression, context);
  if (!isCelError(whole) && typeof whole !== 'boolean') return 'must be true or false, and is neither';
  return undefined;
}

function attempt(expression: Expression, context: { claims: ClaimMap }): unknown {
  return plan(ENVIRONMENT, expression)(context);
}

/** For patterns that are there whatever the token holds. */
const MATCHES = plan(ENVIRONMENT, parse('"".matches(claims.pattern)').expr);

function patternsIn(expression: Expression): readonly string[] {
  const { exprKind } = expression;
  const below = childrenOf(expression).flatMap(patternsIn);
  if (exprKind.case !== 'callExpr' || exprKind.value.function !== 'matches') return below;
  const { exprKind: pattern } = exprKind.value.args.at(-1) ?? expression;
  const constant = pattern.case === 'constExpr' ? pattern.value.constantKind : undefined;
  return constant?.case === 'stringValue' ? [...below, constant.value] : below;
}

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

/** Calls that stand outside of macros such as `exists`, whose variable has no value of its own; and those macros whole. */
function callsIn(expression: Expression): readonly Expression[] {
  const { exprKind } = expression;
  if (exprKind.case === 'comprehensionExpr') return [expression];
  const here = exprKind.case === 'callExpr' ? [expression] : [];
  return [...childrenOf(expression).flatMap(callsIn), ...here];
}

function childrenOf({ exprKind }: Expression): readonly Expression[] {
  switch (exprKind.case) {
    case 'callExpr':
      return [exprKind.value.target, ...exprKind.value.args].filter((one) => one !== undefined);
    case 'selectExpr':
      return exprKind.value.operand === undefined ? [] : [exprKind.value.operand];
    case 'listExpr':
      return exprKind.value.elements;
    case 'structExpr':
      return exprKind.value.entries.flatMap(({ keyKind, value }) => [
        ...(keyKind.case === 'mapKey' ? [keyKind.value] : []),
        ...(value === undefined ? [] : [value]),
      ]);
    case 'comprehensionExpr': {
      const { iterRange, accuInit, loopCondition, loopStep, result } = exprKind.value;
      return [iterRange, accuInit, loopCondition, loopStep, result].filter((one) => one !== undefined);
    }
    default:
      return [];
  }
}

/** Names that stand for a value from outside of the rule. */
function freeNames(expression: Expression, bound: readonly string[] = []): ReadonlySet<string> {
  const { exprKind } = expression;
  if (exprKind.case === 'identExpr') {
    const { name } = exprKind.value;
    return new Set(bound.includes(name) ? [] : [name]);
  }
  const own =
    exprKind.case === 'comprehensionExpr'
      ? [exprKind.value.iterVar, exprKind.value.iterVar2, exprKind.value.accuVar]
      : [];
  return new Set(childrenOf(expression).flatMap((child) => [...freeNames(child, [...bound, ...own])]));
}

function claimsIn(expression: Expression): ReadonlySet<string> {
  const names = new Set(childrenOf(expression).flatMap((child) => [...claimsIn(child)]));
  const { exprKind } = expression;
  if (exprKind.case === 'selectExpr' && isClaims(exprKind.value.operand)) names.add(exprKind.value.field);
  if (exprKind.case === 'callExpr' && exprKind.value.function === '_[_]') {
    const [map, key] = exprKind.value.args;
    const constant = key?.exprKind.case === 'constExpr' ? key.exprKind.value.constantKind : undefined;
    if (isClaims(map) && constant?.case === 'stringValue') names.add(constant.value);
  }
  return names;
}

function isClaims(expression: Expression | undefined): boolean {
  return expression?.exprKind.case === 'identExpr' && expression.exprKind.value.name === 'claims';
}

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
