import { describe, expect, it } from 'vitest';
import { CERTIFICATE, mistakesOf, settingsOf } from './read.ts';

const KEY = 'witness.example+5a3b9c01+BPu0AAAA';
const LOG_PEM = expect.stringContaining('PUBLIC KEY');

describe('logs elsewhere', () => {
  it('are a list in order of preference, each with what is its own', () => {
    const text = `
log:
  - url: https://a.example/2027
    public-key: { file: log.pem }
    bearer: { file: a.token }
    deadline: 1500ms
  - https://b.example
`;
    expect(settingsOf(text).log).toEqual({
      kind: 'remote',
      logs: [
        {
          url: 'https://a.example/2027',
          publicKey: LOG_PEM,
          bearer: 'first-token-of-a-log',
          deadlineMs: 1500,
        },
        { url: 'https://b.example' },
      ],
    });
  });
});

describe('the log role', () => {
  it('has the CAs that it logs for, and the tokens of those who submit', () => {
    const text = 'role: log\nlog-roots: { file: ca.pem }\nlog-bearer: { file: a.token }';
    expect(settingsOf(text)).toMatchObject({
      role: 'log',
      logRoots: CERTIFICATE,
      logBearers: ['first-token-of-a-log', 'second-token-of-a-log'],
    });
  });
});

it('witnesses are listed by name, URL and verifier key', () => {
  const witness = { name: 'w', url: 'https://w.example/', key: KEY };
  expect(settingsOf(`witnesses: [${JSON.stringify(witness)}]`).witnesses).toEqual([witness]);
});

describe('mistakes', () => {
  it.each([
    ['role: both', '1 role: takes one of all, ca, log'],
    ['log: []', '1 log: needs at least one log'],
    ['log: [builtin]', '1 log[0]: takes a URL that begins with https:// or http://'],
    ['log: [{url: "https://a", public-key: x}]', '1 log[0].public-key: takes a PUBLIC KEY in PEM'],
    ['log: [{url: "https://a", key: x}]', '1 log[0].key: is not a known key'],
    ['log: {url: "https://a", bearer: secret}', '1 log.bearer: takes a map, not text'],
    ['log-roots: x', '1 log-roots: takes one or more certificates in PEM'],
    ['log-bearer: {file: nope}', '1 log-bearer.file: the file cannot be read: no such file: nope'],
    [
      'log-bearer: {file: short.token}',
      '1 log-bearer.file: takes a file with a token of at least 16 characters on each line',
    ],
    ['witnesses: [{name: w, url: x, key: k}]', '1 witnesses[0].url: takes a URL'],
    [`witnesses: [{name: w, url: "https://w", key: "w+x+y"}]`, '1 witnesses[0].key: takes a verifier key'],
    [
      `witnesses: [{name: w, url: "https://w", key: "${KEY}"}, {name: w, url: "https://v", key: "v${KEY}"}]`,
      '1 witnesses[1].name: is taken already',
    ],
    [
      `witnesses: [{name: w, url: "https://w", key: "${KEY}"}, {name: v, url: "https://v", key: "${KEY}"}]`,
      '1 witnesses[1].key: is there already',
    ],
  ])('%s', (text, expected) => {
    expect(mistakesOf(text).join('\n')).toContain(expected);
    expect(mistakesOf(text).join('\n')).not.toContain('secret');
  });
});
