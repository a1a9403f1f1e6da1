// Template: text with claims in it, compiled once when the configuration is read; errors at run time are Go's.

import { Problem } from '../problem.ts';
import type { Claims } from '../token/claims.ts';
import { type Names, Unprintable } from './claim-text.ts';
import { quote } from './quote.ts';
import { type Call, type Expression, NumberLiteral, type Piece, type Place } from './template-tree.ts';

/** Throws Problem `identity_unencodable`. */
export type Evaluator = (claims: Claims) => string;

/** The map of all claims, which can be tested but neither printed nor compared. */
const EVERYTHING = Symbol('everything');

type Value = string | boolean | NumberLiteral | Unprintable | typeof EVERYTHING;
type Compute = (claims: Claims) => Value;

/**
 * `strict` is for subject alternative names: what `index` does not find is refused there instead of being empty, as a
 * name with an empty segment may be somebody else's; so is, in a URL, a claim that is there and empty, unless its default is.
 */
export function compileTemplate(
  pieces: readonly Piece[],
  names: Names,
  { strict, inUrl = false }: { readonly strict: boolean; readonly inUrl?: boolean | undefined },
): Evaluator {
  const [only] = pieces.length === 1 ? pieces : [];
  // A name that is empty as a whole is told as such.
  return compilePieces(pieces, names, { strict, gaps: !strict || !inUrl || only?.kind === 'value' });
}

interface Manner {
  readonly strict: boolean;
  /** Whether an empty claim may leave one. */
  readonly gaps: boolean;
}

function compilePieces(pieces: readonly Piece[], names: Names, manner: Manner): Evaluator {
  const parts = pieces.map((piece) => compilePiece(piece, names, manner));
  const [first, second] = parts;
  if (first === undefined) return () => '';
  if (second === undefined) return first;
  return (claims) => {
    let out = '';
    for (const part of parts) out += part(claims);
    return out;
  };
}

function compilePiece(piece: Piece, names: Names, manner: Manner): Evaluator {
  switch (piece.kind) {
    case 'text': {
      const { text } = piece;
      return () => text;
    }
    case 'value': {
      const compute = compile(piece.value, names);
      const where = whereOf(piece.value);
      const claim = manner.gaps ? undefined : nameIn(piece.value);
      const needed = claim !== undefined && names.reader(claim)(new Map()) !== '';
      return (claims) => {
        const value = compute(claims);
        if (needed && value === '') throw emptied(where, claim);
        return typeof value === 'string' ? value : print(value, where, manner.strict);
      };
    }
    case 'if': {
      const condition = compile(piece.condition, names);
      const then = compilePieces(piece.then, names, manner);
      const otherwise = compilePieces(piece.otherwise, names, manner);
      return (claims) => (isTrue(condition(claims)) ? then(claims) : otherwise(claims));
    }
    default:
      return piece satisfies never;
  }
}

/** The name that is written as it is: `.name` or `index . "name"`. */
function nameIn(value: Expression): string | undefined {
  if (value.kind === 'field') return value.name;
  if (value.kind !== 'call' || value.function !== 'index') return undefined;
  const [, key] = value.operands;
  return key?.kind === 'literal' && typeof key.value === 'string' ? key.value : undefined;
}

function print(value: Exclude<Value, string>, where: string, strict: boolean): string {
  if (typeof value === 'boolean') return String(value);
  if (value instanceof NumberLiteral) return String(value.value);
  if (value === EVERYTHING)
    throw refusal(`${where}the map of all claims cannot be written into a certificate`);
  if (value.is !== 'absent') throw value.refusal(where);
  if (strict) throw missing(where, value.claim);
  return '';
}

function compile(expression: Expression, names: Names): Compute {
  switch (expression.kind) {
    case 'everything':
      return () => EVERYTHING;
    case 'literal': {
      const { value } = expression;
      return () => value;
    }
    case 'field': {
      const { name } = expression;
      const read = names.reader(name);
      const where = whereOf(expression);
      return (claims) => {
        const value = read(claims);
        if (value === undefined) throw missing(where, name);
        return value;
      };
    }
    case 'call':
      return compileCall(expression, names);
    default:
      return expression satisfies never;
  }
}

function compileCall(call: Call, names: Names): Compute {
  const operands = call.operands.map((operand) => compile(operand, names));
  const [first = () => '', second = () => ''] = operands;
  switch (call.function) {
    case 'index':
      return compileIndex(call, second, names);
    case 'not':
      return (claims) => !isTrue(first(claims));
    case 'and':
      return compileShortCircuit(operands, call.piped, false);
    case 'or':
      return compileShortCircuit(operands, call.piped, true);
    case 'eq':
    case 'ne': {
      const fail = failureOf(call);
      const wanted = call.function === 'eq';
      return (claims) => {
        const [value = '', ...others] = operands.map((operand) => operand(claims));
        return others.some((other) => isEqual(value, other, fail)) === wanted;
      };
    }
    default:
      return call.function satisfies never;
  }
}

/** The first operand that decides, else the last. One that a pipeline hands over has been evaluated before. */
function compileShortCircuit(operands: readonly Compute[], piped: boolean, decides: boolean): Compute {
  const last = operands.at(-1) ?? (() => '');
  const before = operands.slice(0, -1);
  return (claims) => {
    const handed = piped ? last(claims) : undefined;
    for (const operand of before) {
      const value = operand(claims);
      if (isTrue(value) === decides) return value;
    }
    return handed ?? last(claims);
  };
}

function compileIndex(call: Call, key: Compute, names: Names): Compute {
  const [, written] = call.operands;
  if (written?.kind === 'literal' && typeof written.value === 'string') {
    const name = written.value;
    const read = names.reader(name);
    const absent = new Unprintable(name, 'absent');
    return (claims) => read(claims) ?? absent;
  }
  const where = whereOf(call);
  return (claims) => {
    const value = key(claims);
    const name = value instanceof Unprintable && value.is === 'absent' ? '' : value;
    if (name instanceof Unprintable) throw name.refusal(where);
    if (typeof name !== 'string')
      throw refusal(`${where}error calling index: value has type ${typeOf(name)}; should be string`);
    return names.reader(name)(claims) ?? new Unprintable(name, 'absent');
  };
}

function isTrue(value: Value): boolean {
  if (typeof value === 'string') return value !== '';
  if (typeof value === 'boolean') return value;
  if (value instanceof NumberLiteral) return value.value !== 0;
  return value === EVERYTHING || !value.empty;
}

function isEqual(left: Value, right: Value, fail: (reason: string | Unprintable) => Problem): boolean {
  const a = comparable(left, fail);
  const b = comparable(right, fail);
  const type = typeOf(a);
  const other = typeOf(b);
  if (type !== other) throw fail(`incompatible types for comparison: ${type} and ${other}`);
  if (a === EVERYTHING) throw fail(`non-comparable type ${type}`);
  if (a instanceof NumberLiteral && b instanceof NumberLiteral) return a.value === b.value;
  return a === b;
}

function comparable(
  value: Value,
  fail: (reason: string | Unprintable) => Problem,
): Exclude<Value, Unprintable> {
  if (!(value instanceof Unprintable)) return value;
  if (value.empty) return '';
  throw fail(value);
}

/** Go's names, as they stand in its messages. */
function typeOf(value: Exclude<Value, Unprintable>): string {
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  return value === EVERYTHING ? 'map[string]string' : value.type;
}

function failureOf(call: Call): (reason: string | Unprintable) => Problem {
  const where = `${whereOf(call)}error calling ${call.function}: `;
  return (reason) => (typeof reason === 'string' ? refusal(where + reason) : reason.refusal(where));
}

/** `template: :1:3: executing "" at <.x>: `, as Go begins its messages; its templates have no name. */
function whereOf({ place, source }: { readonly place: Place; readonly source: string }): string {
  return `template: :${place.line}:${place.column}: executing "" at <${source}>: `;
}

function missing(where: string, name: string): Problem {
  return new Problem('identity_unencodable', {
    message: `${where}map has no entry for key ${quote(name)}`,
    field: name,
    hint: `The token needs a claim ${name}.`,
  });
}

function emptied(where: string, name: string): Problem {
  return new Problem('identity_unencodable', {
    message: `${where}claim ${name} is empty and would leave a gap in the subject alternative name`,
    field: name,
    hint: `The token needs a claim ${name} that is not empty.`,
  });
}

function refusal(message: string): Problem {
  return new Problem('identity_unencodable', { message });
}
