// The templates of a Fulcio file over the claims of a token (spec section 11, with the differences of section 17).

import { describe, expect, test } from 'vitest';
import type { IdentityFacts } from '../../../src/identity/identity.ts';
import { type ClaimObject, extensionsOf, facts, github, ISSUER, mistakesOf, refusal } from './kinds.ts';

interface Templates {
  readonly defaults?: Record<string, string>;
  readonly extensions?: Record<string, string>;
  readonly san?: string;
}

const parameters = ({
  defaults = {},
  extensions = {},
  san = 'https://ci.example/{{ .sub }}',
}: Templates) => ({
  type: 'ci-provider',
  metadata: { defaults, extensions, san },
});

const SUB = { sub: 'job1' };

function made(templates: Templates, claims: ClaimObject = {}): IdentityFacts {
  return facts(parameters(templates), { ...SUB, ...claims });
}

/** What one template makes of the claims, as extension .20. */
function text(
  template: string,
  claims: ClaimObject = {},
  defaults: Record<string, string> = {},
): string | undefined {
  return extensionsOf(made({ extensions: { 'build-trigger': template }, defaults }, claims))[20];
}

function failure(template: string, claims: ClaimObject = {}) {
  return refusal(parameters({ extensions: { 'build-trigger': template } }), { ...SUB, ...claims });
}

describe('claims as text', () => {
  test.each([
    ['text', 'text'],
    [12345678901, '12345678901'],
    [1753000000, '1753000000'],
    [1e21, '1000000000000000000000'],
    [0.5, '0.5'],
    [-0, '-0'],
    [true, 'true'],
    [false, 'false'],
    ['<a href="x">&', '<a href="x">&'],
    ['ü', 'ü'],
    ['a\ud800b', 'a\ufffdb'],
  ])('%j is %j', (value, expected) => {
    expect(text('k', { k: value })).toBe(expected);
    expect(text('{{ .k }}', { k: value })).toBe(expected);
  });

  test.each([
    [['a', 'b'], 'a list'],
    [{ a: 1 }, 'an object'],
    [Number.POSITIVE_INFINITY, 'a number out of range'],
  ])('%j is refused with its name', (value, description) => {
    for (const template of ['k', '{{ .k }}', 'x{{ index . "k" }}', '{{ eq .k "a" }}', '{{ index . .k }}']) {
      const problem = failure(template, { k: value });
      expect(problem).toMatchObject({ code: 'identity_unencodable', field: 'k' });
      expect(problem.message).toContain(`claim k is ${description}`);
    }
  });

  test('null leaves a bare name out, is refused within text, and is nothing to conditions', () => {
    expect(text('k', { k: null })).toBeUndefined();
    expect(text('k', { k: null }, { k: 'default' })).toBeUndefined();
    expect(failure('x{{ .k }}', { k: null })).toMatchObject({ code: 'identity_unencodable', field: 'k' });
    expect(text('{{ if .k }}a{{ else }}b{{ end }}', { k: null })).toBe('b');
    expect(text('{{ or .k "b" }}', { k: null })).toBe('b');
  });

  test('a list of audiences has no text', () => {
    expect(text('{{ .aud }}', { aud: 'sigstore' })).toBe('sigstore');
    expect(failure('{{ .aud }}', { aud: ['a', 'b'] }).field).toBe('aud');
  });

  test.each([['constructor'], ['__proto__'], ['toString'], ['hasOwnProperty']])(
    '%s is an absent claim',
    (name) => {
      expect(failure(`{{ .${name} }}`).message).toContain(`map has no entry for key "${name}"`);
      expect(failure(name).message).toContain(`value <${name}> not present`);
      expect(text(`x{{ index . "${name}" }}`)).toBe('x');
      expect(refusal(parameters({ san: `https://x/{{ index . "${name}" }}` }), SUB).field).toBe(name);
    },
  );

  test('and can be present ones', () => {
    expect(
      text('{{ .constructor }}{{ index . "__proto__" }}', JSON.parse('{"constructor":"c","__proto__":"p"}')),
    ).toBe('cp');
  });
});

describe('names and defaults', () => {
  test('claims win over defaults, even over constants such as url', () => {
    const templates = { defaults: { url: 'https://github.com' }, san: '{{ .url }}/{{ .sub }}' };
    expect(made(templates).san.value).toBe('https://github.com/job1');
    expect(made(templates, { url: 'https://ghe.example' }).san.value).toBe('https://ghe.example/job1');
    expect(text('d', {}, { d: 'dv' })).toBe('dv');
    expect(text('d', { d: 'cv' }, { d: 'dv' })).toBe('cv');
  });

  test('names are case-sensitive and exact', () => {
    expect(failure('{{ .K }}', { k: 'v' }).field).toBe('K');
    expect(failure('k ', { k: 'v' }).field).toBe('k ');
  });

  test("an absent name has Fulcio's text", () => {
    const problem = failure('build_source');
    expect(problem.code).toBe('identity_unencodable');
    expect(problem.message).toBe(
      `value <build_source> not present in either claims or defaults. {\n\t"ExtensionName": "BuildTrigger",\n\t"Issuer": "${ISSUER}"\n}`,
    );
    const san = refusal(parameters({ san: 'nowhere' }), SUB);
    expect(san.message).toContain('"ExtensionName": "SubjectAlternativeName"');
    expect(san.field).toBe('nowhere');
  });

  test('the JSON in it is escaped as Go does', () => {
    const issuerUrl = 'https://idp.example/?a&<b>';
    const problem = refusal({ ...parameters({ san: 'x' }), issuerUrl }, SUB);
    expect(problem.message).toContain('"Issuer": "https://idp.example/?a\\u0026\\u003cb\\u003e"');
  });

  test('empty and blank templates, and empty results, leave the extension out', () => {
    const extensions = { 'build-trigger': '', 'runner-environment': ' \n', 'build-config-uri': 'd' };
    expect(extensionsOf(made({ extensions, defaults: { d: '' } }))).toEqual({});
  });

  test('issuer and subject cannot be templated', () => {
    const { attributes } = made({ extensions: { issuer: 'x', subject: '{{ .nothing }}' } });
    expect(attributes.map(({ value }) => value)).toEqual([ISSUER, ISSUER, 'job1']);
  });

  test('numbers in ids', () => {
    const made = facts(
      parameters({
        san: 'https://x/{{ .run_id }}',
        extensions: {
          'source-repository-identifier': 'repository_id',
          'source-repository-owner-identifier': 'repository_owner_id',
        },
      }),
      { ...github, repository_id: 12345678901, run_id: 1753000000 },
    );
    expect(extensionsOf(made)).toEqual({ 15: '12345678901', 17: '27' });
    expect(made.san.value).toBe('https://x/1753000000');
    expect(made.quota).toEqual({ issuer: ISSUER, identity: '12345678901', owner: '27' });
  });

  test('without an identifier the quota goes by the name', () => {
    expect(made({}).quota).toEqual({ issuer: ISSUER, identity: 'https://ci.example/job1' });
  });
});

describe('the subject alternative name', () => {
  test('is escaped while extensions are not', () => {
    const template = 'https://x/{{ .k }}';
    const both = made({ san: template, extensions: { 'build-signer-uri': template } }, { k: 'a b|ü' });
    expect(both.san).toEqual({ kind: 'uri', value: 'https://x/a%20b%7C%C3%BC' });
    expect(extensionsOf(both)[9]).toBe('https://x/a b|ü');
  });

  test.each([
    ['https://{{ .k }}', '%zz', 'parse "https://%zz": invalid URL escape "%zz"'],
    ['https://{{ .k }}/', 'a b', 'parse "https://a b/": invalid character " " in host name'],
    ['https://x/{{ .k }}', 'a\nb', 'parse "https://x/a\\nb": net/url: invalid control character in URL'],
    ['https://x/?{{ .k }}', 'ü', 'x509: "https://x/?ü" cannot be encoded as an IA5String'],
    ['{{ .k }}', '', 'the subject alternative name would be empty'],
  ])('%s with %j is refused as Fulcio does', (san, k, message) => {
    expect(refusal(parameters({ san }), { ...SUB, k })).toMatchObject({
      code: 'identity_unencodable',
      message,
    });
  });

  test.each([['a\u0000'], ['\u007f'], ['\u0085'], ['\ud800'], ['\udc00x']])('%j is refused', (k) => {
    for (const san of ['https://x/{{ .k }}', 'https://x/#{{ .k }}', 'https://x/?{{ .k }}', '{{ .k }}']) {
      expect(refusal(parameters({ san }), { ...SUB, k }).code).toBe('identity_unencodable');
    }
  });

  test.each([[null], [[]], [['a']], [{}]])('a claim of %j is refused', (k) => {
    for (const san of ['https://x/{{ .k }}', 'k', 'https://x/{{ index . "k" }}', '{{ or .k .k }}']) {
      const problem = refusal(parameters({ san, defaults: { k: 'https://default' } }), { ...SUB, k });
      expect(problem).toMatchObject({ code: 'identity_unencodable', field: 'k' });
    }
  });

  test.each([
    ['https://x/{{ .k }}/y'],
    ['https://x/{{ index . "k" }}'],
    ['{{ .k }}/y'],
    ['https://x{{ if .sub }}{{ .k }}{{ end }}'],
  ])('an empty claim leaves no gap in %s', (san) => {
    const problem = refusal(parameters({ san, defaults: { k: 'default' } }), { ...SUB, k: '' });
    expect(problem).toMatchObject({ code: 'identity_unencodable', field: 'k' });
    expect(problem.message).toContain('claim k is empty and would leave a gap');
  });

  test('what is empty by default, or asked for before, may be empty', () => {
    const optional = { san: 'https://x/{{ .sub }}{{ .k }}', defaults: { k: '' } };
    for (const claims of [{}, { k: '' }]) expect(made(optional, claims).san.value).toBe('https://x/job1');
    const asked = { san: 'https://x/{{ .sub }}{{ if .k }}/{{ .k }}{{ end }}' };
    expect(made(asked, { k: '' }).san.value).toBe('https://x/job1');
    expect(made(asked, { k: 'z' }).san.value).toBe('https://x/job1/z');
  });

  test('what index does not find is refused, naming it, unless it only decides', () => {
    const name = 'oidc.circleci.com/project-id';
    const problem = refusal(parameters({ san: `https://x/{{ (index . "${name}") }}/y` }), SUB);
    expect(problem).toMatchObject({ code: 'identity_unencodable', field: name });
    expect(problem.message).toBe(
      `template: :1:14: executing "" at <index . "${name}">: map has no entry for key "${name}"`,
    );
    const san = `https://x/{{ if index . "${name}" }}a{{ else }}b{{ end }}{{ or (index . "${name}") "c" }}`;
    expect(made({ san }).san.value).toBe('https://x/bc');
  });

  test('a blank template is refused when it is read', () => {
    expect(mistakesOf(parameters({ san: ' ' }))).toEqual([
      expect.stringMatching(
        /^subject-alternative-name-template: SubjectAlternativeNameTemplate should not be empty/,
      ),
    ]);
  });
});

describe('errors at run time', () => {
  test.each([
    ['{{ .x }}', 'template: :1:3: executing "" at <.x>: map has no entry for key "x"'],
    ['a\nü{{.x}}', 'template: :2:4: executing "" at <.x>: map has no entry for key "x"'],
    [
      '{{if eq . ""}}a{{end}}',
      'template: :1:5: executing "" at <eq . "">: error calling eq: incompatible types for comparison: map[string]string and string',
    ],
    [
      '{{ eq .sub 1 }}',
      'template: :1:3: executing "" at <eq .sub 1>: error calling eq: incompatible types for comparison: string and int',
    ],
  ])('%j', (template, message) => {
    expect(failure(template)).toMatchObject({ code: 'identity_unencodable', message });
  });
});

describe('when the configuration is read', () => {
  test.each([
    ['{{ .a', 'template: :1: unclosed action (line 1, character 1)'],
    ['{{}}', 'template: :1: missing value for command (line 1, character 3)'],
    [
      'a\n {{ foo . }}',
      'template: :2: function "foo" not defined; there are and, eq, index, ne, not, or (line 2, character 5)',
    ],
    [
      '{{ range . }}{{ end }}',
      'template: :1: range is not supported; use if, else and end (line 1, character 4)',
    ],
    [
      '{{ with .a }}{{ end }}',
      'template: :1: with is not supported; use if, else and end (line 1, character 4)',
    ],
    [
      '{{ template "x" }}',
      'template: :1: template is not supported; use if, else and end (line 1, character 4)',
    ],
    ['{{ $x := .a }}', expect.stringContaining('unexpected "$" in command')],
    ['{{ printf "%s" .a }}', expect.stringContaining('function "printf" not defined')],
    ['{{ if .a }}', expect.stringContaining('unexpected EOF')],
    ['{{ end }}', expect.stringContaining('unexpected {{end}}')],
    ['{{ .a.b }}', expect.stringContaining('a claim has no fields')],
    ['{{ index .a "b" }}', expect.stringContaining('index takes . and the name of a claim')],
  ])('%j is refused', (template, message) => {
    const text = typeof message === 'string' ? `extension-templates.build-trigger: ${message}` : message;
    expect(mistakesOf(parameters({ extensions: { 'build-trigger': template } }))).toEqual([text]);
  });

  test('all mistakes at once, ignored extensions included', () => {
    const extensions = {
      'build-trigger': '{{',
      'buidl-signer-uri': 'x',
      issuer: '{{ end }}',
      'build-config-uri': '{{ x }}',
    };
    expect(mistakesOf(parameters({ extensions, san: '{{ else }}' })).map((one) => one.split(':')[0])).toEqual(
      [
        'extension-templates.buidl-signer-uri',
        'subject-alternative-name-template',
        'extension-templates.build-config-uri',
        'extension-templates.build-trigger',
        'extension-templates.issuer',
      ],
    );
  });

  test('metadata must be there', () => {
    expect(mistakesOf({ type: 'ci-provider' })).toEqual([
      'ci-provider: is missing; it takes a key of ci-issuer-metadata',
    ]);
  });
});
