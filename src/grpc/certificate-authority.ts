// Certificate authority: dev.sigstore.fulcio.v2.CA, the same line as REST behind protobuf messages.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { createContextKey, type ServiceImpl } from '@connectrpc/connect';
import { rateLimitHeaders } from '../admission/rate-limit-headers.ts';
import type { Caller } from '../caller.ts';
import type { Authority } from '../certificate/authority.ts';
import type { Certificate } from '../certificate/certificate.ts';
import type { IssuerListing } from '../config/settings.ts';
import { type Door, trustedChains } from '../http/app.ts';
import { pemChain, requestOf } from '../http/signing-cert-v2.ts';
import { type IssuanceRequest, issue } from '../issuance.ts';
import type {
  CA,
  CreateSigningCertificateRequest,
  OIDCIssuerSchema,
  SigningCertificateSchema,
} from './generated/dev/sigstore/fulcio/v2/ca_pb.ts';

/** Who asks, where the listener knows it. */
export const CALLER = createContextKey<Caller>({});

/** Metadata that may carry the token, bare; `authorization` is not read, as Fulcio does not. */
const TOKEN_METADATA = 'oidcidentitytoken';

export function certificateAuthority(door: Door): ServiceImpl<typeof CA> {
  return {
    async createSigningCertificate(message, { requestHeader, responseHeader, values }) {
      const line = door.line();
      const request = parseRequest(message, requestHeader);
      const certificate = await issue(request, line, door.clock.now(), values.get(CALLER));
      const limits = rateLimitHeaders(certificate.draft.admission.states);
      for (const [name, value] of Object.entries(limits)) responseHeader.set(name, value);
      return answerOf(certificate, line.authority);
    },
    getTrustBundle: () => ({
      chains: trustedChains(door).map((certificates) => ({ certificates: [...certificates] })),
    }),
    getConfiguration: () => ({ issuers: door.listings().map(issuerOf) }),
  };
}

function parseRequest(
  { credentials, key }: CreateSigningCertificateRequest,
  metadata: Headers,
): IssuanceRequest {
  const request = key.case === 'publicKeyRequest' ? key.value : undefined;
  return requestOf({
    token: credentials?.oidcIdentityToken,
    tokenBeside: metadata.get(TOKEN_METADATA) ?? '',
    csr: key.case === 'certificateSigningRequest' ? key.value : undefined,
    publicKey: request?.publicKey?.content,
    signature: request?.proofOfPossession,
  });
}

function answerOf(
  certificate: Certificate,
  authority: Authority,
): MessageInitShape<typeof SigningCertificateSchema> {
  const chain = { certificates: [...pemChain(certificate, authority)] };
  if (certificate.sct !== undefined)
    return { certificate: { case: 'signedCertificateEmbeddedSct', value: { chain } } };
  return { certificate: { case: 'signedCertificateDetachedSct', value: { chain } } };
}

function issuerOf({
  issuerUrl,
  wildcardIssuerUrl = '',
  binding: _, // has no field there
  ...rest
}: IssuerListing): MessageInitShape<typeof OIDCIssuerSchema> {
  if (issuerUrl !== undefined) return { ...rest, issuer: { case: 'issuerUrl', value: issuerUrl } };
  return { ...rest, issuer: { case: 'wildcardIssuerUrl', value: wildcardIssuerUrl } };
}
