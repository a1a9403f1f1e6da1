// Laws of templates and identities: whatever a configuration or a token holds, the outcome is a value or a typed refusal.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { claimText, type Names } from '../../src/identity/claim-text.ts';
import { isEmailAddress } from '../../src/identity/email-address.ts';
import { derive, type IdentityFacts } from '../../src/identity/identity.ts';
import { UrlError } from '../../src/identity/percent-encoding.ts';
import { compileTemplate } from '../../src/identity/template.ts';
import { parseTemplate } from '../../src/identity/template-parser.ts';
import { escapeUrl, joinUrl } from '../../src/identity/url.ts';
import { Problem } from '../../src/problem.ts';
import { type ClaimValue, claimsOf } from '../../src/token/claims.ts';
import { type ClaimObject, github, gitlab, kinds, providerOf } from '../unit/identity/kinds.ts';

const anyText = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((n) => String.fromCharCode(n)) }),
);

/** Pieces that make syntax likely, between any text. */
const templateText = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '{{',
        '}}',
        '{{-',
        '-}}',
        ' ',
        '.',
        '.a',
        '.b',
        '|',
        '(',
        ')',
        '"a"',
        '`b`',
        '"',
        '`',
        '/*',
        '*/',
      ),
      fc.constantFrom(
        'if ',
        'else',
        'end',
        'eq ',
        'ne ',
        'and ',
        'or ',
        'not ',
        'index . ',
        '1',
        '-2.5',
        'true',
        '\n',
      ),
      anyText,
    ),
    { maxLength: 24 },
  )
  .map((parts) => parts.join(''));

const names: Names = {
  reader: (name) => (claims) => {
    const value = claims.get(name);
    return value === undefined ? undefined : claimText(name, value);
  },
};

const claimValue = fc.jsonValue({ maxDepth: 2, stringUnit: 'binary' }).map((value) => value as ClaimValue); // JSON is what claims are

function outcome<T>(run: () => T): { made: T } | { refused: string } {
  try {
    return { made: run() };
  } catch (failure) {
    if (failure instanceof Problem) return { refused: failure.message };
    throw failure;
  }
}

describe('templates', () => {
  test('any text parses or has a mistake with a place', () => {
    fc.assert(
      fc.property(templateText, (text) => {
        const parsed = parseTemplate(text);
        if ('pieces' in parsed) return;
        const { message, line, column } = parsed.mistake;
        expect(message).not.toBe('');
        expect(line).toBeGreaterThanOrEqual(1);
        expect(line).toBeLessThanOrEqual(text.split('\n').length);
        expect(column).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test('what parses gives the same text or the same Problem each time, over any claims', () => {
    fc.assert(
      fc.property(
        templateText,
        fc.record({ a: claimValue, b: claimValue }, { requiredKeys: [] }),
        fc.boolean(),
        (text, record, strict) => {
          const parsed = parseTemplate(text);
          if ('mistake' in parsed) return;
          const evaluate = compileTemplate(parsed.pieces, names, { strict });
          const once = outcome(() => evaluate(claimsOf(record)));
          expect(outcome(() => evaluate(claimsOf(record)))).toEqual(once);
          if ('made' in once) expect(once.made).not.toMatch(/\[object |function|undefined/);
        },
      ),
    );
  });

  test('text without an action stands for itself', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        fc.pre(!text.includes('{{'));
        const parsed = parseTemplate(text);
        if ('mistake' in parsed) throw new Error(parsed.mistake.message);
        expect(compileTemplate(parsed.pieces, names, { strict: true })(new Map())).toBe(text);
      }),
    );
  });

  test('a claim is printed as it is', () => {
    const parsed = parseTemplate('<{{ .a }}|{{- index . "a" -}} >');
    if ('mistake' in parsed) throw new Error(parsed.mistake.message);
    const evaluate = compileTemplate(parsed.pieces, names, { strict: false });
    fc.assert(
      fc.property(anyText, (a) => {
        expect(evaluate(new Map([['a', a]]))).toBe(`<${a}|${a}>`);
      }),
    );
  });

  test('deep nesting is a mistake, not an overflow', () => {
    for (const deep of ['{{ if .a }}'.repeat(1400), `{{ ${'('.repeat(16_000)} }}`]) {
      expect(parseTemplate(deep)).toHaveProperty('mistake.message', 'nested deeper than 64');
    }
    expect(parseTemplate('x'.repeat(100_000))).toHaveProperty(
      'mistake.message',
      'longer than 16384 characters',
    );
  });
});

describe('URLs', () => {
  const web = fc
    .array(
      fc.oneof(
        fc.constantFrom(
          'https://',
          '/',
          ':',
          '@',
          '?',
          '#',
          '%',
          '%41',
          '%2F',
          '%C3',
          '..',
          '[',
          ']',
          '::1',
          ' ',
          'a',
        ),
        anyText,
      ),
      { maxLength: 10 },
    )
    .map((parts) => parts.join(''));

  test('a web URL is escaped to ASCII, query aside, and once is enough', () => {
    fc.assert(
      fc.property(web, (rest) => {
        let escaped: string;
        try {
          escaped = escapeUrl(`https://h${rest}`);
        } catch (failure) {
          if (failure instanceof UrlError) return;
          throw failure;
        }
        expect(escaped.replace(/\?[^#]*/, '')).toMatch(/^https:\/\/[\x21-\x7e]*$/);
        expect(escapeUrl(escaped)).toBe(escaped);
      }),
    );
  });

  test('a joined path stays below the host', () => {
    fc.assert(
      fc.property(web, (path) => {
        try {
          expect(joinUrl('https://h.example/base/', path)).toMatch(/^https:\/\/h\.example(?:\/|$)/);
        } catch (failure) {
          if (!(failure instanceof UrlError)) throw failure;
        }
      }),
    );
  });
});

test('an email address is decided quickly, whatever it is', () => {
  const parts = fc.array(fc.constantFrom('a', '.', '-', '@', '"', 'ü', '1', '_'), { maxLength: 4000 });
  fc.assert(
    fc.property(parts, (letters) => {
      const address = letters.join('');
      if (isEmailAddress(address)) expect(address).toMatch(/^[^@"]+@[^@"]+$/);
    }),
  );
});

/** As the lint before the signature wants an email or a URI. */
const WRITABLE = /^[\x21-\x7e]+$/;

describe('identities', () => {
  const metadata = {
    defaults: { url: 'https://x.example', environment: '' },
    extensions: {
      'build-signer-uri': '{{ .url }}/{{ .job_workflow_ref }}',
      'source-repository-identifier': 'repository_id',
      'build-trigger': '{{ if eq .ref_type "branch" }}b{{ else }}{{ index . "sha" }}{{ end }}',
      'deployment-environment': 'environment',
    },
    san: '{{ .url }}/{{ .job_workflow_ref }}',
  };
  const providers = [...kinds].map(([type, kind]) =>
    providerOf({
      type,
      form: 'list',
      metadata,
      subjectDomain: type === 'uri' ? 'https://example.org' : 'example.org',
      spiffeTrustDomain: 'example.org',
      ...(kind.parameters.has('issuer-claim') ? { issuerClaim: '$.sub' } : {}),
      values: Object.fromEntries(
        [...kind.constants]
          .filter(([, rule]) => kind.preset && typeof rule !== 'string')
          .map(([name]) => [name, 'https://x.example']),
      ),
    }),
  );
  const base = { ...github, ...gitlab, ref_type: 'branch', email: 'dana@example.org', email_verified: true };
  const claimNames = [
    ...new Set([
      ...Object.keys(base),
      ...[...kinds.values()].flatMap(({ claims }) => [...claims.keys()]),
      'kubernetes.io',
      'url',
      'environment',
      'act',
      'internal',
    ]),
  ];
  const changes = fc.dictionary(
    fc.constantFrom(...claimNames, '__proto__', 'constructor', 'iss'),
    claimValue,
    {
      maxKeys: 4,
      noNullPrototype: true,
    },
  );

  test.each(providers)('$type: any claims give an identity or a Problem, the same each time', (provider) => {
    fc.assert(
      fc.property(fc.boolean(), changes, (known, changed) => {
        const claims = claimsOf({ ...(known ? base : {}), ...changed });
        const run = (): IdentityFacts => derive(provider, 'https://idp.example.org', claims);
        const once = outcome(run);
        expect(outcome(run)).toEqual(once);
        if ('refused' in once) return;
        const { san, attributes, quota } = once.made;
        if (san.kind !== 'other-name') expect(san.value).toMatch(WRITABLE);
        expect(san.value).not.toMatch(/\p{Cc}|\p{Cs}/u);
        const numbers = attributes.map(({ extension }) => extension);
        expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
        expect(numbers.slice(0, 1)).toEqual([1]);
        expect(numbers).toContain(8);
        for (const { value } of attributes) {
          expect(value).not.toBe('');
          expect(value.isWellFormed()).toBe(true);
          expect(value).not.toMatch(/\[object |native code/);
        }
        expect(quota.identity).not.toBe('');
      }),
    );
  });

  /** What a URL treats in ways of its own, at the end of a claim that is fine. */
  const ending = fc.string({
    unit: fc.constantFrom('a', ' ', '/', '?', '#', ':', '@', '%', '[', ']', '"', '\\', 'é'),
    minLength: 1,
    maxLength: 6,
  });

  test.each(providers)(
    '$type: a name that has odd characters is one that can be signed, or a Problem',
    (provider) => {
      const names = [...(kinds.get(provider.type)?.claims.keys() ?? []), 'sub', 'job_workflow_ref'];
      const own: ClaimObject = {
        ...base,
        sub: provider.type === 'spiffe' ? 'spiffe://example.org/a' : 'https://example.org/',
      };
      fc.assert(
        fc.property(fc.constantFrom(...names), ending, (name, odd) => {
          const text = own[name];
          const claims = claimsOf({ ...own, [name]: `${typeof text === 'string' ? text : ''}${odd}` });
          const once = outcome(() => derive(provider, 'https://idp.example.org', claims));
          if ('made' in once && once.made.san.kind !== 'other-name')
            expect(once.made.san.value).toMatch(WRITABLE);
        }),
        { numRuns: 500 },
      );
    },
  );
});
