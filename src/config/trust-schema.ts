// Trust schema: the keys of a configuration file about what clients are to trust beside an instance's own keys.

import * as z from 'zod';
import { pem, webUrl } from './value-schema.ts';

const TIME_TAKES = 'takes a time with its zone, such as 2026-05-04T03:02:01Z';

/** Milliseconds since the epoch. */
const time = z.iso.datetime({ offset: true, error: TIME_TAKES }).transform((text) => Date.parse(text));

const until = time
  .optional()
  .describe('When it signed last, an hour added for a CA; without it, it is in force or next.');

const chain = z.strictObject({
  chain: pem.describe('What signs first, the root last.'),
  until,
});

export const trust = {
  'also-trusted': z
    .strictObject({
      cas: z.array(chain).describe('CA chains, such as the one before or the next.').default([]),
      timestamps: z.array(chain).describe('Chains of timestamp authorities.').default([]),
      logs: z
        .array(
          z.strictObject({
            url: webUrl.describe('Base URL, under which it is read.'),
            'public-key': pem.describe('Its public key (SubjectPublicKeyInfo).'),
            from: time.optional().describe('When it began; as old as the oldest CA unless given.'),
            until,
          }),
        )
        .describe('Logs whose SCTs are in certificates.')
        .default([]),
    })
    .optional()
    .describe('What the trust documents hold beside the keys of this instance (docs/rotation.md).'),
};

export const trustSchema = z.strictObject(trust);
