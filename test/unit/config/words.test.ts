import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../../src/config/duration.ts';
import { format, formatPath, SettingsError } from '../../../src/config/mistake.ts';
import { nearest, suggestion } from '../../../src/config/nearest.ts';

describe('a duration', () => {
  it.each([
    ['0', 0],
    ['0s', 0],
    ['250ms', 250],
    ['90s', 90_000],
    ['15m', 900_000],
    ['1h30m', 5_400_000],
    ['2d', 172_800_000],
    ['1d2h3m4s5ms', 93_784_005],
  ])('%s is %i ms', (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });

  it.each(['', '5', '1.5h', '-1s', '1 h', '1H', 'h', '30m1h', '1s1s', '1h ', '1hour', '12345678901s'])(
    '%j is none',
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );
});

describe('the nearest name', () => {
  const known = ['oidc-issuers', 'meta-issuers', 'port', 'grpc-port', 'host', 'data'];
  it.each([
    ['prot', 'port'],
    ['hosts', 'host'],
    ['OIDCIssuers', 'oidc-issuers'],
    ['oidc_issuers', 'oidc-issuers'],
    ['metaissuer', 'meta-issuers'],
    ['grpcport', 'grpc-port'],
  ])('%s: %s', (word, name) => {
    expect(nearest(word, known)).toBe(name);
    expect(suggestion(word, known)).toBe(`; did you mean "${name}"?`);
  });

  it.each(['', 'x', 'issuance', 'a'.repeat(100)])('%j: none', (word) => {
    expect(nearest(word, known)).toBeUndefined();
    expect(suggestion(word, known)).toBe('');
  });
});

describe('mistakes', () => {
  it('stand one to a line, in the order of the file', () => {
    const error = new SettingsError(
      [
        { path: 'b', line: 9, column: 1, message: 'is wrong', severity: 'error' },
        { path: 'a[1]', line: 2, column: 3, message: 'looks odd', severity: 'warning' },
        { path: '', message: 'is empty', severity: 'error' },
      ],
      'my.yaml',
    );
    expect(error.message).toBe(
      'my.yaml: is empty\nmy.yaml:2: warning: a[1]: looks odd\nmy.yaml:9: b: is wrong',
    );
    expect(error.mistakes).toHaveLength(3);
    expect(format([], 'my.yaml')).toBe('');
  });

  it('have paths that read like the file', () => {
    expect(formatPath(['oidc-issuers', 'https://a.example', 'policy', 'require', 3])).toBe(
      'oidc-issuers["https://a.example"].policy.require[3]',
    );
  });
});
