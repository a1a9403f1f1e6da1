import { describe, expect, it } from 'vitest';
import { type Issuer, IssuerDirectory, overlaps } from '../../../src/token/issuer.ts';
import { hasWildcardHost, intersects, matchesPattern } from '../../../src/token/issuer-pattern.ts';

function entry(url: string, ...audiences: string[]): Issuer {
  return {
    name: url,
    url,
    wildcard: url.includes('*'),
    audiences: audiences.length ? audiences : ['sigstore'],
  };
}

describe('a pattern', () => {
  const eks = 'https://oidc.eks.*.amazonaws.com/id/*';
  it.each([
    [eks, 'https://oidc.eks.eu-west_1.amazonaws.com/id/ABC123', true],
    [eks, 'https://oidc.eks.eu.amazonaws.com/id/', false], // at least one character
    [eks, 'https://oidc.eks..amazonaws.com/id/x', false],
    [eks, 'https://oidc.eks.a.b.amazonaws.com/id/x', false], // no dot
    [eks, 'https://oidc.eks.evil.example/amazonaws.com/id/x', false],
    [eks, 'https://oidc.eks.a.amazonaws.com/id/x/y', false], // no slash
    [eks, 'https://oidc.eks.a.amazonaws.com/id/x?y', false],
    [eks, 'https://oidc.eks.a.amazonaws.com/id/x%2fy', false],
    [eks, 'https://oidc.eks.a.amazonaws.com/id/~x', false],
    [eks, 'https://oidc.eks.a@evil.amazonaws.com/id/x', false],
    [eks, 'xhttps://oidc.eks.a.amazonaws.com/id/x', false], // anchored
    [eks, 'https://oidc.eks.a.amazonaws.com/id/x ', false],
    ['http://127.0.0.1:*', 'http://127.0.0.1:8080', true],
    ['http://127.0.0.1:*', 'http://127.0.0.1:', false],
    ['https://a*b*c', 'https://aXbXbXc', true],
    ['https://a**', 'https://ab', false],
    ['https://a**', 'https://abc', true],
    ['https://a.b', 'https://axb', false], // a dot is a dot
    ['https://a/*', 'https://a/é', false],
    ['https://a/*', 'https://a/*', false], // the pattern itself is no issuer
  ])('%s against %s is %s', (pattern, text, expected) => {
    expect(matchesPattern(pattern, text)).toBe(expected);
  });

  it.each([
    ['https://*.example.com', true],
    ['https://example.com:*/x', true],
    ['https://user@*/x', true],
    ['https:*', true],
    ['https://example.com/*', false],
    ['https://example.com?*', false],
    ['https://example.com#*', false],
    ['https://example.com\\*', false],
  ])('%s has a wildcard host: %s', (pattern, expected) => {
    expect(hasWildcardHost(pattern)).toBe(expected);
  });

  it.each([
    ['https://a/*/c', 'https://a/b/*', true],
    ['https://a/*/c', 'https://a/*/*', true],
    ['https://a/*', 'https://b/*', false],
    ['https://a/*', 'https://a/*/*', false],
    ['https://*.a/*', 'https://x.a/y', true],
    ['*x', 'y*', true],
    ['*.x', 'y*', false],
    ['a*', 'a', false],
  ])('%s and %s can match one text: %s', (first, second, expected) => {
    expect(intersects(first, second)).toBe(expected);
    expect(intersects(second, first)).toBe(expected);
  });
});

describe('the directory', () => {
  it('finds the exact entry before any pattern, with all its audiences', () => {
    const [pattern, one, two] = [
      entry('https://a.example/*'),
      entry('https://a.example/x', 'ci'),
      entry('https://a.example/x', 'people'),
    ];
    const directory = new IssuerDirectory([pattern, one, two]);
    expect(directory.find('https://a.example/x')).toEqual([one, two]);
    expect(directory.find('https://a.example/y')).toEqual([pattern]);
  });

  it('finds the most specific pattern only, with every entry that has it', () => {
    const wide = entry('https://*.example/*');
    const narrow = entry('https://a.example/*', 'ci');
    const other = entry('https://a.example/*', 'people');
    const directory = new IssuerDirectory([wide, narrow, other]);
    expect(directory.find('https://a.example/x')).toEqual([narrow, other]);
    expect(directory.find('https://b.example/x')).toEqual([wide]);
  });

  it.each([
    'https://a.example',
    'https://a.example//',
    'HTTPS://a.example/',
    'https://A.example/',
    'https://a.example/\n',
    '',
  ])('compares byte for byte: %j is unknown', (iss) => {
    expect(new IssuerDirectory([entry('https://a.example/')]).find(iss)).toEqual([]);
  });

  it('takes a * in an exact entry literally', () => {
    const exact: Issuer = { ...entry('https://a.example/*'), wildcard: false };
    expect(new IssuerDirectory([exact]).find('https://a.example/x')).toEqual([]);
    expect(new IssuerDirectory([exact]).find('https://a.example/*')).toEqual([exact]);
  });

  it('does not look for an issuer of more than 2048 characters', () => {
    const directory = new IssuerDirectory([entry('https://a.example/*')]);
    expect(directory.find(`https://a.example/${'x'.repeat(2048)}`)).toEqual([]);
  });
});

describe('overlaps', () => {
  const pairs = (...issuers: Issuer[]) => overlaps(issuers).map(({ first, second }) => [first, second]);

  it('are two entries of one URL that share an audience', () => {
    const [a, b, c] = [entry('https://a', 'x', 'y'), entry('https://a', 'y', 'z'), entry('https://a', 'w')];
    expect(pairs(a, b, c)).toEqual([[a, b]]);
    const [d, e] = [entry('https://a/*', 'x'), entry('https://a/*', 'x')];
    expect(pairs(d, e)).toEqual([[d, e]]);
  });

  it('are two equally specific patterns that can match one issuer', () => {
    const [a, b] = [entry('https://a/*/cc'), entry('https://a/bb/*')];
    expect(pairs(a, b)).toEqual([[a, b]]);
    expect(overlaps([a, b])[0]?.why).toContain('https://a/bb/*');
  });

  it('are not: an exact entry and a pattern, a more specific pattern, patterns apart, other audiences', () => {
    expect(pairs(entry('https://a/x'), entry('https://a/*'))).toEqual([]);
    expect(pairs(entry('https://a/*'), entry('https://*/*'))).toEqual([]);
    expect(pairs(entry('https://a/*'), entry('https://b/*'))).toEqual([]);
    expect(pairs(entry('https://a/*', 'x'), entry('https://a/*', 'y'))).toEqual([]);
  });
});
