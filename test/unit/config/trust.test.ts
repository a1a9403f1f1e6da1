import { expect, it } from 'vitest';
import { CERTIFICATE, mistakesOf, settingsOf } from './read.ts';

it('what is trusted beside the own keys, with its times', () => {
  const text = `
also-trusted:
  cas:
    - { chain: { file: ca.pem }, until: "2026-05-04T03:02:01+02:00" }
    - chain: { file: ca.pem }
  logs:
    - { url: "https://log.example/2026", public-key: { file: log.pem }, from: "2026-01-01T00:00:00Z" }
`;
  expect(settingsOf(text).alsoTrusted).toEqual({
    cas: [{ chain: CERTIFICATE, until: Date.UTC(2026, 4, 4, 1, 2, 1) }, { chain: CERTIFICATE }],
    timestamps: [],
    logs: [
      {
        url: 'https://log.example/2026',
        publicKey: expect.stringContaining('PUBLIC KEY'),
        from: Date.UTC(2026, 0, 1),
      },
    ],
  });
  expect(settingsOf('{}')).not.toHaveProperty('alsoTrusted');
});

it.each([
  ['also-trusted: {cas: [{chain: x}]}', '1 also-trusted.cas[0].chain: takes one or more certificates in PEM'],
  [
    'also-trusted: {cas: [{chain: {file: ca.pem}, until: yesterday}]}',
    'also-trusted.cas[0].until: takes a time with its zone',
  ],
  [
    'also-trusted: {cas: [{chain: {file: ca.pem}, until: "2026-05-04T03:02:01"}]}',
    'takes a time with its zone',
  ],
  [
    'also-trusted: {logs: [{url: "https://l", public-key: x}]}',
    '1 also-trusted.logs[0].public-key: takes a PUBLIC KEY in PEM',
  ],
  ['also-trusted: {roots: []}', '1 also-trusted.roots: is not a known key'],
])('%s', (text, expected) => {
  expect(mistakesOf(text).join('\n')).toContain(expected);
});
