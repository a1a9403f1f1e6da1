// Signing key: a fresh P-256 key of this process, and the name by which a token can be for it alone.

import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';

export interface SigningKey {
  readonly privateKey: KeyObject;
  /** SubjectPublicKeyInfo, PEM. */
  readonly publicKey: string;
  /** base64url SHA-256 of the SubjectPublicKeyInfo, DER. */
  readonly thumbprint: string;
}

export function createSigningKey(): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return {
    privateKey,
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }),
    thumbprint: createHash('sha256').update(spki).digest('base64url'),
  };
}

/** The audience of a token that is for one key (`binding: audience-thumbprint`). */
export function boundAudience(audience: string, { thumbprint }: Pick<SigningKey, 'thumbprint'>): string {
  return `${audience}+${thumbprint}`;
}
