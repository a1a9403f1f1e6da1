// Template parser: tokens into the tree; everything that text/template has beyond it is refused, with its place.

import { type Mark, type Token, tokenize } from './template-token.ts';
import {
  type Expression,
  FUNCTIONS,
  isFunctionName,
  type Piece,
  type Place,
  type TemplateMistake,
  TemplateSyntaxError,
} from './template-tree.ts';

export function parseTemplate(
  text: string,
): { readonly pieces: readonly Piece[] } | { readonly mistake: TemplateMistake } {
  try {
    return { pieces: new Parser(tokenize(text)).parse() };
  } catch (failure) {
    if (failure instanceof TemplateSyntaxError)
      return { mistake: { message: failure.message, ...failure.place } };
    throw failure;
  }
}

const UNSUPPORTED = ['block', 'break', 'continue', 'define', 'range', 'template', 'with'];

/** Templates nest no deeper, so that none exhausts the stack. */
const DEPTH = 64;

/** The action that ended a list of pieces; its `}}` is still to be read, that of an `else if` after the condition. */
interface Ending {
  readonly word: 'else' | 'end' | undefined;
  readonly place: Place;
}

/** An expression with the text that stands for it in a message about what it is part of. */
interface Term {
  readonly kind: 'term';
  readonly expression: Expression;
  readonly source: string;
}

/** A term, or the bare name of a function, which only the beginning of a command may be. */
type Operand = Term | Mark;

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): readonly Piece[] {
    const { pieces, ending } = this.#list();
    if (ending.word !== undefined) throw fault(`unexpected {{${ending.word}}}`, ending.place);
    return pieces;
  }

  #list(): { readonly pieces: readonly Piece[]; readonly ending: Ending } {
    const pieces: Piece[] = [];
    for (;;) {
      const token = this.#take();
      if (token.kind === 'text') pieces.push(token);
      else if (token.kind === 'end of template')
        return { pieces, ending: { word: undefined, place: token.place } };
      else {
        const { kind, source, place } = this.#peekMark();
        if (kind === 'word' && (source === 'end' || source === 'else')) {
          this.#next += 1;
          return { pieces, ending: { word: source, place } };
        }
        pieces.push(this.#action(kind === 'word' ? source : '', place));
      }
    }
  }

  #action(word: string, place: Place): Piece {
    if (UNSUPPORTED.includes(word)) throw fault(`${word} is not supported; use if, else and end`, place);
    if (word === 'if') return this.#if();
    return { kind: 'value', value: this.#pipeline('command', '}}').expression };
  }

  /** An `else if` is an if of its own that shares the outer one's end. */
  #if(): Piece {
    this.#descend();
    this.#next += 1;
    const condition = this.#pipeline('if', '}}').expression;
    const { pieces: then, ending } = this.#list();
    let otherwise: readonly Piece[] = [];
    if (ending.word === 'else' && this.#peekMark().source === 'if') {
      otherwise = [this.#if()];
    } else {
      let last = ending;
      if (ending.word === 'else') {
        this.#close('else');
        ({ pieces: otherwise, ending: last } = this.#list());
        if (last.word === 'else') throw fault('expected end; found {{else}}', last.place);
      }
      if (last.word === undefined) throw fault('unexpected EOF: an if needs its {{end}}', last.place);
      this.#close('end');
    }
    this.#depth -= 1;
    return { kind: 'if', condition, then, otherwise };
  }

  #close(word: string): void {
    const token = this.#take();
    if (token.kind !== '}}') throw fault(`unexpected ${sourceOf(token)} in ${word}`, placeOf(token));
  }

  /** Commands with `|` between them, up to and with the closing mark. */
  #pipeline(context: string, close: '}}' | ')'): Term {
    let value: Expression | undefined;
    const sources: string[] = [];
    for (;;) {
      const { operands, end } = this.#command(close);
      const [first, ...rest] = operands;
      if (first === undefined) throw fault(`missing value for ${context}`, end.place);
      value = command(first, rest, value);
      sources.push(operands.map(({ source }) => source).join(' '));
      if (end.kind === close) return { kind: 'term', expression: value, source: sources.join(' | ') };
    }
  }

  #command(close: '}}' | ')'): { readonly operands: readonly Operand[]; readonly end: Mark } {
    const operands: Operand[] = [];
    for (;;) {
      const token = this.#take();
      switch (token.kind) {
        case '|':
          if (operands.length === 0) throw fault('unexpected "|" in command', token.place);
          return { operands, end: token };
        case '}}':
          if (close === ')') throw fault('unclosed left paren', token.place);
          return { operands, end: token };
        case ')':
          if (close === '}}') throw fault('unexpected right paren', token.place);
          return { operands, end: token };
        case 'text':
        case '{{':
        case 'end of template':
          throw fault('unclosed action', placeOf(token));
        default:
          if (operands.length > 0 && token.spaced !== true)
            throw fault(`unexpected ${token.source} after term`, token.place);
          operands.push(this.#operand(token));
      }
    }
  }

  #operand(token: Mark | Expression): Operand {
    if (token.kind === 'word') return token;
    if (isExpression(token)) return { kind: 'term', expression: token, source: token.source };
    this.#descend();
    const inner = this.#pipeline('parenthesized pipeline', ')');
    this.#depth -= 1;
    return { ...inner, source: `(${inner.source})` };
  }

  #descend(): void {
    this.#depth += 1;
    if (this.#depth > DEPTH) throw fault(`nested deeper than ${DEPTH}`, placeOf(this.#peek()));
  }

  #take(): Token {
    const token = this.#peek();
    this.#next += 1;
    return token;
  }

  /** The end of the template again where there is no more. */
  #peek(): Token {
    return this.#tokens[Math.min(this.#next, this.#tokens.length - 1)] ?? { kind: 'text', text: '' };
  }

  #peekMark(): { readonly kind: string; readonly source: string; readonly place: Place } {
    const token = this.#peek();
    return { kind: token.kind, source: sourceOf(token), place: placeOf(token) };
  }
}

/** A function with its operands, or a single value. What a pipeline hands over becomes the last operand. */
function command(first: Operand, rest: readonly Operand[], piped: Expression | undefined): Expression {
  const written = rest.map((operand) => {
    if (operand.kind === 'term') return operand.expression;
    throw fault(`a function among operands needs parentheses: (${operand.source} ...)`, operand.place);
  });
  if (first.kind === 'term') {
    const { expression } = first;
    if (written.length > 0)
      throw fault(`can't give argument to non-function ${first.source}`, expression.place);
    if (piped !== undefined)
      throw fault('non executable command in pipeline; takes a function', expression.place);
    return expression;
  }
  const { source: name, place } = first;
  if (!isFunctionName(name)) {
    const known = Object.keys(FUNCTIONS).join(', ');
    throw fault(`function ${JSON.stringify(name)} not defined; there are ${known}`, place);
  }
  const operands = piped === undefined ? written : [...written, piped];
  const { least, most } = FUNCTIONS[name];
  if (operands.length < least || operands.length > most) {
    const want = least === most ? `${least}` : `at least ${least}`;
    throw fault(`wrong number of args for ${name}: want ${want} got ${operands.length}`, place);
  }
  if (name === 'index' && operands[0]?.kind !== 'everything')
    throw fault('index takes . and the name of a claim, as in index . "name"', place);
  const source = [first, ...rest].map((operand) => operand.source).join(' ');
  return { kind: 'call', place, source, function: name, operands, piped: piped !== undefined };
}

function isExpression(token: Mark | Expression): token is Expression {
  const { kind } = token;
  return kind === 'everything' || kind === 'field' || kind === 'literal' || kind === 'call';
}

function fault(message: string, place: Place): TemplateSyntaxError {
  return new TemplateSyntaxError(message, place);
}

function sourceOf(token: Token): string {
  return token.kind === 'text' ? 'text' : token.source;
}

function placeOf(token: Token): Place {
  return token.kind === 'text' ? { line: 1, column: 0 } : token.place;
}
