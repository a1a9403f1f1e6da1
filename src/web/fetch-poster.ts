// Fetch poster: asks another log through the `fetch` of the runtime.

import { concat } from '../encoding/bytes.ts';
import type { Poster } from '../log/poster.ts';

export const fetchPoster: Poster = {
  async post(url, body, { timeoutMs, maxBytes, bearer, contentType = 'application/json', signal: early }) {
    const headers: Record<string, string> = { 'content-type': contentType };
    if (bearer !== undefined) headers['authorization'] = `Bearer ${bearer}`;
    // The signal also ends a body that trickles; it takes whole milliseconds only.
    const late = AbortSignal.timeout(Math.max(0, Math.ceil(timeoutMs)));
    const signal = early === undefined ? late : AbortSignal.any([late, early]);
    const response = await fetch(url, { method: 'POST', body, headers, signal, redirect: 'manual' });
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of response.body ?? []) {
      size += part.length;
      if (size > maxBytes) throw new RangeError(`an answer of more than ${maxBytes} bytes`);
      parts.push(part);
    }
    const retryAfter = response.headers.get('retry-after') ?? undefined;
    return { status: response.status, body: concat(...parts), retryAfter };
  },
};
