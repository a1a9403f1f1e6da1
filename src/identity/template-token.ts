// Template token: a template cut into text, delimiters, names and literals; trim markers and comments end here.

import { utf8 } from '../encoding/bytes.ts';
import {
  type Everything,
  type Field,
  type Literal,
  NumberLiteral,
  type Place,
  TemplateSyntaxError,
} from './template-tree.ts';

export interface Mark {
  readonly kind: '{{' | '}}' | '|' | '(' | ')' | 'word' | 'end of template';
  readonly place: Place;
  readonly source: string;
}

export type Token = (
  | Mark
  | Everything
  | Field
  | Literal
  | { readonly kind: 'text'; readonly text: string }
) & {
  /** White space stands before it. */
  readonly spaced?: boolean;
};

/** Far above any real one, and low enough that none makes the start slow. */
const LONGEST = 16_384;

const WORD = /[\p{L}\p{Nd}_]+/uy;
const NUMBER = /[+-]?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?(?![\p{L}\p{Nd}_.])/uy;
const QUOTED = /"(?:[^"\\\n]|\\[^\n])*"/y;
const RAW = /`[^`]*`/y;

/** Throws TemplateSyntaxError. The last token is the end of the template. */
export function tokenize(text: string): readonly Token[] {
  return new Tokenizer(text).run();
}

class Tokenizer {
  readonly #text: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  /** The next text loses its leading white space. */
  #trims = false;
  #counted = { at: 0, line: 1, column: 0 };

  constructor(text: string) {
    this.#text = text;
    if (text.length > LONGEST) this.#fail(`longer than ${LONGEST} characters`, 0);
  }

  run(): readonly Token[] {
    for (;;) {
      const open = this.#text.indexOf('{{', this.#at);
      const trimsBefore = open >= 0 && this.#text[open + 2] === '-' && this.#spaceAt(open + 3);
      this.#addText(this.#text.slice(this.#at, open < 0 ? undefined : open), trimsBefore);
      if (open < 0) break;
      this.#at = open + (trimsBefore ? 4 : 2);
      if (this.#text.startsWith('/*', this.#at)) this.#comment();
      else this.#action(open);
    }
    this.#add({ kind: 'end of template', place: this.#place(this.#text.length), source: 'end of template' });
    return this.#tokens;
  }

  #addText(text: string, trimsAfter: boolean): void {
    let [start, end] = [0, text.length];
    if (this.#trims) while (start < end && isSpace(text[start])) start += 1;
    if (trimsAfter) while (end > start && isSpace(text[end - 1])) end -= 1;
    this.#trims = false;
    if (start < end) this.#add({ kind: 'text', text: text.slice(start, end) });
  }

  #comment(): void {
    const start = this.#at;
    const close = this.#text.indexOf('*/', start + 2);
    if (close < 0) this.#fail('unclosed comment', start);
    this.#at = close + 2;
    if (!this.#closes()) this.#fail('comment ends before closing delimiter', this.#at);
  }

  /** Passes `}}`, or white space and `-}}`. */
  #closes(): boolean {
    if (this.#text.startsWith('}}', this.#at)) {
      this.#at += 2;
      return true;
    }
    if (!this.#spaceAt(this.#at) || !this.#text.startsWith('-}}', this.#at + 1)) return false;
    this.#at += 4;
    this.#trims = true;
    return true;
  }

  #action(open: number): void {
    this.#add({ kind: '{{', place: this.#place(open), source: '{{' });
    let spaced = true;
    for (;;) {
      const at = this.#at;
      if (this.#closes()) {
        this.#add({ kind: '}}', place: this.#place(at), source: '}}' });
        return;
      }
      if (at >= this.#text.length) this.#fail('unclosed action', open);
      if (this.#spaceAt(at)) {
        this.#at += 1;
        spaced = true;
      } else {
        this.#add({ ...this.#token(at), spaced });
        spaced = false;
      }
    }
  }

  #token(at: number): Token {
    const place = this.#place(at);
    const character = this.#text[at] ?? '';
    if (character === '|' || character === '(' || character === ')') {
      this.#at += 1;
      return { kind: character, place, source: character };
    }
    if (character === '.') return this.#dotted(at, place);
    if (character === '"' || character === '`') return this.#string(at, place);
    const number = this.#match(NUMBER);
    if (number !== undefined) {
      const type = number.includes('.') ? 'float64' : 'int';
      return { kind: 'literal', place, source: number, value: new NumberLiteral(Number(number), type) };
    }
    const word = this.#match(WORD);
    if (word === undefined || /^[0-9]/.test(word)) {
      const found = JSON.stringify(word ?? character);
      this.#fail(`unexpected ${found} in command; takes .claim, text, a plain number or a function`, at);
    }
    this.#terminate();
    if (word !== 'true' && word !== 'false') return { kind: 'word', place, source: word };
    return { kind: 'literal', place, source: word, value: word === 'true' };
  }

  #dotted(at: number, place: Place): Everything | Field {
    this.#at += 1;
    const name = this.#match(WORD);
    if (name === undefined) return { kind: 'everything', place, source: '.' };
    if (/^[0-9]/.test(name)) this.#fail(`bad number syntax: ".${name}"`, at);
    this.#terminate();
    if (this.#text[this.#at] === '.')
      this.#fail('a claim has no fields; a name with dots is read with index . "name"', this.#at);
    return { kind: 'field', place, source: `.${name}`, name };
  }

  #string(at: number, place: Place): Literal {
    const source = this.#match(this.#text[at] === '`' ? RAW : QUOTED);
    if (source === undefined) return this.#fail('unterminated quoted string', at);
    if (source.startsWith('`')) return { kind: 'literal', place, source, value: source.slice(1, -1) };
    try {
      return { kind: 'literal', place, source, value: String(JSON.parse(source.replaceAll('\t', '\\t'))) };
    } catch {
      return this.#fail('invalid syntax: a string takes the escapes \\" \\\\ \\n \\r \\t \\uXXXX', at);
    }
  }

  /** After a name only these may follow. */
  #terminate(): void {
    const next = this.#text.slice(this.#at, this.#at + 2);
    if (next === '' || next === '}}' || /^[ \t\r\n.|()]/.test(next)) return;
    const point = next.codePointAt(0) ?? 0;
    this.#fail(`bad character U+${point.toString(16).toUpperCase().padStart(4, '0')}`, this.#at);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #spaceAt(at: number): boolean {
    return isSpace(this.#text[at]);
  }

  #add(token: Token): void {
    this.#tokens.push(token);
  }

  /** Counts on from the last place, so that many tokens on a long line stay cheap. */
  #place(at: number): Place {
    const from = at < this.#counted.at ? { at: 0, line: 1, column: 0 } : this.#counted;
    const between = this.#text.slice(from.at, at);
    const lastBreak = between.lastIndexOf('\n');
    const line = from.line + between.split('\n').length - 1;
    const column =
      lastBreak < 0 ? from.column + utf8(between).length : utf8(between.slice(lastBreak + 1)).length;
    this.#counted = { at, line, column };
    return { line, column };
  }

  #fail(message: string, at: number): never {
    throw new TemplateSyntaxError(message, this.#place(at));
  }
}

function isSpace(character: string | undefined): boolean {
  return character === ' ' || character === '\t' || character === '\r' || character === '\n';
}
