import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Message } from '../../../src/http/protojson.ts';
import * as v1 from '../../../src/http/signing-cert-v1.ts';
import * as v2 from '../../../src/http/signing-cert-v2.ts';
import { Problem } from '../../../src/problem.ts';

const noHeaders = new Headers();

function problemOf(run: () => unknown): Problem {
  try {
    run();
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error('expected a Problem');
}

describe('a v2 request', () => {
  const camel = {
    credentials: { oidcIdentityToken: 'a.b.c' },
    publicKeyRequest: { publicKey: { algorithm: 'ECDSA', content: 'PEM' }, proofOfPossession: 'AQI=' },
  };
  const snake = {
    credentials: { oidc_identity_token: 'a.b.c' },
    public_key_request: { public_key: { algorithm: 2, content: 'PEM' }, proof_of_possession: 'AQI' },
  };
  test.each([
    ['lowerCamelCase', camel],
    ['proto names', snake],
    ['unknown fields', { ...camel, zzz: [1, { a: null }] }],
    [
      'unknown enum name',
      {
        ...camel,
        publicKeyRequest: { ...camel.publicKeyRequest, publicKey: { algorithm: 'NO', content: 'PEM' } },
      },
    ],
    ['null members', { ...camel, certificateSigningRequest: null }],
  ])('in %s', (_, body) => {
    expect(v2.parseRequest(JSON.stringify(body), noHeaders)).toEqual({
      token: 'a.b.c',
      key: { kind: 'possession', publicKey: 'PEM', signature: Uint8Array.of(1, 2) },
    });
  });

  test('a CSR that is not empty is taken', () => {
    const request = v2.parseRequest('{"certificateSigningRequest":"AQID"}', noHeaders);
    expect(request.key).toEqual({ kind: 'csr', pem: Uint8Array.of(1, 2, 3) });
  });

  test.each(['', ' \n', '{}', '{"credentials":null}', '{"certificateSigningRequest":""}'])(
    '%j is an empty message',
    (text) => {
      expect(v2.parseRequest(text, noHeaders)).toEqual({
        token: '',
        key: { kind: 'possession', publicKey: '', signature: new Uint8Array() },
      });
    },
  );

  test.each([
    ['{', 'unexpected EOF'],
    ['{"credentials":{"oidcIdentityToken":"a', 'unexpected EOF'],
    ['{"a":}', 'syntax error'],
    ['[]', 'syntax error'],
    ['"x"', 'syntax error'],
    ['{"credentials":5}', 'syntax error'],
    ['{"credentials":{"oidcIdentityToken":5}}', 'invalid value for string field oidcIdentityToken'],
    ['{"publicKeyRequest":{"proofOfPossession":"*"}}', 'invalid value for bytes field proofOfPossession'],
    ['{"publicKeyRequest":{"proofOfPossession":7}}', 'invalid value for bytes field proofOfPossession'],
    ['{"publicKeyRequest":{"publicKey":{"algorithm":{}}}}', 'invalid value for enum field algorithm'],
    ['{"publicKeyRequest":{"publicKey":{"algorithm":1.5}}}', 'invalid value for enum field algorithm'],
    ['{"publicKeyRequest":{},"certificateSigningRequest":"AQ=="}', 'is already set'],
    ['{"publicKeyRequest":{},"certificateSigningRequest":""}', 'is already set'],
    ['{"publicKeyRequest":{},"public_key_request":{}}', 'duplicate field'],
  ])('%s is refused: %s', (text, message) => {
    const problem = problemOf(() => v2.parseRequest(text, noHeaders));
    expect([problem.status, problem.rpcCode]).toEqual([400, 3]);
    expect(problem.message).toContain(message);
  });

  test.each([
    ['Bearer a.b.c', 'a.b.c'],
    ['a.b.c', 'a.b.c'],
    ['bearer a.b.c', 'bearer a.b.c'],
  ])('Authorization %j gives the token %j', (authorization, token) => {
    expect(v2.parseRequest('', new Headers({ authorization })).token).toBe(token);
  });

  test('a token in the body wins, and a second value in the metadata leaves none', () => {
    const authorization = 'Bearer h.h.h';
    expect(v2.parseRequest(JSON.stringify(camel), new Headers({ authorization })).token).toBe('a.b.c');
    const both = new Headers({ authorization, 'grpc-metadata-oidcidentitytoken': 'x' });
    expect(v2.parseRequest('', both).token).toBe('');
  });

  test('members of Object.prototype are absent fields', () => {
    const message = Message.parse('{}', { snakeCase: true });
    for (const name of ['constructor', 'toString', '__proto__']) expect(message.has(name)).toBe(false);
  });
});

describe('a v1 request', () => {
  test('takes key and proof as bytes, the token from the header alone', () => {
    const body = {
      publicKey: { content: 'AQ==', algorithm: 'EcDsA' },
      signedEmailAddress: 'Ag==',
      credentials: { oidcIdentityToken: 'x' },
    };
    expect(v1.parseRequest(JSON.stringify(body), new Headers({ authorization: 'Bearer a.b.c' }))).toEqual({
      token: 'a.b.c',
      key: { kind: 'possession', publicKey: Uint8Array.of(1), signature: Uint8Array.of(2) },
    });
  });

  test('prefers the CSR, and knows no proto names', () => {
    const body = { publicKey: { content: 'AQ==' }, certificateSigningRequest: 'Aw==' };
    expect(v1.parseRequest(JSON.stringify(body), noHeaders).key.kind).toBe('csr');
    expect(problemOf(() => v1.parseRequest('{"public_key":{"content":"AQ=="}}', noHeaders)).code).toBe(
      'public_key_invalid',
    );
  });

  test('without key and CSR fails before the token is looked at', () => {
    const problem = problemOf(() => v1.parseRequest('{}', noHeaders));
    expect(problem.message).toBe('The public key supplied in the request could not be parsed');
  });
});

test('arbitrary JSON and text end as a request or a Problem', () => {
  const some = fc.oneof(
    fc.json(),
    fc.string(),
    fc.jsonValue().map((credentials) => JSON.stringify({ credentials, publicKeyRequest: credentials })),
  );
  fc.assert(
    fc.property(some, (text) => {
      for (const parse of [v1.parseRequest, v2.parseRequest]) {
        try {
          expect(typeof parse(text, noHeaders).token).toBe('string');
        } catch (error) {
          expect(error).toBeInstanceOf(Problem);
        }
      }
    }),
  );
});
