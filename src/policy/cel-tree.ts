// CEL tree: a parsed rule as a tree of expressions, and what can be read off it before there is a token.

import type { parse } from '@bufbuild/cel';

export type Expression = ReturnType<typeof parse>['expr'];

export function childrenOf({ exprKind }: Expression): readonly Expression[] {
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

/** Itself last, after all that stands in it. */
export function partsOf(expression: Expression): readonly Expression[] {
  return [...childrenOf(expression).flatMap(partsOf), expression];
}

export function isCall({ exprKind }: Expression): boolean {
  return exprKind.case === 'callExpr';
}

/** Calls that stand outside of macros such as `exists`, whose variable has no value of its own; and those macros whole. */
export function callsIn(expression: Expression): readonly Expression[] {
  if (expression.exprKind.case === 'comprehensionExpr') return [expression];
  const here = isCall(expression) ? [expression] : [];
  return [...childrenOf(expression).flatMap(callsIn), ...here];
}

/** What has to be true or false for the rule to be: `a` and `b` of `a && b`, and both answers of `c ? a : b`. */
export function conditionsIn(expression: Expression): readonly Expression[] {
  const { exprKind } = expression;
  const joins = exprKind.case === 'callExpr' && JOINING.has(exprKind.value.function);
  return [expression, ...(joins ? exprKind.value.args.flatMap(conditionsIn) : [])];
}

const JOINING: ReadonlySet<string> = new Set(['_&&_', '_||_', '!_', '_?_:_']);

/** Names that stand for a value from outside of the rule. */
export function freeNames(expression: Expression, bound: readonly string[] = []): ReadonlySet<string> {
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

/** Patterns of `matches` that are there whatever the token holds. */
export function patternsIn(expression: Expression): readonly string[] {
  return partsOf(expression).flatMap(({ exprKind }) => {
    if (exprKind.case !== 'callExpr' || exprKind.value.function !== 'matches') return [];
    const pattern = textOf(exprKind.value.args.at(-1));
    return pattern === undefined ? [] : [pattern];
  });
}

/** The claims that a rule names, and those of them that it asks for: `has(claims.a)`, `"a" in claims`. */
export function claimsIn(expression: Expression): {
  readonly named: ReadonlySet<string>;
  readonly askedFor: ReadonlySet<string>;
} {
  const named = new Set<string>();
  const askedFor = new Set<string>();
  for (const { exprKind } of partsOf(expression)) {
    if (exprKind.case === 'selectExpr' && isClaims(exprKind.value.operand)) {
      named.add(exprKind.value.field);
      if (exprKind.value.testOnly) askedFor.add(exprKind.value.field);
    }
    if (exprKind.case !== 'callExpr') continue;
    const [first, second] = exprKind.value.args;
    const indexed = exprKind.value.function === '_[_]' && isClaims(first) ? textOf(second) : undefined;
    const asked = exprKind.value.function === '@in' && isClaims(second) ? textOf(first) : undefined;
    for (const name of [indexed, asked]) if (name !== undefined) named.add(name);
    if (asked !== undefined) askedFor.add(asked);
  }
  return { named, askedFor };
}

function isClaims(expression: Expression | undefined): boolean {
  return expression?.exprKind.case === 'identExpr' && expression.exprKind.value.name === 'claims';
}

function textOf(expression: Expression | undefined): string | undefined {
  const constant =
    expression?.exprKind.case === 'constExpr' ? expression.exprKind.value.constantKind : undefined;
  return constant?.case === 'stringValue' ? constant.value : undefined;
}
