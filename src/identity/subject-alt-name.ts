// Subject alternative name: the one name that the certificate is for (RFC 5280 section 4.2.1.6).

import { Problem } from '../problem.ts';
import { UrlError } from './percent-encoding.ts';
import { quote } from './quote.ts';

export type SubjectAltName =
  | { readonly kind: 'email'; readonly value: string }
  | { readonly kind: 'uri'; readonly value: string }
  | { readonly kind: 'other-name'; readonly value: string };

/** Throws Problem `identity_unencodable` for text that the kind of name cannot hold, or that could mislead a reader. */
export function subjectAltName(kind: SubjectAltName['kind'], value: string): SubjectAltName {
  if (value === '') throw refusal('the subject alternative name would be empty');
  if (kind !== 'other-name' && !isAscii(value))
    throw refusal(`x509: ${quote(value.toWellFormed())} cannot be encoded as an IA5String`);
  // Go leaves a query as it is, and what follows `scheme:`; no URI has a space (RFC 3986 section 2).
  if (kind !== 'other-name' && value.includes(' '))
    throw refusal('the subject alternative name would contain a space');
  checkText(value);
  return { kind, value };
}

/** Throws Problem `identity_unencodable` where `text`, before it is escaped, holds what no name may. */
export function checkText(text: string): void {
  if (/\p{Cc}/u.test(text)) throw refusal('the subject alternative name would contain a control character');
  if (!text.isWellFormed())
    throw refusal('the subject alternative name would contain half of a surrogate pair');
}

/** What a URL function returns; its UrlError becomes a Problem `identity_unencodable` with the same text. */
export function encodable(encode: () => string): string {
  try {
    return encode();
  } catch (failure) {
    if (failure instanceof UrlError) throw refusal(failure.message);
    throw failure;
  }
}

function isAscii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII as a whole
  return /^[\x00-\x7f]*$/.test(text);
}

function refusal(message: string): Problem {
  return new Problem('identity_unencodable', {
    message,
    hint: 'The claims that make up the name must be text without control characters; an email address is ASCII, and a URI has no space.',
  });
}
