// Signing session: an instance and a token for it, ready to sign; what is signed is checked before it is handed out.

import type { Bundle } from '@sigstore/bundle';
import type { IssuerListing } from '../config/settings.ts';
import { listingsOf } from './audience.ts';
import { ClientError, SignatureFlaw } from './client-error.ts';
import type { IdentityToken } from './identity-token.ts';
import type { RemoteInstance } from './remote-instance.ts';
import { type SigningOptions, signArtifact, signStatement } from './signing.ts';
import { createSigningKey } from './signing-key.ts';
import type { Statement } from './statement.ts';
import { acquireToken, type TokenOptions } from './token-acquisition.ts';
import { type Signer, whoSigned } from './verification.ts';

export interface Signed {
  readonly bundle: Bundle;
  readonly signer: Signer;
}

export class SigningSession {
  readonly token: IdentityToken;
  readonly #options: SigningOptions;

  private constructor(options: SigningOptions) {
    this.#options = options;
    this.token = options.token;
  }

  /** Throws ClientError. */
  static async open(instance: RemoteInstance, options: TokenOptions): Promise<SigningSession> {
    const [config, listings] = await Promise.all([instance.signingConfig(), instance.issuers()]);
    const key = createSigningKey();
    const terms = { listings, oidcUrls: config.oidcUrls.map(({ url }) => url) };
    const { token, bound } = await acquireToken(options, terms, key);
    checkTrusted(token, listings, instance);
    return new SigningSession({ instance, config, listings, token, key: bound ? key : undefined });
  }

  /** Throws ClientError. */
  async signArtifact(artifact: Uint8Array): Promise<Signed> {
    return this.#checked(await signArtifact(artifact, this.#options), artifact);
  }

  /** Throws ClientError. */
  async signStatement(statement: Statement, artifact: Uint8Array): Promise<Signed> {
    return this.#checked(await signStatement(statement, this.#options), artifact);
  }

  async #checked(bundle: Bundle, artifact: Uint8Array): Promise<Signed> {
    const { instance } = this.#options;
    try {
      const trustedRoot = await instance.trustedRoot();
      return { bundle, signer: whoSigned({ bundle, artifact, trustedRoot }) };
    } catch (cause) {
      if (!(cause instanceof SignatureFlaw)) throw cause;
      throw new ClientError(
        'instance_unusable',
        `${instance.url} gave a signature that its own trusted root does not bear out: ${cause.message}`,
        cause,
      );
    }
  }
}

/** A token goes to no instance that would not take it. */
function checkTrusted(
  token: IdentityToken,
  listings: readonly IssuerListing[],
  { url }: RemoteInstance,
): void {
  if (listingsOf(token, listings).length > 0) return;
  throw new ClientError(
    'certificate_refused',
    `${url} does not trust the issuer of the token, ${token.issuer}; the token was not sent`,
  );
}
