// Requests: the JSON of both versions, where the token may stand, and which mistake is told of several.

import { describe, expect, test } from 'vitest';
import { type Answer, send } from '../fakes/client.ts';
import {
  base64,
  chainOf,
  issuedBy,
  type Order,
  orderBody,
  orderMessage,
  pemOf,
  proofOf,
  request,
  spkiOf,
} from '../fakes/signing-client.ts';
import { signingRequest } from '../fakes/signing-request.ts';
import {
  expectRefusal,
  INSECURE,
  TOKEN,
  UNPARSEABLE_CSR,
  UNPARSEABLE_KEY,
  UNPROVEN,
  type World,
} from './world.ts';

const V2 = '/api/v2/signingCert';
const V1 = '/api/v1/signingCert';

type Bend = (body: Body) => unknown;
interface Body {
  credentials: { oidcIdentityToken: string };
  publicKeyRequest: {
    publicKey: { algorithm: unknown; content: string };
    proofOfPossession: string;
  };
}

export function requests(the: () => World): void {
  /** A good version 2 request, bent. */
  async function bent(bend: Bend): Promise<Answer> {
    const body = orderBody({ token: await the().token() }) as unknown as Body;
    const changed = bend(body);
    return send(the().url, V2, {
      method: 'POST',
      body: typeof changed === 'string' ? changed : JSON.stringify(changed),
    });
  }

  describe('version 2', () => {
    const accepted: [string, Bend][] = [
      [
        'names as in the proto file',
        ({ credentials: c, publicKeyRequest: p }) => ({
          credentials: { oidc_identity_token: c.oidcIdentityToken },
          public_key_request: { public_key: p.publicKey, proof_of_possession: p.proofOfPossession },
        }),
      ],
      [
        'fields that nobody knows',
        (b) => ({ zzz: [{ a: null }], ...b, publicKeyRequest: { ...b.publicKeyRequest, extra: {} } }),
      ],
      ['null for what is not there', (b) => ({ ...b, certificateSigningRequest: null })],
      ['any algorithm', (b) => withKey(b, { algorithm: 'RSA_PSS' })],
      ['an algorithm of no name', (b) => withKey(b, { algorithm: 'ECDSA_P256' })],
      ['an algorithm by number', (b) => withKey(b, { algorithm: 3 })],
      ['an unknown number', (b) => withKey(b, { algorithm: 99 })],
      ['no algorithm', (b) => withKey(b, { algorithm: undefined })],
      [
        'a proof in URL-safe base64',
        (b) =>
          withProof(b, Buffer.from(b.publicKeyRequest.proofOfPossession, 'base64').toString('base64url')),
      ],
      [
        'a proof without padding',
        (b) => withProof(b, b.publicKeyRequest.proofOfPossession.replace(/=+$/, '')),
      ],
      ['white space around it', (b) => ` \r\n\t${JSON.stringify(b, null, 2)}\n`],
      ['escapes in it', (b) => JSON.stringify(b).replaceAll('-', '\\u002d')],
    ];
    test.each(accepted)('takes %s', async (_, bend) => {
      expect(issuedBy(await bent(bend)).leaf.spki).toBe(Buffer.from(spkiOf('P-256')).toString('hex'));
    });

    const malformed: [string, Bend, RegExp][] = [
      [
        'both a key and a request',
        (b) => ({ ...b, certificateSigningRequest: 'eA==' }),
        /oneof .* is already set/,
      ],
      ['a number for the token', (b) => ({ ...b, credentials: { oidcIdentityToken: 1 } }), /^proto:/],
      ['text for the credentials', (b) => ({ ...b, credentials: 'x' }), /^proto:/],
      ['a list for the key', (b) => ({ ...b, publicKeyRequest: [] }), /^proto:/],
      ['a number for the content', (b) => withKey(b, { content: 5 }), /^proto:/],
      ['an object for the algorithm', (b) => withKey(b, { algorithm: {} }), /^proto:/],
      ['a fraction for the algorithm', (b) => withKey(b, { algorithm: 1.5 }), /^proto:/],
      ['a proof that is no base64', (b) => withProof(b, '*'), /invalid value for bytes field/],
      [
        'a request that is no base64',
        (b) => ({ credentials: b.credentials, certificateSigningRequest: 'a' }),
        /invalid value for bytes field/,
      ],
      [
        'a name twice, in both spellings',
        (b) => ({ ...b, public_key_request: b.publicKeyRequest }),
        /duplicate field/,
      ],
      ['a list', () => [], /syntax error/],
      ['text', () => '"x"', /syntax error/],
      ['null', () => 'null', /syntax error/],
      ['a form', () => 'a=b&c=d', /syntax error/],
      ['half of it', (b) => JSON.stringify(b).slice(0, -20), /unexpected EOF/],
      ['an open brace', () => '{', /unexpected EOF/],
    ];
    test.each(malformed)('refuses %s', async (_, bend, message) => {
      expectRefusal(await bent(bend), { message, reason: 'REQUEST_MALFORMED' });
    });

    test('refuses bytes that are not UTF-8', async () => {
      const answer = await send(the().url, V2, { method: 'POST', body: Buffer.of(0x7b, 0xff, 0x7d) });
      expectRefusal(answer, { message: /UTF-8/, reason: 'REQUEST_MALFORMED' });
    });

    test('names are case-sensitive', async () => {
      const answer = await bent((b) => ({
        Credentials: b.credentials,
        publicKeyRequest: b.publicKeyRequest,
      }));
      expectRefusal(answer, { message: TOKEN, reason: 'TOKEN_MISSING' });
    });
  });

  describe('the token', () => {
    const send2 = async (order: (token: string) => Order): Promise<Answer> =>
      request(the().url, order(await the().token()));

    test('may stand in the Authorization header', async () => {
      expect((await send2((token) => ({ token, tokenIn: 'header' }))).status).toBe(200);
    });

    test('counts in the body when it stands in both', async () => {
      const other = await the().issuer('ci-provider github').sign();
      const answer = await send2((token) => ({ token, headers: { authorization: `Bearer ${other}` } }));
      expect(issuedBy(answer).leaf.names[0]?.kind).toBe('email');
    });

    test('in the header does not save a bad one in the body', async () => {
      const good = await the().token();
      const body = { ...orderBody({ token: good }), credentials: { oidcIdentityToken: 'a.b.c' } };
      const answer = await send(the().url, V2, orderMessage({ token: good, tokenIn: 'header' }, body));
      expectRefusal(answer, { message: TOKEN, reason: 'TOKEN_MALFORMED' });
    });

    test('in the header serves when the one in the body is empty', async () => {
      const good = await the().token();
      const body = { ...orderBody({ token: good }), credentials: { oidcIdentityToken: '' } };
      expect((await send(the().url, V2, orderMessage({ token: good, tokenIn: 'header' }, body))).status).toBe(
        200,
      );
    });

    test("is not taken from the gateway's own metadata header", async () => {
      const headers = (token: string) => ({ 'grpc-metadata-oidcidentitytoken': token });
      const answer = await send2((token) => ({ token, tokenIn: 'header', headers: headers(token) }));
      expectRefusal(answer, { message: TOKEN });
    });

    test('is missed where there is none', async () => {
      for (const api of ['v1', 'v2'] as const)
        expectRefusal(await request(the().url, { api }), { message: TOKEN, reason: 'TOKEN_MISSING' });
    });

    test('may be used again', async () => {
      const token = await the().token();
      for (const _ of [1, 2, 3]) expect((await request(the().url, { token })).status).toBe(200);
    });
  });

  describe('version 1', () => {
    const v1 = async (order: Omit<Order, 'api' | 'token'>): Promise<Answer> =>
      request(the().url, { ...order, api: 'v1', token: await the().token() });

    test.each<[string, () => Omit<Order, 'api' | 'token'>]>([
      ['a key in PEM', () => ({})],
      ['a key in DER', () => ({ publicKey: spkiOf('P-256') })],
      ['a request', () => ({ csr: signingRequest('P-256') })],
    ])('takes %s and answers 201 with the chain in PEM', async (_, order) => {
      const answer = await v1(order());
      expect(answer.status, answer.text).toBe(201);
      expect(answer.headers['content-type']).toBe('application/pem-certificate-chain');
      expect(answer.headers['sct']).toBeUndefined();
      const chain = chainOf(answer);
      expect(chain).toHaveLength(3);
      expect(answer.text).toBe(chain.join('\n'));
    });

    const raw = async (body: object): Promise<Answer> =>
      send(the().url, V1, orderMessage({ api: 'v1', token: await the().token() }, body));

    test('a request wins over a key', async () => {
      const certificateSigningRequest = base64(signingRequest('P-256'));
      const answer = await raw({ certificateSigningRequest, publicKey: { content: 'AAAA' } });
      expect(answer.status).toBe(201);
    });

    test('does not know the names of the proto file', async () => {
      expectRefusal(await raw({ public_key: { content: base64(pemOf('P-256')) } }), {
        message: UNPARSEABLE_KEY,
      });
    });

    test('does not take the token from the body', async () => {
      const body = {
        ...orderBody({ api: 'v1', token: await the().token() }),
        credentials: { oidcIdentityToken: await the().token() },
      };
      expectRefusal(await send(the().url, V1, { method: 'POST', body: JSON.stringify(body) }), {
        message: TOKEN,
      });
    });

    test.each([{}, { publicKey: null }, { certificateSigningRequest: '' }])(
      'misses the key before it looks at the token: %j',
      async (body) => {
        const answer = await send(the().url, V1, { method: 'POST', body: JSON.stringify(body) });
        expectRefusal(answer, { message: UNPARSEABLE_KEY, reason: 'PUBLIC_KEY_INVALID' });
      },
    );

    test('holds the algorithm to be text, of any kind', async () => {
      const content = base64(pemOf('P-256'));
      const claims = the().person();
      const token = await the().token(claims);
      const signedEmailAddress = base64(proofOf('P-256', claims.email));
      for (const algorithm of ['ECDSA', 'rsa', '', undefined]) {
        const body = { publicKey: { content, algorithm }, signedEmailAddress };
        expect((await send(the().url, V1, orderMessage({ api: 'v1', token }, body))).status).toBe(201);
      }
      expectRefusal(await raw({ publicKey: { content, algorithm: 2 } }), { message: /^proto:/ });
    });
  });

  describe('of several mistakes', () => {
    const bad = 'not.a.token';
    test.each<[string, Omit<Order, 'token'> & { readonly token?: string }, string]>([
      [
        'a bad token comes before a key that does not parse',
        { token: bad, publicKey: 'x', proof: null },
        TOKEN,
      ],
      ['a bad token comes before a request that does not parse', { token: bad, csr: 'x' }, TOKEN],
      ['a bad token comes before a weak key', { token: bad, key: 'RSA-1024' }, TOKEN],
      [
        'a key that does not parse comes before its proof',
        { publicKey: 'x', proof: Buffer.of(1) },
        UNPARSEABLE_KEY,
      ],
      ['a weak key comes before its proof', { key: 'RSA-1024', proof: Buffer.of(1) }, INSECURE],
      ['no key at all is one that does not parse', { publicKey: null, proof: null }, UNPARSEABLE_KEY],
      ['no proof is a bad proof', { proof: null }, UNPROVEN],
      ['an empty proof is a bad proof', { proof: Buffer.of() }, UNPROVEN],
      ['a request that does not parse', { csr: 'x' }, UNPARSEABLE_CSR],
    ])('%s', async (_, order, message) => {
      expectRefusal(await request(the().url, { token: await the().token(), challenge: 'x', ...order }), {
        message,
      });
    });

    test('an empty request is none', async () => {
      const body = { credentials: { oidcIdentityToken: await the().token() }, certificateSigningRequest: '' };
      const answer = await send(the().url, V2, { method: 'POST', body: JSON.stringify(body) });
      expectRefusal(answer, { message: UNPARSEABLE_KEY });
    });

    test('what the identity cannot be written as comes before the proof', async () => {
      const token = await the().token({ email: 'ü@example.com' });
      const message = 'x509: "ü@example.com" cannot be encoded as an IA5String';
      expectRefusal(await request(the().url, { token, proof: null }), {
        message,
        reason: 'IDENTITY_UNENCODABLE',
      });
    });
  });
}

const withKey = (body: Body, key: object): Body => ({
  ...body,
  publicKeyRequest: { ...body.publicKeyRequest, publicKey: { ...body.publicKeyRequest.publicKey, ...key } },
});

const withProof = (body: Body, proofOfPossession: string): Body => ({
  ...body,
  publicKeyRequest: { ...body.publicKeyRequest, proofOfPossession },
});
