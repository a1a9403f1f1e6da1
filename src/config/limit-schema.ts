// Limit schema: the keys under `rate-limits`.

import * as z from 'zod';
import { LIMIT_NAMES, type LimitName } from '../admission/limit.ts';
import { duration, file, pem, text } from './value-schema.ts';

const count = z.int('takes a whole number').min(1, 'must be at least 1');

const rate = {
  burst: count.describe('How many may come at once.'),
  count: count.describe('How many flow back in a period.'),
  period: duration.describe('Such as 1h.'),
};

const rates = Object.fromEntries(LIMIT_NAMES.map((name) => [name, z.strictObject(rate).optional()])) as {
  readonly [name in LimitName]: z.ZodOptional<z.ZodObject<typeof rate>>; // a key for each name, by the line above
};

const redisUrl = z.string().regex(/^rediss?:\/\/\S+$/, 'takes a URL that begins with redis:// or rediss://');

const redisTls = z
  .strictObject({
    ca: pem.optional().describe("CA certificates of the server, instead of the system's."),
    cert: pem.optional().describe('Certificate to show, for mutual TLS.'),
    key: pem.optional().describe('Private key of cert.'),
  })
  .describe('TLS to Redis; a rediss:// URL alone trusts the system.');

const redis = {
  'redis-url': z
    .union([redisUrl, z.array(redisUrl).min(1, 'needs at least one URL')], 'takes a URL or a list of URLs')
    .optional()
    .describe('Redis server, for backend redis; several are the first nodes of a Cluster.'),
  'redis-cluster': z.boolean().optional().describe('A single URL that leads to a Cluster.'),
  'redis-username': text.optional().describe('ACL user; replaces that of the URL.'),
  'redis-password': file.optional().describe('File whose first line is the password.'),
  'redis-tls': redisTls.optional(),
  'redis-options': z
    .record(text, z.unknown())
    .optional()
    .describe('Options of ioredis, such as sentinels and name for a Sentinel group.'),
};

export const rateLimits = z
  .union(
    [
      z.literal('off'),
      z.strictObject({
        enabled: z
          .boolean()
          .describe('Whether the rates hold; with false the backend still counts for replay rules.')
          .default(true),
        backend: z.enum(['memory', 'redis']).describe('Where the buckets are kept.').default('memory'),
        ...redis,
        'on-backend-error': z
          .enum(['local', 'open', 'closed'])
          .describe('While Redis is away: limit in memory, let everything pass, or refuse.')
          .default('local'),
        defaults: z.strictObject(rates).describe('The rate of each limit.').default({}),
        overrides: z
          .array(
            z.strictObject({
              limit: z.enum(LIMIT_NAMES),
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
          .prefault([]),
      }),
    ],
    'takes off, or a map with backend, defaults and overrides',
  )
  .describe('Rate limits, or off.');
