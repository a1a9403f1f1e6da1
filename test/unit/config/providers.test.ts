// providers.yaml as a file that people extend: a new kind is one block, and every mistake in it is told with its line.

import { describe, expect, test } from 'vitest';
import { SettingsError } from '../../../src/config/mistake.ts';
import { parseProviders } from '../../../src/config/providers.ts';
import { derive } from '../../../src/identity/identity.ts';
import { compileProvider } from '../../../src/identity/provider.ts';
import { claimsOf } from '../../../src/token/claims.ts';
import { kinds, providersText } from '../identity/kinds.ts';

function mistakes(text: string): string[] {
  try {
    parseProviders(text);
  } catch (failure) {
    if (failure instanceof SettingsError) return failure.message.split('\n');
    throw failure;
  }
  return [];
}

describe('the shipped file', () => {
  test('every template of every kind compiles for an issuer of that kind', () => {
    for (const [type, kind] of kinds) {
      const values = Object.fromEntries(
        [...kind.constants]
          .filter(([, rule]) => typeof rule !== 'string')
          .map(([name]) => [name, 'https://x.example']),
      );
      const compiled = compileProvider(kinds, {
        type,
        form: 'list',
        issuerUrl: 'https://idp.example.org',
        subjectDomain: type === 'uri' ? 'https://example.org' : 'example.org',
        spiffeTrustDomain: 'example.org',
        metadata: { defaults: {}, extensions: {}, san: 'https://x/{{ .sub }}' },
        values,
      });
      expect(compiled, type).toHaveProperty('provider');
    }
  });

  test('names every check and rule that it explains', () => {
    const comment = providersText.slice(0, providersText.indexOf('\nkinds:'));
    for (const [, kind] of kinds) {
      for (const rule of kind.claims.values()) expect(comment).toContain(rule.is);
      for (const rule of kind.parameters.values()) expect(comment).toContain(rule);
    }
  });
});

test('a new CI is one block', () => {
  const text = `
kinds: {}
presets:
  woodpecker:
    constants:
      url: { from-issuer-without: /oidc }
    claims:
      repo: text
      repo_id: scalar
      commit: { is: text, default: '' }
    san: { uri: '{{ .url }}/{{ .repo }}' }
    extensions:
      source-repository-identifier: repo_id
      source-repository-digest: commit
      build-config-uri: { base: url, path: '{{ .repo }}/.woodpecker.yaml' }
    quota: { identity: { extension: source-repository-identifier }, owner: [owner_id, owner] }
`;
  const compiled = compileProvider(parseProviders(text), {
    type: 'woodpecker',
    form: 'list',
    issuerUrl: 'https://ci.example.org/oidc',
  });
  if ('mistakes' in compiled) throw new Error(JSON.stringify(compiled.mistakes));
  const claims = claimsOf({ iss: 'x', sub: 's', repo: 'a/b', repo_id: 7, owner: 'a' });
  expect(derive(compiled.provider, 'https://ci.example.org/oidc', claims)).toEqual({
    issuer: 'https://ci.example.org/oidc',
    subject: 's',
    san: { kind: 'uri', value: 'https://ci.example.org/a/b' },
    challenge: 's',
    attributes: [
      { extension: 1, value: 'https://ci.example.org/oidc' },
      { extension: 8, value: 'https://ci.example.org/oidc' },
      { extension: 15, value: '7' },
      { extension: 18, value: 'https://ci.example.org/a/b/.woodpecker.yaml' },
      { extension: 24, value: 's' },
    ],
    quota: { issuer: 'https://ci.example.org/oidc', identity: '7', owner: 'a' },
  });
});

describe('mistakes', () => {
  test('all at once, with their lines', () => {
    const text = `
kinds:
  x:
    claims:
      sub: txt
      ref: { is: text, defualt: '' }
    san: { mail: sub }
    extensions:
      build-singer-uri: sub
    parameters: { subject-domain: host }
    chalenge: [sub]
`;
    expect(mistakes(text).map((line) => line.split(': ').slice(0, 2).join(' '))).toEqual([
      'providers.yaml:5 kinds.x.claims.sub',
      'providers.yaml:6 kinds.x.claims.ref.defualt',
      'providers.yaml:7 kinds.x.san',
      'providers.yaml:7 kinds.x.san.mail',
      'providers.yaml:9 kinds.x.extensions.build-singer-uri',
      'providers.yaml:10 kinds.x.parameters.subject-domain',
      'providers.yaml:11 kinds.x.chalenge',
    ]);
  });

  test('templates and references', () => {
    const text = `
kinds:
  x:
    constants: { name: text }
    claims:
      a: { is: text, under: url }
      b: { is: text, under: name }
    san: { uri: '{{ .a' }
    extensions:
      build-trigger: '{{ if .a }}'
      build-signer-uri: { base: url, path: '{{ foo }}' }
`;
    expect(mistakes(text)).toEqual([
      'providers.yaml:6: kinds.x.claims.a.under: takes the name of a constant that is a URL',
      'providers.yaml:7: kinds.x.claims.b.under: takes the name of a constant that is a URL',
      'providers.yaml:8: kinds.x.san.uri: unclosed action (character 1 of the template)',
      'providers.yaml:10: kinds.x.extensions.build-trigger: unexpected EOF: an if needs its {{end}} (character 12 of the template)',
      'providers.yaml:11: kinds.x.extensions.build-signer-uri.path: function "foo" not defined; there are and, eq, index, ne, not, or (character 4 of the template)',
    ]);
  });

  test('a preset may not take the name of a kind', () => {
    expect(mistakes('kinds: { x: { san: { uri: sub } } }\npresets: { x: { san: { uri: sub } } }')).toEqual([
      'providers.yaml:2: presets.x: is the name of a kind already',
    ]);
  });

  test('one name, not two and not none', () => {
    const both = 'kinds: { x: { san: { uri: sub, email: sub } }, y: { san: {} } }';
    expect(mistakes(both)).toEqual([
      'providers.yaml:1: kinds.x.san: takes exactly one of email, uri and other-name',
      'providers.yaml:1: kinds.y.san: takes exactly one of email, uri and other-name',
    ]);
  });

  test.each(['', 'kinds: [', 'a: b', '- x'])('%j is no such file', (text) => {
    expect(mistakes(text).length).toBeGreaterThan(0);
  });
});
