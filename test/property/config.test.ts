import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../src/config/duration.ts';
import { faultsOf } from '../../src/config/issuer-url.ts';
import { SettingsError } from '../../src/config/mistake.ts';
import { parseProviders } from '../../src/config/providers.ts';
import { settingsSchema } from '../../src/config/schema.ts';
import { parseSettings } from '../../src/config/settings.ts';

const shipped = (name: string): string =>
  readFileSync(new URL(`../../config/${name}`, import.meta.url), 'utf8');
const kinds = parseProviders(shipped('providers.yaml'));

/** Settings, or mistakes that a person can find in the file; anything else that is thrown fails the test. */
function check(text: string): 'settings' | 'mistakes' {
  try {
    const { settings, warnings } = parseSettings(text, { fileName: 'f', kinds });
    expect(settings.port).toBeGreaterThanOrEqual(0);
    for (const { severity } of warnings) expect(severity).toBe('warning');
    return 'settings';
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    const lines = text.split(/\r\n|\r|\n/).length;
    expect(error.mistakes.some(({ severity }) => severity === 'error')).toBe(true);
    expect(error.mistakes.length).toBeLessThanOrEqual(300);
    for (const { message, line = 1 } of error.mistakes) {
      expect(message).not.toBe('');
      expect(message).not.toMatch(/undefined|\[object|Invalid (input|string)/);
      expect(line).toBeGreaterThanOrEqual(1);
      expect(line).toBeLessThanOrEqual(lines);
    }
    return 'mistakes';
  }
}

const KEYS = [
  ...Object.keys(settingsSchema.shape),
  ...['OIDCIssuers', 'MetaIssuers', 'CIIssuerMetadata', 'IssuerURL', 'ClientID', 'Type'],
  ...[
    'issuer-url',
    'client-id',
    'audiences',
    'type',
    'policy',
    'require',
    'jwks',
    'keys',
    'file',
    'values',
    'ca-cert',
  ],
  ...['burst', 'count', 'period', 'defaults', 'overrides', 'ids', 'certificates-per-owner', 'max-token-age'],
  ...[
    'extension-templates',
    'default-template-values',
    'subject-alternative-name-template',
    'subject-domain',
  ],
  ...['https://a.example', 'https://*.b.example/*', 'constructor', 'toString', '<<', ''],
];
const VALUES = [
  ...kinds.keys(),
  'https://a.example',
  'http://localhost',
  'off',
  'builtin',
  '1h',
  '{{ .a }}',
  '{{',
  '',
  '0',
];

const key = fc.constantFrom(...KEYS);
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<unknown>(...VALUES, null, true, 0, 1, -1, 5555, 1e300),
    fc.array(tie('tree'), { maxLength: 3 }),
    fc
      .uniqueArray(fc.tuple(key, tie('tree')), { maxLength: 5, selector: ([name]) => name })
      .map((members) => Object.fromEntries(members)),
  ),
}));

/** Snippets that mean something to a YAML reader. */
const yamlText = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...KEYS.map((name) => `${name}:`),
        ...VALUES,
        ' ',
        '  ',
        '\n',
        '\n  ',
        '\n    ',
        '- ',
        ': ',
        '? ',
      ),
      fc.constantFrom(
        '&a ',
        '*a',
        '*a:',
        '*a ',
        '<<: *a',
        '[',
        ']',
        '{',
        '}',
        ', ',
        '|\n',
        '>-\n',
        '"',
        "'",
        '#',
        '---\n',
        '...\n',
      ),
      fc.constantFrom(
        '!!str ',
        '!x ',
        '%YAML 1.1\n',
        '\t',
        '\r',
        '\u2028',
        '\ufeff',
        '\\',
        '~',
        '.inf',
        '0x1F',
        '1e999',
        '=',
        '@',
        '`',
      ),
      fc.string({ maxLength: 4, unit: 'binary' }),
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(''));

describe('any text is settings or mistakes', () => {
  it('of arbitrary characters', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => void check(text)));
  });

  it('made of YAML', () => {
    fc.assert(
      fc.property(yamlText, (text) => void check(text)),
      { numRuns: 500 },
    );
  });

  it('made of known names, in JSON', () => {
    fc.assert(
      fc.property(tree, (data) => void check(JSON.stringify(data))),
      { numRuns: 500 },
    );
  });

  it('that was a good file until something was cut out, doubled or put in', () => {
    const files = ['mayfly.yaml', 'issuers.yaml'].map(shipped);
    const seen = new Set<string>();
    fc.assert(
      fc.property(
        fc.constantFrom(...files),
        fc.nat(),
        fc.nat({ max: 40 }),
        yamlText,
        fc.nat({ max: 2 }),
        (file, at, length, text, how) => {
          const start = at % file.length;
          const piece = file.slice(start, start + length);
          const put = how === 0 ? '' : how === 1 ? piece + piece : text;
          seen.add(check(file.slice(0, start) + put + file.slice(start + length)));
        },
      ),
      { numRuns: 150 },
    );
    expect(seen).toEqual(new Set(['settings', 'mistakes']));
  });

  it('however it repeats itself', () => {
    const pattern = fc
      .tuple(yamlText, fc.constantFrom(1, 10, 1000, 20_000))
      .map(([text, times]) => text.slice(0, 12).repeat(times));
    fc.assert(
      fc.property(pattern, (text) => void check(text)),
      { numRuns: 100 },
    );
  });

  it('however its aliases multiply', () => {
    const bomb = fc
      .tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 12 }), fc.boolean())
      .map(([levels, width, merge]) => {
        const lines = ['define:', '  - &a0 {port: 1}'];
        for (let level = 1; level <= levels; level++) {
          const alias = `*a${level - 1}`;
          const body = merge
            ? `{${Array.from({ length: width }, (_, i) => `k${level}_${i}: ${alias}`).join(', ')}, <<: ${alias}}`
            : `[${new Array(width).fill(alias).join(', ')}]`;
          lines.push(`  - &a${level} ${body}`);
        }
        return [...lines, `issuers: *a${levels}`, `oidc-issuers: *a${levels}`].join('\n');
      });
    fc.assert(
      fc.property(bomb, (text) => void check(text)),
      { numRuns: 60 },
    );
  });
});

describe('single values', () => {
  it('a duration is the sum of its parts', () => {
    const part = fc.nat({ max: 1000 });
    fc.assert(
      fc.property(part, part, part, part, part, (d, h, m, s, ms) => {
        expect(parseDuration(`${d}d${h}h${m}m${s}s${ms}ms`)).toBe(
          (((d * 24 + h) * 60 + m) * 60 + s) * 1000 + ms,
        );
      }),
    );
  });

  it('any text is an issuer URL or has a fault', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl({ withFragments: true })), (text) => {
        if (faultsOf(text).length === 0) expect(text).toMatch(/^https?:\/\/[^/?#@]+/);
      }),
    );
  });
});
