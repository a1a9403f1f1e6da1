// Schema: every key that a configuration file may hold, what it takes, and what it means.

import * as z from 'zod';
import { LIMIT_NAMES, type LimitName } from '../admission/limit.ts';
import { ALGORITHM_NAMES, DEFAULT_ALGORITHMS } from '../key/algorithm.ts';
import { DURATION, parseDuration } from './duration.ts';

const text = z.string().min(1, 'must not be empty');

const port = z
  .int('takes a port, 0 to 65535')
  .min(0, 'takes a port, 0 to 65535')
  .max(65535, 'takes a port, 0 to 65535');

const DURATION_TAKES = 'takes a number with a unit, such as 90s, 15m, 1h or 1h30m';

/** Milliseconds. */
const duration = z
  .union([z.literal(0), z.string().regex(DURATION, DURATION_TAKES)], DURATION_TAKES)
  .transform((value) => parseDuration(String(value)) ?? 0);

const file = z.strictObject({ file: text.describe('Path, from the working directory.') });

const pem = z.union([text, file], 'takes PEM text, or { file: PATH }');

const webUrl = z
  .string()
  .regex(/^https?:\/\/[^/\s]+\S*$/, 'takes a URL that begins with https:// or http://');

const log = z
  .union(
    [
      z.string().regex(/^(?:builtin|none||https?:\/\/[^/\s]+\S*)$/),
      z.strictObject({
        url: webUrl.describe('Base URL of the log; ct/v1/add-pre-chain is appended.'),
        'public-key': pem
          .optional()
          .describe("The log's public key (SubjectPublicKeyInfo); its SCTs are then verified."),
      }),
    ],
    'takes builtin, none, the URL of an RFC 6962 log, or { url, public-key }',
  )
  .describe(
    'Where precertificates are logged: builtin, none (no SCT is embedded), or the URL of an RFC 6962 log.',
  );

const ca = z
  .strictObject({
    chain: text.describe('PEM file: the issuing CA first, the root last.'),
    key: text.describe('PEM file with the private key of the issuing CA.'),
    'passphrase-file': text.optional().describe('File that holds the passphrase of an encrypted key.'),
  })
  .describe('An existing CA; without it Mayfly makes one in the data folder.');

const count = z.int('takes a whole number').min(1, 'must be at least 1');

const rate = {
  burst: count.describe('How many may come at once.'),
  count: count.describe('How many flow back in a period.'),
  period: duration.describe('Such as 1h.'),
};

const rates = Object.fromEntries(LIMIT_NAMES.map((name) => [name, z.strictObject(rate).optional()])) as {
  readonly [name in LimitName]: z.ZodOptional<z.ZodObject<typeof rate>>; // a key for each name, by the line above
};

const limitName = z.enum(LIMIT_NAMES);

const rateLimits = z
  .union(
    [
      z.literal('off'),
      z.strictObject({
        backend: z.enum(['memory', 'redis']).describe('Where the buckets are kept.').default('memory'),
        'redis-url': z
          .string()
          .regex(/^rediss?:\/\/\S+$/, 'takes a URL that begins with redis:// or rediss://')
          .optional()
          .describe('Redis server, for backend redis.'),
        'on-backend-error': z
          .enum(['local', 'open', 'closed'])
          .describe('While Redis is away: limit in memory, let everything pass, or refuse.')
          .default('local'),
        defaults: z.strictObject(rates).describe('The rate of each limit.').default({}),
        overrides: z
          .array(
            z.strictObject({
              limit: limitName,
              ids: z
                .array(
                  z.strictObject({
                    id: text.describe(
                      '<issuer-url>#<owner id, stable id or SAN>; the bare issuer URL; or an address.',
                    ),
                    comment: text.describe('Why, for people.'),
                  }),
                )
                .min(1, 'needs at least one id'),
              ...rate,
            }),
          )
          .describe('Other rates for certain owners, identities, issuers or addresses.')
          .default([]),
      }),
    ],
    'takes off, or a map with backend, defaults and overrides',
  )
  .describe('Rate limits, or off.');

const scalar = z
  .union([z.string(), z.number(), z.boolean()], 'takes text, a number, true or false')
  .transform(String);

const policy = z
  .strictObject({
    require: z
      .record(
        text,
        z.union(
          [scalar, z.array(scalar).min(1, 'needs at least one value')],
          'takes a value or a list of values',
        ),
      )
      .refine((claims) => Object.keys(claims).length > 0, 'needs at least one claim')
      .describe('Each claim must hold one of its values; a value that ends in * is a prefix.'),
  })
  .describe('Which identities of this issuer may have a certificate.');

const jwk = z.looseObject({ kty: z.enum(['RSA', 'EC', 'OKP'], 'takes RSA, EC or OKP') });

export const jwks = z.strictObject({ keys: z.array(jwk).min(1, 'needs at least one key') });

/** What an entry of either form may hold. */
const trust = {
  type: text.describe('How claims become an identity: email, uri, github-workflow, ...'),
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
    .array(text)
    .optional()
    .describe('Other hosts that jwks_uri may name although private or plain http.'),
  'max-token-age': duration.optional().describe('Tokens issued longer ago are refused.'),
  'allow-private-addresses': z.boolean().optional().describe('For a * in the host: private addresses too.'),
  'allow-any': z
    .boolean()
    .optional()
    .describe('Yes, anybody with an account at this public issuer may have a certificate.'),
  policy: policy.optional(),
};

/** What decides whom an entry trusts and for what, in either form. */
export type TrustFields = z.output<z.ZodObject<typeof trust>>;

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
});

export const fulcioIssuer = z.strictObject({
  'issuer-url': text.optional().describe('The same as the key.'),
  'client-id': text.optional().describe('The audience.'),
  audiences: audiences.optional().describe('Further audiences.'),
  description: z.string().optional(),
  contact: z.string().optional(),
  environment: z.string().optional(),
  ...trust,
});

export const ciMetadata = z.strictObject({
  'default-template-values': z.record(z.string(), z.string()).optional(),
  'extension-templates': z.record(z.string(), z.string()).optional(),
  'subject-alternative-name-template': text,
});

export const settingsSchema = z.strictObject({
  host: text.describe('Address to listen on.').default('127.0.0.1'),
  port: port.describe('REST; 0 takes any free one.').default(5555),
  'grpc-port': port.describe('gRPC; 0 takes any free one.').default(5554),
  'metrics-port': port.describe('Prometheus metrics; 0 takes any free one.').default(2112),
  'drain-delay': duration
    .describe('How long to serve on after SIGTERM, for load balancers to notice.')
    .default(0),
  data: text.describe('Folder for keys, log and journal.').default('./mayfly-data'),
  log: log.default('builtin'),
  ca: ca.optional(),
  'key-passphrase-file': text
    .optional()
    .describe('File with the passphrase for keys that Mayfly makes itself.'),
  'client-signing-algorithms': z
    .array(z.enum(ALGORITHM_NAMES))
    .min(1, 'needs at least one algorithm')
    .describe('Keys and hashes that clients may sign with.')
    .default([...DEFAULT_ALGORITHMS]),
  errors: z
    .enum(['helpful', 'terse'])
    .describe("Whether refusals say what would be accepted, or only Fulcio's sentence.")
    .default('helpful'),
  'rate-limits': rateLimits.default({
    backend: 'memory',
    'on-backend-error': 'local',
    defaults: {},
    overrides: [],
  }),
  issuers: z
    .array(listedIssuer)
    .describe('Issuers, in order; several may share a URL and differ in audience.')
    .default([]),
  'oidc-issuers': z.record(text, fulcioIssuer).describe("Issuers in Fulcio's form, by URL.").default({}),
  'meta-issuers': z
    .record(text, fulcioIssuer)
    .describe("Wildcard issuers in Fulcio's form, by pattern.")
    .default({}),
  'ci-issuer-metadata': z
    .record(text, ciMetadata)
    .describe("Templates of ci-provider issuers, in Fulcio's form.")
    .default({}),
  define: z.any().optional().describe('A place for YAML anchors; not read.'),
});

export type ListedIssuer = z.output<typeof listedIssuer>;
export type FulcioIssuer = z.output<typeof fulcioIssuer>;
export type CiMetadata = z.output<typeof ciMetadata>;
