// Random: unpredictable bytes as an argument, so that the core draws none by itself.

import type { Bytes } from './bytes.ts';

/** `length` bytes from a cryptographically secure generator. */
export type Random = (length: number) => Bytes;
