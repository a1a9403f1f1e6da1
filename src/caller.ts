// Caller: who asks, as far as a runtime can tell before any token is proven.

import type { Trace } from './trace.ts';

export interface Caller {
  /** IP address; undefined where the runtime does not know it. */
  readonly address?: string | undefined;
  /** Of X-Request-Id, as the caller or a proxy in front wrote it, or made here; it goes into every answer. */
  readonly requestId?: string | undefined;
  /** Of traceparent (W3C Trace Context), 32 hexadecimal digits. */
  readonly traceId?: string | undefined;
  /** Undefined where this request is not traced. */
  readonly trace?: Trace | undefined;
}

/** The ids that a request brings along; text that is no id is not repeated. */
export function idsOf(headers: Headers): Pick<Caller, 'requestId' | 'traceId'> {
  const requestId = headers.get('x-request-id') ?? '';
  const traceId = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(
    headers.get('traceparent') ?? '',
  )?.[1];
  return {
    ...(/^[\x21-\x7e]{1,128}$/.test(requestId) && { requestId }),
    ...(traceId !== undefined && { traceId }),
  };
}
