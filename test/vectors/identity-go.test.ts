// What Go and the libraries that Fulcio uses make of a text, against what we make of it.

import { describe, expect, test } from 'vitest';
import { claimText, type Names, numberText } from '../../src/identity/claim-text.ts';
import { isEmailAddress } from '../../src/identity/email-address.ts';
import { UrlError } from '../../src/identity/percent-encoding.ts';
import { quote } from '../../src/identity/quote.ts';
import { parseSpiffeId, parseTrustDomain } from '../../src/identity/spiffe-id.ts';
import { compileTemplate } from '../../src/identity/template.ts';
import { parseTemplate } from '../../src/identity/template-parser.ts';
import { escapeUrl, hostnameOf, joinUrl, parseUrl } from '../../src/identity/url.ts';
import { Problem } from '../../src/problem.ts';
import { claimsOf } from '../../src/token/claims.ts';
import templates from './identity-templates.json' with { type: 'json' };
import texts from './identity-texts.json' with { type: 'json' };

function attempt(run: () => string): { output: string } | { error: string } {
  try {
    return { output: run() };
  } catch (failure) {
    if (failure instanceof UrlError || failure instanceof Problem) return { error: failure.message };
    throw failure;
  }
}

describe('url.Parse', () => {
  test.each(texts.parse)('$input', ({ input, output, error, scheme, hostname }) => {
    const got = attempt(() => escapeUrl(input));
    if (error?.endsWith('invalid host: '))
      expect(got).toEqual({ error: `${error}not an IPv6 address` }); // which rule of IPv6 is broken we do not tell
    else expect(got).toEqual(error === undefined ? { output } : { error });
    if (error !== undefined) return;
    const url = parseUrl(input);
    expect([url.scheme, hostnameOf(url)]).toEqual([scheme ?? '', hostname ?? '']);
  });
});

describe('URL.JoinPath', () => {
  test.each(texts.join)('$base + $path', ({ base, path, output }) => {
    // Go drops a path with a broken escape and returns the base alone; that would be the name of somebody else.
    if (path.includes('%zz')) expect(() => joinUrl(base, path)).toThrow('invalid URL escape "%zz"');
    else expect(joinUrl(base, path)).toBe(output);
  });
});

describe('email addresses', () => {
  test.each(texts.email)('$input', ({ input, valid }) => {
    expect(isEmailAddress(input)).toBe(valid && !input.includes('"')); // a quoted local part is refused as a whole
  });
});

describe('SPIFFE', () => {
  test.each(texts.spiffeId)('ID $input', ({ input, valid }) => {
    expect(parseSpiffeId(input) !== undefined).toBe(valid);
  });

  test.each(texts.trustDomain)('trust domain $input', ({ input, name }) => {
    expect(parseTrustDomain(input)).toBe(name);
  });
});

test.each(texts.number)('number $json', ({ json, output }) => {
  expect(numberText(JSON.parse(json))).toBe(output);
});

test.each(texts.quote)('quote $input', ({ input, output }) => {
  expect(quote(input)).toBe(output);
});

describe('text/template', () => {
  const names: Names = {
    reader: (name) => (claims) => {
      const value = claims.get(name);
      return value === undefined ? undefined : claimText(name, value);
    },
  };
  const claims = claimsOf(templates.data);

  /** Go runs these; here they are refused when the configuration is read, or print what must not be printed. */
  const refused = new Set([
    '{{index .}}',
    '{{ "a\\"b\\\\c\\n\\t\\u00e9\\x41\\101" }}',
    "{{ 'x' }}",
    '{{ 1e3 }}',
    '{{ 0x10 }}',
    '{{ 010 }}',
    '{{ 1_000 }}',
    '{{ .a | }}',
    '{{ .1 }}',
  ]);
  const printsEverything = new Set(['{{or . "x"}}x', '{{ . }}{{/**/}}']);

  test.each(templates.cases)('$template', ({ template, output, parseError, executionError }) => {
    const parsed = parseTemplate(template);
    if (parseError !== undefined || refused.has(template)) {
      expect(parsed).toHaveProperty('mistake');
      return;
    }
    if ('mistake' in parsed) {
      // What fails for every token is refused before there is one.
      expect(output).toBeUndefined();
      expect(executionError).toMatch(/wrong number of args|argument|cannot index|field b in|nil is not/);
      return;
    }
    const got = attempt(() => compileTemplate(parsed.pieces, names, { strict: false })(claims));
    if (printsEverything.has(template)) {
      expect(got).toHaveProperty('error', expect.stringContaining('the map of all claims cannot be written'));
    } else if (executionError !== undefined) {
      const error = executionError.replace(/map\[a:alpha.*\]: /, ''); // Go's text has all claims in it
      expect(got).toEqual({ error });
    } else expect(got).toEqual({ output: output ?? '' });
  });
});
