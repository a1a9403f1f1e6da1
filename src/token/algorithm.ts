// Signature algorithm: the JWS algorithms a token may be signed with, and the key each one needs (RFC 7518 3.1, RFC 8037, RFC 9864).

/** Never `none`, never a MAC: a verifier that holds only public keys has no use for either. */
export const signatureAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'ES256',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
  'EdDSA',
  'Ed25519',
] as const;

export type SignatureAlgorithm = (typeof signatureAlgorithms)[number];

const known: ReadonlySet<unknown> = new Set(signatureAlgorithms);

export function isSignatureAlgorithm(value: unknown): value is SignatureAlgorithm {
  return known.has(value);
}

/** The `kty` and `crv` of the keys that `alg` verifies with; `crv` is undefined for RSA. */
export function keyTypeOf(alg: SignatureAlgorithm): { readonly kty: string; readonly crv?: string } {
  switch (alg) {
    case 'ES256':
      return { kty: 'EC', crv: 'P-256' };
    case 'ES384':
      return { kty: 'EC', crv: 'P-384' };
    case 'ES512':
      return { kty: 'EC', crv: 'P-521' };
    case 'EdDSA':
    case 'Ed25519':
      return { kty: 'OKP', crv: 'Ed25519' };
    default:
      return { kty: 'RSA' };
  }
}

/**
 * What a provider announces in `id_token_signing_alg_values_supported`, cut to the algorithms above. RS256 where that
 * leaves nothing: it is the one every provider must support (OpenID Connect Core 15.1).
 */
export function announcedAlgorithms(announced: unknown): readonly SignatureAlgorithm[] {
  const usable = Array.isArray(announced) ? signatureAlgorithms.filter((alg) => announced.includes(alg)) : [];
  return usable.length > 0 ? usable : ['RS256'];
}
