// Issuer schema: the keys of an issuer's entry, in the list form and in Fulcio's.

import * as z from 'zod';
import { duration, file, pem, text, webUrl } from './value-schema.ts';

const scalar = z
  .union([z.string(), z.int(), z.boolean()], 'takes text, a whole number, true or false')
  .transform(String);

const requirements = z.record(
  text,
  z.union(
    [scalar.transform((value) => [value]), z.array(scalar).min(1, 'needs at least one value')],
    'takes a value or a list of values',
  ),
);

const celRule = z.strictObject({
  rule: text.describe('CEL over claims, true for those who may: claims.ref.startsWith("refs/tags/").'),
  message: text.describe('What a client reads that may not.'),
});

const policy = z
  .strictObject({
    mode: z
      .enum(['enforce', 'audit'])
      .describe('enforce refuses; audit lets everybody pass and tells whom enforce would refuse.')
      .default('enforce'),
    require: requirements
      .refine((claims) => Object.keys(claims).length > 0, 'needs at least one claim')
      .optional()
      .describe('Each claim must hold one of its values; a value that ends in * is a prefix.'),
    message: text.optional().describe('What a client reads whose claims are not those of require.'),
    cel: z.array(celRule).min(1, 'needs at least one rule').optional().describe('Rules that must all hold.'),
  })
  .refine(
    (one) => one.require !== undefined || one.cel !== undefined,
    'is empty; it takes require, cel, or both',
  )
  .describe('Which identities of this issuer may have a certificate.');

export type PolicyFields = z.output<typeof policy>;

const jwk = z.looseObject({ kty: z.enum(['RSA', 'EC', 'OKP'], 'takes RSA, EC or OKP') });

export const jwks = z.strictObject({ keys: z.array(jwk).min(1, 'needs at least one key') });

/** Which types there are is data (config/providers.yaml) and checked with it. */
export const listedType = text.describe('How claims become an identity.');
export const fulcioType = text.describe('How claims become an identity.');

const host = z
  .string()
  .regex(
    /^(?:[^\s:/?#@[\]]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/,
    'takes a host, such as keys.example.com:8443',
  );

/** What an entry of either form may hold. */
const trust = {
  'ci-provider': text.optional().describe('For type ci-provider: its key in ci-issuer-metadata.'),
  'issuer-claim': text
    .optional()
    .describe('For type email: JSONPath of the claim with the issuer to write into the certificate.'),
  'subject-domain': text.optional().describe('For types uri and username: the domain of every subject.'),
  'spiffe-trust-domain': text.optional().describe('For type spiffe: the one trust domain.'),
  'challenge-claim': text
    .optional()
    .describe('Advertised in the configuration endpoint; no effect on verification.'),
  'skip-email-verification': z
    .boolean()
    .optional()
    .describe('For type email: accept without email_verified.'),
  'ca-cert': pem.optional().describe("CA certificates for the issuer's TLS server, beside the system's."),
  jwks: z
    .union([file, jwks], 'takes { keys: [...] }, or { file: PATH }')
    .optional()
    .describe('The key set itself, for sites without a way to the issuer.'),
  'jwks-uri': webUrl.optional().describe('Replaces discovery.'),
  'jwks-hosts': z
    .array(host)
    .optional()
    .describe('Other hosts that jwks_uri may name although private or plain http.'),
  'max-token-age': duration
    .refine((age) => age >= 1000, 'takes at least 1s')
    .optional()
    .describe('Tokens issued longer ago are refused.'),
  'allow-private-addresses': z.boolean().optional().describe('For a * in the host: private addresses too.'),
  'allow-any': z
    .boolean()
    .optional()
    .describe('Yes, anybody with an account at this public issuer may have a certificate.'),
  policy: policy.optional(),
  binding: z
    .enum(['audience-thumbprint'])
    .optional()
    .describe('A token is for one key: its audience is AUDIENCE+BASE64URL, the SHA-256 of the public key.'),
  replay: z
    .enum(['allow', 'same-key', 'once'])
    .describe('How often a token may be used: until it expires, for one key only, or for one certificate.')
    .default('allow'),
};

/** What decides whom an entry trusts and for what, in either form. */
export type TrustFields = z.output<z.ZodObject<typeof trust>> & { readonly type: string };

const audiences = z.array(text).min(1, 'needs at least one audience');

export const listedIssuer = z.strictObject({
  name: text.optional().describe('For logs and metrics; the URL unless given.'),
  'issuer-url': text.describe('The iss of its tokens, exactly; each * stands for letters, digits, - and _.'),
  audiences: audiences.describe('A token must be for one of these; the first is advertised.'),
  values: z
    .record(text, z.string())
    .optional()
    .describe('Constants of the type, such as url for another host.'),
  description: z.string().optional(),
  ...trust,
  type: listedType,
});

export const fulcioIssuer = z.strictObject({
  'issuer-url': text.optional().describe('The same as the key.'),
  'client-id': text.optional().describe('The audience.'),
  audiences: audiences.optional().describe('Further audiences.'),
  description: z.string().optional(),
  contact: z.string().optional(),
  environment: z.string().optional(),
  ...trust,
  type: fulcioType,
});

export const ciMetadata = z.strictObject({
  'default-template-values': z.record(z.string(), z.string()).optional(),
  'extension-templates': z.record(z.string(), z.string()).optional(),
  'subject-alternative-name-template': text,
});

export type FulcioIssuer = z.output<typeof fulcioIssuer>;
export type CiMetadata = z.output<typeof ciMetadata>;
