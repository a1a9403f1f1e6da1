import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileCel } from '../../../src/policy/cel.ts';
import type { Rule } from '../../../src/policy/rule.ts';
import { type Claims, claimsOf } from '../../../src/token/claims.ts';

const sample = claimsOf({ ref: 'refs/heads/main', run: 7 });

function compile(text: string): Rule {
  const compiled = compileCel(text, { name: 'cel[0]', sample });
  if ('mistake' in compiled) throw new Error(compiled.mistake);
  return compiled.rule;
}

function mistakeOf(text: string): string {
  const compiled = compileCel(text, { name: 'cel[0]', sample });
  return 'mistake' in compiled ? compiled.mistake : 'none';
}

const claims: Claims = claimsOf(
  JSON.parse(`{
    "ref": "refs/tags/v1.2", "id": 41, "ratio": 0.5, "private": true, "gone": null,
    "teams": ["core", "release"], "actor": { "name": "kim", "__proto__": { "admin": true } }, "a/b": "x"
  }`),
);

describe('a rule in CEL', () => {
  it.each([
    'claims.ref == "refs/heads/main" || claims.ref.startsWith("refs/tags/v")',
    'claims.ref.matches("^refs/tags/v[0-9.]+$")',
    'claims.id == 41 && claims.id > 40.5 && claims.id % 2 == 1',
    'claims.ratio < 1.0',
    'claims.private',
    'claims.gone == null',
    '"release" in claims.teams && claims.teams.exists(t, t.startsWith("co"))',
    'claims.actor.name == "kim"',
    'claims["a/b"] == "x"',
    '!has(claims.environment)',
    'has(claims.environment) ? claims.environment == "prod" : true',
  ])('%s holds', (text) => {
    expect(compile(text).holds(claims)).toBe(true);
  });

  it.each([
    'claims.ref == "refs/heads/main"',
    'claims.missing == "x"',
    'claims.missing != "x"', // what is not there is not anything else either
    'claims.id.startsWith("4")', // no text in this token
    'claims.ref',
    'claims.constructor != null',
    'claims.actor.admin',
    'has(claims.toString)',
    'claims.teams[7] == "x"',
    'claims.id / 0 == 1',
  ])('%s does not hold, and throws nothing', (text) => {
    const compiled = compileCel(text, { name: 'cel[0]', sample: claimsOf({}) });
    expect('rule' in compiled && compiled.rule.holds(claims)).toBe(false);
  });

  it('tells which claims it reads', () => {
    const text = 'claims.a == "1" && claims["b"] in [claims.c.d] || has(claims.e) || "f" in claims';
    const compiled = compileCel(text, { name: 'n', sample });
    expect('claims' in compiled && [...compiled.claims.named].sort()).toEqual(['a', 'b', 'c', 'e', 'f']);
    expect('claims' in compiled && [...compiled.claims.askedFor].sort()).toEqual(['e', 'f']);
  });

  it.each([
    ['1 +', 'is not CEL: 1:3'],
    ['', 'is not CEL'],
    ['ref == "x"', 'knows no ref; a claim is written claims.NAME or claims["NAME"]'],
    ['clams.ref == "x"', 'knows no clams'],
    ['claims.teams.exists(t, u == t)', 'knows no u'],
    ['claims.ref', 'must be true or false'],
    ['"always"', 'must be true or false'],
    ['claims.run > "5"', 'no matching overload'],
    ['claims.ref == "x" && claims.ref > 5', 'no matching overload'], // never reached by the sample
    ['claims.ref.lower() == "x"', 'unbound function: lower'],
    ['claims.absent.exists(t, t.lower() == "x")', 'unbound function: lower'], // within a macro
    ['claims.ref == "x" && claims.ref', 'must be true or false, and is neither, as claims.ref'],
    ['has(claims.absent) ? "yes" : true', 'must be true or false, and is neither, as "yes"'],
    ['!(claims.run > 5 && 1)', 'type mismatch: expected bool, got int'],
    ['claims.ref.exists(c, c == "x")', 'type mismatch'],
    ['claims.absent == "x" && claims.absent.matches("(")', 'error parsing regexp'],
    [`claims.ref == "${'x'.repeat(5000)}"`, 'takes at most 4096 characters'],
  ])('%j is refused when it is read: %s', (text, message) => {
    expect(mistakeOf(text)).toContain(message);
  });

  it('never throws, whatever a token holds', () => {
    const rules = [
      'claims.a.startsWith("x") || claims.b > 3 || claims.c.exists(v, v == claims.a)',
      'claims.a.b.c == claims.b && size(claims.c) > 1',
      'int(claims.a) > 1 && timestamp(claims.b) < timestamp("2020-01-01T00:00:00Z") || claims.a.matches(claims.b)',
      'claims.a + claims.b == claims.c',
    ].map((text) => {
      const compiled = compileCel(text, { name: 'n', sample: claimsOf({}) });
      if ('mistake' in compiled) throw new Error(compiled.mistake);
      return compiled.rule;
    });
    fc.assert(
      fc.property(fc.record({ a: fc.jsonValue(), b: fc.jsonValue(), c: fc.jsonValue() }), (payload) => {
        const given = claimsOf(JSON.parse(JSON.stringify(payload)));
        for (const rule of rules) expect(typeof rule.holds(given)).toBe('boolean');
      }),
      { numRuns: 300 },
    );
  });

  it('takes a time that grows with the text alone for a regular expression that makes others explode', () => {
    const rule = compile('claims.ref.matches("^(a+)+$")');
    // A backtracking engine would need 2^4000 steps: this test would not end.
    expect(rule.holds(claimsOf({ ref: `${'a'.repeat(4000)}!` }))).toBe(false);
    expect(rule.holds(claimsOf({ ref: 'a'.repeat(4000) }))).toBe(true);
  });
});
