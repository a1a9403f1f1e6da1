// Transparency schema: the keys of a configuration file that are about logging.

import * as z from 'zod';
import { duration, file, pem, text, webUrl } from './value-schema.ts';

const LOG_TAKES =
  'takes builtin, none, the URL of an RFC 6962 log, { url, public-key, bearer, deadline }, or a list of those';

const remoteLog = z.strictObject({
  url: webUrl.describe('Base URL of the log; ct/v1/add-pre-chain is appended.'),
  'public-key': pem
    .optional()
    .describe("The log's public key (SubjectPublicKeyInfo); its SCTs are then verified."),
  bearer: file.optional().describe('File whose first line is the token that the log asks for.'),
  deadline: duration
    .optional()
    .describe('How long one entry may take there, repetitions included; 10s, or 3s for one of several.'),
});

const log = z
  .union(
    [
      z.string().regex(/^(?:builtin|none||https?:\/\/[^/\s]+\S*)$/, LOG_TAKES),
      remoteLog,
      z
        .array(z.union([webUrl, remoteLog], 'takes a URL, or { url, public-key, bearer, deadline }'))
        .min(1, 'needs at least one log'),
    ],
    LOG_TAKES,
  )
  .describe(
    'Where precertificates are logged: builtin, none (no SCT is embedded), the URL of an RFC 6962 log, or a list of logs of which the first that answers serves.',
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
