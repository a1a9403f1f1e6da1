// Template tree: a parsed template of Fulcio's configuration, the part of Go's text/template that such files use.

/** As Go counts in its messages: line from 1, column in bytes from 0. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface TemplateMistake extends Place {
  readonly message: string;
}

/** Caught where a template is parsed, and handed on as its mistake. */
export class TemplateSyntaxError extends Error {
  override readonly name = 'TemplateSyntaxError';
  readonly place: Place;

  constructor(message: string, place: Place) {
    super(message);
    this.place = place;
  }
}

export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'value'; readonly value: Expression }
  | {
      readonly kind: 'if';
      readonly condition: Expression;
      readonly then: readonly Piece[];
      readonly otherwise: readonly Piece[];
    };

interface Written {
  readonly place: Place;
  /** As it is written, for messages. */
  readonly source: string;
}

/** `.`: the map of all claims. */
export interface Everything extends Written {
  readonly kind: 'everything';
}

/** `.name` */
export interface Field extends Written {
  readonly kind: 'field';
  readonly name: string;
}

export interface Literal extends Written {
  readonly kind: 'literal';
  readonly value: string | boolean | NumberLiteral;
}

export interface Call extends Written {
  readonly kind: 'call';
  readonly function: FunctionName;
  readonly operands: readonly Expression[];
  /** The last operand comes from a pipeline: it is evaluated first, and `source` leaves it out. */
  readonly piped: boolean;
}

export type Expression = Everything | Field | Literal | Call;

/** Go compares whole numbers with whole ones only. */
export class NumberLiteral {
  readonly value: number;
  readonly type: 'int' | 'float64';

  constructor(value: number, type: 'int' | 'float64') {
    this.value = value;
    this.type = type;
  }
}

/** How many operands each function takes. */
export const FUNCTIONS = {
  and: { least: 1, most: Number.POSITIVE_INFINITY },
  eq: { least: 2, most: Number.POSITIVE_INFINITY },
  index: { least: 2, most: 2 },
  ne: { least: 2, most: 2 },
  not: { least: 1, most: 1 },
  or: { least: 1, most: Number.POSITIVE_INFINITY },
} as const;

export type FunctionName = keyof typeof FUNCTIONS;

export function isFunctionName(word: string): word is FunctionName {
  return Object.hasOwn(FUNCTIONS, word);
}
