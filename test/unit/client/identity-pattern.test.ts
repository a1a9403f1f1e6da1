// Identity patterns: what a star stands for, and that they agree with the regular expressions they replace.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IdentityPattern } from '../../../src/client/identity-pattern.ts';

const matches = (pattern: string, name: string): boolean => new IdentityPattern(pattern).matches(name);

describe('an identity pattern', () => {
  test.each([
    ['a@example.com', 'a@example.com'],
    ['*@example.com', 'a@example.com'],
    ['*@example.com', '@example.com'],
    ['https://github.com/org/repo/*', 'https://github.com/org/repo/.github/workflows/a.yml@refs/tags/v1'],
    [
      'https://github.com/org/*@refs/tags/*',
      'https://github.com/org/repo/.github/workflows/a.yml@refs/tags/v1',
    ],
    ['*', ''],
    ['**', 'anything at all'],
    ['a*a*a', 'aaa'],
    ['a*b*c', 'aXbXbXc'],
  ])('%s is %s', (pattern, name) => expect(matches(pattern, name)).toBe(true));

  test.each([
    ['a@example.com', 'A@example.com'],
    ['a@example.com', 'aa@example.com'],
    ['a@example.com', 'a@example.com.example.net'],
    ['*@example.com', 'a@example.com.example.net'],
    ['*@example.com', 'a@exampleXcom'],
    ['https://github.com/org/repo/*', 'https://github.com/org/repo-of-another/x'],
    ['https://github.com/org/*@refs/tags/*', 'https://github.com/org/repo/a.yml@refs/heads/main'],
    ['a*a', 'a'],
    ['ab*ba', 'aba'],
    ['a*b*b', 'aXb'],
    ['', 'a'],
  ])('%s is not %s', (pattern, name) => expect(matches(pattern, name)).toBe(false));

  test('agrees with an anchored regular expression', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '/', '*'), maxLength: 12 });
    fc.assert(
      fc.property(text, text, (pattern, name) => {
        const expression = new RegExp(`^${pattern.split('*').map(RegExp.escape).join('[^]*')}$`);
        expect(matches(pattern, name)).toBe(expression.test(name));
      }),
      { numRuns: 2000 },
    );
  });

  test('takes no time that grows beyond all bounds', () => {
    const pattern = `${'a*'.repeat(50)}b`;
    expect(matches(pattern, 'a'.repeat(100_000))).toBe(false);
  });
});
