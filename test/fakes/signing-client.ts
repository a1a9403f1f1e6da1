// Signing client: what Sigstore clients send to the certificate API, with every part open to be wrong.

import { type KeyObject, sign } from 'node:crypto';
import { type Kind, keyPair, pemOf, spkiOf } from '../vectors/key-pairs.ts';
import { type ReadCertificate, readCertificate } from './certificate.ts';
import { type Answer, type Message, send } from './client.ts';

export interface Order {
  readonly token?: string | undefined;
  /** Where the token goes; the body unless given. Version 1 takes it from the header only. */
  readonly tokenIn?: 'body' | 'header';
  /** P-256 unless given. */
  readonly key?: Kind;
  /** Instead of the SubjectPublicKeyInfo as PEM; for version 1 also DER. */
  readonly publicKey?: string | Uint8Array | null;
  /** The text that is signed; from the token unless given: its email, else its sub. */
  readonly challenge?: string;
  /** Instead of the signature over the challenge; null leaves it out. */
  readonly proof?: Uint8Array | null;
  /** PEM; replaces key and proof. */
  readonly csr?: string | Uint8Array;
  readonly api?: 'v1' | 'v2';
  readonly headers?: Readonly<Record<string, string>>;
}

export const base64 = (data: string | Uint8Array): string => Buffer.from(data).toString('base64');

/** What the client would sign for this token. */
export function challengeOf(token: string): string {
  const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString() || '{}');
  const { email, sub } = claims as { readonly email?: string; readonly sub?: string };
  return email || sub || '';
}

const HASH: Partial<Record<Kind, string>> = {
  'P-384': 'sha384',
  'P-521': 'sha512',
  Ed25519: '',
  Ed448: '',
};

/** With the hash that the kind of key takes. */
export function proofOf(kind: Kind, challenge: string, key: KeyObject = keyPair(kind).privateKey): Buffer {
  const hash = HASH[kind] ?? 'sha256';
  return sign(hash === '' ? null : hash, Buffer.from(challenge), key);
}

/** The body as an object, for tests that bend it. */
export function orderBody(order: Order): Record<string, unknown> {
  const { token = '', key = 'P-256', api = 'v2', csr, tokenIn = 'body' } = order;
  const proof =
    order.proof === undefined ? defaultProof(key, order.challenge ?? challengeOf(token)) : order.proof;
  if (api === 'v1') {
    if (csr !== undefined) return { certificateSigningRequest: base64(csr) };
    const content = order.publicKey === undefined ? pemOf(key) : order.publicKey;
    return {
      ...(content !== null && { publicKey: { algorithm: 'ecdsa', content: base64(content) } }),
      ...(proof !== null && { signedEmailAddress: base64(proof) }),
    };
  }
  const credentials = tokenIn === 'body' &&
    order.token !== undefined && { credentials: { oidcIdentityToken: token } };
  if (csr !== undefined) return { ...credentials, certificateSigningRequest: base64(csr) };
  const content = order.publicKey === undefined ? pemOf(key) : order.publicKey;
  return {
    ...credentials,
    publicKeyRequest: {
      ...(content !== null && { publicKey: { algorithm: 'ECDSA', content: String(content) } }),
      ...(proof !== null && { proofOfPossession: base64(proof) }),
    },
  };
}

/** Keys that cannot sign prove nothing. */
function defaultProof(kind: Kind, challenge: string): Uint8Array {
  return kind.startsWith('X') ? Buffer.of(1) : proofOf(kind, challenge);
}

export function orderMessage(order: Order, body: object = orderBody(order)): Message {
  const inHeader = order.token !== undefined && (order.api === 'v1' || order.tokenIn === 'header');
  return {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(inHeader && { authorization: `Bearer ${order.token}` }),
      ...order.headers,
    },
    body: JSON.stringify(body),
  };
}

export function request(base: string, order: Order): Promise<Answer> {
  return send(base, pathOf(order), orderMessage(order));
}

export function pathOf({ api = 'v2' }: Pick<Order, 'api'>): string {
  return `/api/${api}/signingCert`;
}

export interface Issued {
  readonly answer: Answer;
  /** Leaf first, root last. */
  readonly chain: readonly string[];
  readonly leaf: ReadCertificate;
  readonly authority: ReadCertificate;
}

/** Throws what the instance said when it did not issue. */
export async function issue(base: string, order: Order): Promise<Issued> {
  return issuedBy(await request(base, order));
}

export function issuedBy(answer: Answer): Issued {
  const chain = chainOf(answer);
  const [leaf, authority] = chain;
  if (leaf === undefined || authority === undefined) throw new Error(`${answer.status}: ${answer.text}`);
  return { answer, chain, leaf: readCertificate(leaf), authority: readCertificate(authority) };
}

interface Body {
  readonly signedCertificateEmbeddedSct?: { readonly chain: { readonly certificates: readonly string[] } };
  readonly signedCertificateDetachedSct?: { readonly chain: { readonly certificates: readonly string[] } };
}

/** Empty for a refusal. */
export function chainOf({ text, json }: Answer): readonly string[] {
  if (json === undefined) return text.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? [];
  const body = json as Body;
  return (body.signedCertificateEmbeddedSct ?? body.signedCertificateDetachedSct)?.chain.certificates ?? [];
}

export { pemOf, spkiOf };
