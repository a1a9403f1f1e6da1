// Text rule: a value of an identity, from a name, a template or a URL of templates, compiled to one function.

import { Problem } from '../problem.ts';
import { stringClaim } from '../token/claims.ts';
import type { Names } from './claim-text.ts';
import type { TextRule } from './kind.ts';
import { checkText, encodable } from './subject-alt-name.ts';
import { compileTemplate, type Evaluator } from './template.ts';
import { parseTemplate } from './template-parser.ts';
import { escapeUrl, joinUrl } from './url.ts';

export interface TextContext {
  readonly names: Names;
  /** For a subject alternative name: absent and null claims are refused in it. */
  readonly strict: boolean;
  /** How Fulcio calls the value in its messages. */
  readonly jsonName: string;
  /** Whether it is written into a URL, where an empty part is a gap. */
  readonly inUrl?: boolean;
}

/** Either the evaluator or what is wrong with a template. */
export function compileText(rule: TextRule, context: TextContext): Evaluator | { readonly mistake: string } {
  if (typeof rule === 'string') {
    if (!rule.includes('{{')) return compileName(rule, context);
    const parsed = parseTemplate(rule);
    if ('pieces' in parsed) return compileTemplate(parsed.pieces, context.names, context);
    const { message, line, column } = parsed.mistake;
    return { mistake: `template: :${line}: ${message} (line ${line}, character ${column + 1})` };
  }
  const within = { ...context, inUrl: true };
  const first = compileText('uri' in rule ? rule.uri : rule.base, within);
  if (typeof first !== 'function') return first;
  if ('uri' in rule) return (claims) => encode(first(claims), context.strict, escapeUrl);
  const path = compileText(rule.path, within);
  if (typeof path !== 'function') return path;
  return (claims) => {
    const base = first(claims);
    return encode(path(claims), context.strict, (below) => joinUrl(base, below));
  };
}

/** Escaping would hide from the last check what a name must not hold, so it is looked for here. */
function encode(text: string, strict: boolean, escaper: (text: string) => string): string {
  const encoded = encodable(() => escaper(text));
  if (strict && !encoded.endsWith(text)) checkText(text);
  return encoded;
}

/** A bare name: the text of that claim or default. A null claim leaves an extension out. */
function compileName(name: string, { names, strict, jsonName }: TextContext): Evaluator {
  const read = names.reader(name);
  return (claims) => {
    const value = read(claims);
    if (typeof value === 'string') return value;
    if (value === undefined) throw notPresent(name, jsonName, stringClaim(claims, 'iss') ?? '');
    if (value.is === 'null' && !strict) return '';
    throw value.refusal(`${jsonName}: `);
  };
}

function notPresent(name: string, jsonName: string, issuer: string): Problem {
  // The JSON is Go's: indented by tabs, with the characters escaped that mean something to HTML.
  const where = JSON.stringify({ ExtensionName: jsonName, Issuer: issuer }, null, '\t').replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return new Problem('identity_unencodable', {
    message: `value <${name}> not present in either claims or defaults. ${where}`,
    field: name,
    hint: `The token needs a claim ${name}.`,
  });
}
