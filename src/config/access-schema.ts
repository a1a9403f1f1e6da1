// Access schema: the keys that access-settings.ts reads.

import * as z from 'zod';
import { file, text } from './value-schema.ts';

export const access = {
  'trusted-proxies': z
    .array(text)
    .describe('Addresses or networks of the proxies in front, whose word about the client counts.')
    .default([]),
  'forwarded-header': z
    .enum(['x-forwarded-for', 'forwarded'])
    .describe('The header in which they say who the client is.')
    .default('x-forwarded-for'),
  audit: z
    .strictObject({
      file: text.optional().describe('File that a JSON line is added to for each decision; stderr without.'),
      required: z.boolean().describe('Issue nothing that cannot be written down.').default(false),
      claims: z.array(text).describe('Claims of the token that each line repeats.').default([]),
    })
    .optional()
    .describe('A JSON line for each certificate that was issued, refused or limited.'),
  explain: z
    .strictObject({
      bearer: file.describe('File with a bearer token of at least 16 characters on each line.'),
    })
    .optional()
    .describe('Serves POST /api/mayfly/v1/explain to those who show a bearer token of the file.'),
};

export const accessSchema = z.strictObject(access);
