// Certified key: a key with the instance's certificate for it; it lives as long as this object.

import { sign } from 'node:crypto';
import type { Signature, Signer } from '@sigstore/sign';
import { z } from 'zod';
import { BAD_REQUEST, ERROR_INFO, LOCALIZED } from '../http/failure.ts';
import { ClientError } from './client-error.ts';
import { type Answer, exchange, NoAnswer } from './exchange.ts';
import type { IdentityToken } from './identity-token.ts';
import type { SigningKey } from './signing-key.ts';

const chain = z.object({ chain: z.object({ certificates: z.array(z.string()).min(1) }) });

/** SigningCertificate of Fulcio's API, of which a client needs the leaf alone. */
const answerSchema = z.object({
  signedCertificateEmbeddedSct: chain.optional(),
  signedCertificateDetachedSct: chain.optional(),
});

/** google.rpc.Status. */
const refusalSchema = z.object({
  message: z.string(),
  details: z
    .array(
      z.object({
        '@type': z.string(),
        reason: z.string().optional(),
        message: z.string().optional(),
        fieldViolations: z.array(z.object({ description: z.string() })).optional(),
      }),
    )
    .default([]),
});

/** Takes the place of @sigstore/sign's FulcioSigner, whose errors quote the token and drop what the instance would accept. */
export class CertifiedKey implements Signer {
  readonly #instanceUrl: string;
  readonly #token: IdentityToken;
  readonly #challenge: string;
  readonly #key: SigningKey;
  #certificate: Promise<string> | undefined;

  constructor(instanceUrl: string, token: IdentityToken, challenge: string, key: SigningKey) {
    this.#instanceUrl = instanceUrl;
    this.#token = token;
    this.#challenge = challenge;
    this.#key = key;
  }

  /** Signs with ECDSA and SHA-256. The first signature asks for the certificate. Throws ClientError. */
  async sign(data: Buffer): Promise<Signature> {
    this.#certificate ??= this.#certify();
    const certificate = await this.#certificate;
    return {
      signature: sign('sha256', data, this.#key.privateKey),
      key: { $case: 'x509Certificate', certificate },
    };
  }

  /** The leaf as PEM. */
  async #certify(): Promise<string> {
    const proof = sign('sha256', Buffer.from(this.#challenge), this.#key.privateKey);
    const answer = await this.#post({
      credentials: { oidcIdentityToken: this.#token.jwt },
      publicKeyRequest: {
        publicKey: { algorithm: 'ECDSA', content: this.#key.publicKey },
        proofOfPossession: proof.toString('base64'),
      },
    });
    const { signedCertificateEmbeddedSct: embedded, signedCertificateDetachedSct: detached } =
      answerSchema.safeParse(answer.json).data ?? {};
    const leaf = (embedded ?? detached)?.chain.certificates[0];
    if (answer.status === 200 && leaf !== undefined) return leaf;
    throw new ClientError('certificate_refused', refusalOf(answer, this.#instanceUrl));
  }

  async #post(body: object): Promise<Answer> {
    try {
      return await exchange(`${this.#instanceUrl}/api/v2/signingCert`, {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    } catch (cause) {
      if (!(cause instanceof NoAnswer)) throw cause;
      throw new ClientError('instance_unreachable', cause.message, cause);
    }
  }
}

/** The instance's sentence, its reason, and what it would accept. */
function refusalOf({ status, json }: Answer, instance: string): string {
  const refusal = refusalSchema.safeParse(json).data;
  if (refusal === undefined) return `${instance} gave no certificate (${status})`;
  const find = (type: string) => refusal.details.find((detail) => detail['@type'] === type);
  const reason = find(ERROR_INFO)?.reason ?? String(status);
  const hint = find(BAD_REQUEST)?.fieldViolations?.[0]?.description ?? find(LOCALIZED)?.message;
  const sentence = `${instance} gave no certificate: ${refusal.message} (${reason})`;
  return hint === undefined ? sentence : `${sentence}. ${hint}`;
}
