// Requests: GitHub-shaped RS256 tokens and P-256 keys, one of each for every request, and the issuer that signs them.

import * as crypto from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { SHAPES } from '../../src/dev/shape.ts';
import * as der from '../../src/encoding/der.ts';
import * as oid from '../../src/oid.ts';

export interface BenchIssuer {
  url: string;
  token(n: number): { readonly jwt: string; readonly subject: string };
  /** Public; what it publishes. */
  readonly jwk: object;
  /** `also` are further keys that it publishes. */
  answer(request: IncomingMessage, response: ServerResponse, also?: readonly object[]): void;
}

const b64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export function createIssuer(kid = 'bench'): BenchIssuer {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' };
  const header = b64({ alg: 'RS256', kid, typ: 'JWT' });
  const issuer: BenchIssuer = {
    url: '',
    jwk,
    token(n) {
      const now = Math.floor(Date.now() / 1000);
      const { claims } = SHAPES.github;
      const subject = String(claims['sub']);
      const payload = {
        ...claims,
        run_id: String(n),
        iss: issuer.url,
        aud: 'sigstore',
        iat: now,
        nbf: now,
        exp: now + 3600,
      };
      const input = `${header}.${b64(payload)}`;
      const signature = crypto.sign('sha256', Buffer.from(input), privateKey).toString('base64url');
      return { jwt: `${input}.${signature}`, subject };
    },
    answer(request, response, also = []) {
      const discovery = request.url?.endsWith('/.well-known/openid-configuration') === true;
      const document = {
        issuer: issuer.url,
        jwks_uri: `${issuer.url}/keys`,
        id_token_signing_alg_values_supported: ['RS256'],
      };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(discovery ? document : { keys: [jwk, ...also] }));
    },
  };
  return issuer;
}

let made = 0;

export function makeBodies(issuer: BenchIssuer, count: number): Buffer[] {
  return Array.from({ length: count }, () => {
    const { jwt, subject } = issuer.token(made++);
    const { publicKey, privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return Buffer.from(
      JSON.stringify({
        credentials: { oidcIdentityToken: jwt },
        publicKeyRequest: {
          publicKey: { algorithm: 'ECDSA', content: publicKey.export({ type: 'spki', format: 'pem' }) },
          proofOfPossession: crypto.sign('sha256', Buffer.from(subject), privateKey).toString('base64'),
        },
      }),
    );
  });
}

/** TimeStampReq of a random SHA-256 digest, with nonce and certReq (RFC 3161 section 2.4.1). */
export function makeTimestampQueries(count: number): Buffer[] {
  const one = Uint8Array.of(der.TAG.integer, 1, 1);
  const algorithm = der.sequence(der.objectIdentifier(oid.sha256), Uint8Array.of(der.TAG.null, 0));
  const certReq = Uint8Array.of(der.TAG.boolean, 1, 0xff);
  return Array.from({ length: count }, () => {
    const imprint = der.sequence(algorithm, der.octetString(crypto.randomBytes(32)));
    return Buffer.from(der.sequence(one, imprint, der.unsignedInteger(crypto.randomBytes(8)), certReq));
  });
}
