// Transparency schema: the keys of a configuration file that are about logging.

import * as z from 'zod';
import { duration, file, pem, text, webUrl } from './value-schema.ts';

const LOG_TAKES =
  'takes builtin, none, the URL of an RFC 6962 log, { url, public-key, bearer, tls, deadline }, a list of those, or { s3: ... }';

const remoteLog = z.strictObject({
  url: webUrl.describe('Base URL of the log; ct/v1/add-pre-chain is appended.'),
  'public-key': pem
    .optional()
    .describe("The log's public key (SubjectPublicKeyInfo); its SCTs are then verified."),
  bearer: file.optional().describe('File whose first line is the token that the log asks for.'),
  tls: z
    .strictObject({
      ca: pem.optional().describe("CA certificates of the log's server, instead of the system's."),
      cert: pem.optional().describe('Certificate to show, for a log that asks for one.'),
      key: pem.optional().describe('Private key of cert.'),
    })
    .optional()
    .describe('TLS to the log; without it the system is trusted and no certificate shown.'),
  deadline: duration
    .optional()
    .describe('How long one entry may take there, repetitions included; 10s, or 3s for one of several.'),
});

const secret = z.union([text, file], 'takes text, or { file: PATH }');

const s3 = z.strictObject({
  endpoint: z
    .string()
    .regex(/^https?:\/\/[^/\s]+$/, 'takes scheme and host, as in https://s3.eu-central-1.amazonaws.com')
    .optional()
    .describe('Scheme and host of the object store; that of AWS in the region unless given.'),
  bucket: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'takes the name of a bucket')
    .describe('It exists; the log makes none.'),
  region: z
    .string()
    .regex(/^[a-z0-9-]+$/, 'takes a region, such as eu-central-1')
    .describe('auto for Cloudflare R2.')
    .default('us-east-1'),
  prefix: z
    .string()
    .regex(/^(?:\w[\w.-]*\/)*$/, 'takes letters, digits and ._- and ends in a slash')
    .describe('What the keys of the log begin with; it ends in a slash.')
    .default(''),
  'access-key-id': secret.optional().describe('The environment variable AWS_ACCESS_KEY_ID unless given.'),
  'secret-access-key': file
    .optional()
    .describe('The environment variable AWS_SECRET_ACCESS_KEY unless given.'),
});

const log = z
  .union(
    [
      z.string().regex(/^(?:builtin|none||https?:\/\/[^/\s]+\S*)$/, LOG_TAKES),
      remoteLog,
      z
        .array(z.union([webUrl, remoteLog], 'takes a URL, or { url, public-key, bearer, tls, deadline }'))
        .min(1, 'needs at least one log'),
      z.strictObject({ s3: s3.describe('The built-in log in a bucket of an object store that speaks S3.') }),
    ],
    LOG_TAKES,
  )
  .describe(
    'Where precertificates are logged: builtin, none (no SCT is embedded), the URL of an RFC 6962 log, a list of logs of which the first that answers serves, or { s3: ... } for the built-in log in a bucket.',
  );

const witness = z.strictObject({
  name: text.describe('For logs and metrics.'),
  url: webUrl.describe('Its submission prefix; add-checkpoint is appended.'),
  key: z
    .string()
    .regex(/^[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2}$/, 'takes a verifier key: name+hash+base64')
    .describe('Its verifier key (vkey) for Ed25519 cosignatures: name+hash+base64.'),
});

export const transparency = {
  role: z
    .enum(['all', 'ca', 'log'])
    .describe(
      'What this instance does: issue and log (all), issue only (ca; log names another log), or log only.',
    )
    .default('all'),
  log: log.default('builtin'),
  'log-roots': pem
    .optional()
    .describe('For role log: the CA certificates, roots or intermediates, whose precertificates it takes.'),
  'log-bearer': file
    .optional()
    .describe(
      'File with the bearer token of submissions: demanded in role log (any of its lines), sent in role ca (the first).',
    ),
  witnesses: z
    .array(witness)
    .describe('Witnesses (c2sp.org/tlog-witness) that cosign the checkpoints of the built-in log.')
    .default([]),
};

export const transparencySchema = z.strictObject(transparency);
