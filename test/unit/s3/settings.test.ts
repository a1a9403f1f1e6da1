// Settings of a log in a bucket: what the configuration file may say.

import { describe, expect, it } from 'vitest';
import { parseSettings } from '../../../src/config/settings.ts';
import { KINDS } from '../../fakes/instance.ts';

const parse = (s3: string): ReturnType<typeof parseSettings> =>
  parseSettings(`log: { s3: ${s3} }`, {
    fileName: 'the test',
    kinds: KINDS,
    readFile: (path) => (path === 'secret' ? 'the-secret\nmore\n' : ''),
  });

describe('log: { s3 }', () => {
  it('names a bucket, and AWS in the region unless told otherwise', () => {
    expect(parse('{ bucket: my-log }').settings.log).toEqual({
      kind: 'builtin',
      s3: {
        endpoint: 'https://s3.us-east-1.amazonaws.com',
        bucket: 'my-log',
        region: 'us-east-1',
        prefix: '',
      },
    });
    expect(
      parse(
        '{ bucket: b.c, endpoint: "http://127.0.0.1:7070", region: auto, prefix: a/b/, access-key-id: id, secret-access-key: { file: secret } }',
      ).settings.log,
    ).toEqual({
      kind: 'builtin',
      s3: {
        endpoint: 'http://127.0.0.1:7070',
        bucket: 'b.c',
        region: 'auto',
        prefix: 'a/b/',
        accessKeyId: 'id',
        secretAccessKey: 'the-secret',
      },
    });
  });

  it.each([
    '{}',
    '{ bucket: B }',
    '{ bucket: my-log, prefix: a }',
    '{ bucket: my-log, prefix: ../ }',
    '{ bucket: my-log, endpoint: store.example.com }',
    '{ bucket: my-log, endpoint: "https://store.example.com/path" }',
    '{ bucket: my-log, secret-access-key: in-the-file-for-all-to-see }',
    '{ bucket: my-log, secret-access-key: { file: empty } }',
    '{ bucket: my-log, buckets: 2 }',
  ])('refuses %s', (s3) => {
    expect(() => parse(s3)).toThrow(/log/);
  });
});
