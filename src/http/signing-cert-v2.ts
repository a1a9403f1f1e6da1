// POST /api/v2/signingCert: dev.sigstore.fulcio.v2.CA/CreateSigningCertificate as JSON.

import type { Authority } from '../certificate/authority.ts';
import type { Certificate } from '../certificate/certificate.ts';
import { encodePemLines } from '../encoding/pem.ts';
import type { IssuanceRequest } from '../issuance.ts';
import { Problem } from '../problem.ts';
import { Message } from './protojson.ts';

const ONEOF = 'oneof dev.sigstore.fulcio.v2.CreateSigningCertificateRequest.key is already set';

/** Throws Problem `request_malformed`. What is absent stays '' or empty: the line decides which absence is told first. */
export function parseRequest(text: string, headers: Headers): IssuanceRequest {
  const body = Message.parse(text, { snakeCase: true });
  const csr = body.bytes('certificateSigningRequest');
  const request = body.message('publicKeyRequest');
  if (request !== undefined && body.has('certificateSigningRequest')) {
    throw new Problem('request_malformed', {
      message: `proto: error parsing "certificateSigningRequest", ${ONEOF}`,
      field: 'certificateSigningRequest',
      hint: 'Send either publicKeyRequest or certificateSigningRequest.',
    });
  }
  const publicKey = request?.message('publicKey');
  publicKey?.enumeration('algorithm');
  return requestOf({
    token: body.message('credentials')?.string('oidcIdentityToken'),
    tokenBeside: tokenOf(headers),
    csr,
    publicKey: publicKey?.string('content'),
    signature: request?.bytes('proofOfPossession'),
  });
}

/** The fields of CreateSigningCertificateRequest, from JSON or protobuf; '' and no bytes are as good as absent. */
export interface RequestFields {
  readonly token: string | undefined;
  /** The token that came in a header or in metadata; taken when the message holds none. */
  readonly tokenBeside: string;
  readonly csr: Uint8Array | undefined;
  readonly publicKey: string | undefined;
  readonly signature: Uint8Array | undefined;
}

export function requestOf(fields: RequestFields): IssuanceRequest {
  const { csr, publicKey = '', signature = new Uint8Array() } = fields;
  const token = fields.token || fields.tokenBeside;
  if (csr !== undefined && csr.length > 0) return { token, key: { kind: 'csr', pem: csr } };
  return { token, key: { kind: 'possession', publicKey, signature } };
}

/** The bearer token of the Authorization header, or ''. */
export function tokenOf(headers: Headers): string {
  // Fulcio's gateway would see two values for the token in its metadata then, and takes none.
  if (headers.has('grpc-metadata-oidcidentitytoken')) return '';
  return (headers.get('authorization') ?? '').replace('Bearer ', '');
}

/** The chain as PEM, leaf first and root last, each block without its final newline. */
export function pemChain(certificate: Certificate, authority: Authority): readonly string[] {
  return [encodePemLines('CERTIFICATE', certificate.der, '\n'), ...authority.pem.map((pem) => pem.trimEnd())];
}

// The authority's part of the chain is the same in every answer.
const chainTexts = new WeakMap<Authority, string>();

export function responseBody(certificate: Certificate, authority: Authority): string {
  let above = chainTexts.get(authority);
  if (above === undefined) {
    above = authority.pem.map((pem) => `,${JSON.stringify(pem.trimEnd())}`).join('');
    chainTexts.set(authority, above);
  }
  const leaf = encodePemLines('CERTIFICATE', certificate.der, '\\n'); // no character of PEM needs more to stand in JSON
  const chain = `{"certificates":["${leaf}"${above}]}`;
  if (certificate.sct !== undefined) return `{"signedCertificateEmbeddedSct":{"chain":${chain}}}`;
  return `{"signedCertificateDetachedSct":{"chain":${chain},"signedCertificateTimestamp":""}}`;
}
