// CA request: what an instance asks an offline root for: a PKCS#10 request for an intermediate (RFC 2986 section 4).

import { type Bytes, equal } from '../encoding/bytes.ts';
import * as der from '../encoding/der.ts';
import { encodePem } from '../encoding/pem.ts';
import { parseSigningRequest, type SigningRequest } from '../key/csr.ts';
import type { PublicKey } from '../key/public-key.ts';
import { recognize } from '../key/signature-algorithm.ts';
import type { Signer } from '../key/signer.ts';
import { requireStrong } from '../key/strength.ts';
import type { SignatureVerifier } from '../key/verifier.ts';
import * as oid from '../oid.ts';
import { Problem } from '../problem.ts';
import { AuthorityError } from './authority-error.ts';
import { type CaName, encodeName } from './ca-certificate.ts';
import { algorithmIdentifier, extension } from './profile.ts';

const VERSION_1 = Uint8Array.of(der.TAG.integer, 1, 0);

/** keyCertSign and cRLSign, bits 5 and 6 (RFC 5280 section 4.2.1.3). */
const CA_KEY_USAGE = Uint8Array.of(0x03, 0x02, 0x01, 0x06);

/** For other CAs than ours, which sign what they are asked for: cA with pathLenConstraint 0, and code signing. */
const EXTENSIONS = der.sequence(
  extension(
    oid.basicConstraints,
    true,
    der.sequence(Uint8Array.of(der.TAG.boolean, 1, 0xff), Uint8Array.of(der.TAG.integer, 1, 0)),
  ),
  extension(oid.keyUsage, true, CA_KEY_USAGE),
  extension(oid.extKeyUsage, false, der.sequence(der.objectIdentifier(oid.ekuCodeSigning))),
);

/** The request in PEM. Rejects where the key cannot be used. */
export async function createCaRequest(name: CaName, signer: Signer): Promise<string> {
  const attribute = der.sequence(der.objectIdentifier(oid.extensionRequest), der.set(EXTENSIONS));
  const info = der.sequence(
    VERSION_1,
    encodeName(name),
    signer.publicKey,
    der.element(der.contextTag(0), attribute),
  );
  const signature = await signer.sign(info);
  const request = der.sequence(info, algorithmIdentifier(signer.algorithm), der.bitString(signature));
  return encodePem('CERTIFICATE REQUEST', request);
}

export interface CaRequest {
  /** DER Name, as it was asked for. */
  readonly subject: Bytes;
  readonly publicKey: PublicKey;
}

/**
 * Reads a request and holds it to what a client's is held to: it is signed by the key that it names, and the key is strong.
 * Throws AuthorityError with a sentence.
 */
export async function readCaRequest(pem: Uint8Array, verifier: SignatureVerifier): Promise<CaRequest> {
  let request: SigningRequest;
  try {
    request = parseSigningRequest(pem);
    requireStrong(request.publicKey);
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
    const code = cause.code === 'key_rejected' ? 'key_weak' : 'request_unusable';
    throw new AuthorityError(code, `the request is refused: ${cause.hint ?? cause.message}`, cause);
  }
  const { publicKey, info, signatureAlgorithm, signature } = request;
  const algorithm = recognize(signatureAlgorithm);
  const sound =
    algorithm !== undefined &&
    algorithm.refusedAs === undefined &&
    algorithm.keyType === publicKey.type &&
    (await verifier.verify(publicKey, algorithm.hash, info, signature));
  if (!sound)
    throw new AuthorityError('request_unusable', 'the request is not signed by the key that it is for');
  const [, subject] = der.readAll(der.readOnly(new Uint8Array(info), der.TAG.sequence).content);
  if (subject === undefined || equal(subject.raw, der.sequence()))
    throw new AuthorityError('subject_empty', 'the request has an empty subject, which no CA may have');
  return { subject: new Uint8Array(subject.raw), publicKey };
}
