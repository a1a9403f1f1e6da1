// Schema: every key that a configuration file may hold, what it takes, and what it means.

import * as z from 'zod';
import { ALGORITHM_NAMES, DEFAULT_ALGORITHMS } from '../key/algorithm.ts';
import { access } from './access-schema.ts';
import { ca } from './ca-schema.ts';
import { ciMetadata, fulcioIssuer, listedIssuer } from './issuer-schema.ts';
import { rateLimits } from './limit-schema.ts';
import { listener } from './listener-schema.ts';
import { signals } from './signal-schema.ts';
import { transparency } from './transparency-schema.ts';
import { trust } from './trust-schema.ts';
import { duration, port, text, webUrl } from './value-schema.ts';

const general = {
  host: text.describe('Address to listen on.').default('127.0.0.1'),
  port: port.describe('REST; 0 takes any free one.').default(5555),
  'grpc-port': port.describe('gRPC; 0 takes any free one.').default(5554),
  ...listener,
  'public-url': webUrl
    .regex(/[^/]$/, 'takes a URL without a slash at its end')
    .optional()
    .describe('Where clients reach this instance, such as https://mayfly.example.org behind a proxy.'),
  ...signals,
  workers: z
    .int('takes a whole number')
    .min(1, 'takes 1 to 64')
    .max(64, 'takes 1 to 64')
    .describe('Processes that issue, beside one that keeps the log; with 1 a single process does both.')
    .default(1),
  'drain-delay': duration
    .describe('How long to serve on after SIGTERM, for load balancers to notice.')
    .prefault('0s'),
  data: text.describe('Folder for keys, log and journal.').default('./mayfly-data'),
  ...transparency,
  ca: ca.optional(),
  ...trust,
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
  'rate-limits': rateLimits.prefault({}),
  ...access,
  define: z.unknown().optional().describe('A place for YAML anchors; not read.'),
};

const issuers = {
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
};

/** The whole file. */
export const settingsSchema = z.strictObject({ ...general, ...issuers });

const elsewhere = z.unknown().optional();

/** The same but for the issuers, which are read one by one so that a mistake in one hides none in another. */
export const generalSchema = z.strictObject({
  ...general,
  issuers: elsewhere,
  'oidc-issuers': elsewhere,
  'meta-issuers': elsewhere,
  'ci-issuer-metadata': elsewhere,
});
