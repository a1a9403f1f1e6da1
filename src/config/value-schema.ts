// Setting kinds: what single values of a configuration file look like.

import * as z from 'zod';
import { DURATION, parseDuration } from './duration.ts';

export const text = z.string().min(1, 'must not be empty');

export const port = z
  .int('takes a port, 0 to 65535')
  .min(0, 'takes a port, 0 to 65535')
  .max(65535, 'takes a port, 0 to 65535');

const DURATION_TAKES = 'takes a number with a unit, such as 90s, 15m, 1h or 1h30m';

/** Milliseconds. */
export const duration = z
  .union([z.literal(0), z.string().regex(DURATION, DURATION_TAKES)], DURATION_TAKES)
  .transform((value) => parseDuration(String(value)) ?? 0);

export const file = z.strictObject({ file: text.describe('Path, from the working directory.') });

export const pem = z.union([text, file], 'takes PEM text, or { file: PATH }');

export const webUrl = z
  .string()
  .regex(/^https?:\/\/[^/\s]+\S*$/, 'takes a URL that begins with https:// or http://');
