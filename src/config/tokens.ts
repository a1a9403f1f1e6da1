// Tokens: the lexical tokens of a YAML text as Go reads them, cut off where the text is made to exhaust a parser.

import { type CST, Lexer, type LineCounter, Parser } from 'yaml';

/** Collections within each other: what reads the tokens is recursive. */
const MAX_DEPTH = 64;

/** A broken text has a fault at nearly every character. */
const MAX_FAULTS = 50;

export class Tokens {
  readonly #text: string;
  readonly #parser: Parser;
  /** Set when reading ended before the text did. */
  stopped: { readonly message: string; readonly offset: number } | undefined;

  constructor(text: string, lines: LineCounter) {
    this.#text = text;
    lines.addNewLine(0);
    this.#parser = new Parser(lines.addNewLine);
  }

  *read(): Generator<CST.Token, void> {
    let faults = 0;
    for (const lexeme of this.#lexemes()) {
      for (const token of this.#parser.next(lexeme)) {
        if (token.type === 'error') faults += 1;
        yield token;
      }
      if (this.#parser.stack.length > MAX_DEPTH)
        return this.#stop(`is nested deeper than ${MAX_DEPTH} levels`);
      if (faults > MAX_FAULTS) return this.#stop('is not YAML');
    }
    yield* this.#parser.end();
  }

  #stop(message: string): void {
    this.stopped = { message, offset: this.#parser.offset };
  }

  /**
   * Fulcio's files write an alias as a key without the space that YAML 1.2 demands: `*name:`.
   * A name that ends in a colon is read as such a key; nothing else can be meant by it, as the library warns of `&name:`.
   */
  *#lexemes(): Generator<string, void> {
    let scalar = false;
    for (const lexeme of new Lexer().lex(this.#text)) {
      if (!scalar && lexeme.length > 2 && lexeme.startsWith('*') && lexeme.endsWith(':')) {
        yield lexeme.slice(0, -1);
        yield ':';
      } else {
        yield lexeme;
      }
      scalar = lexeme === SCALAR;
    }
  }
}

/** The lexer's mark before the text of a scalar, which may itself begin with an asterisk. */
const SCALAR = '\x1f';
