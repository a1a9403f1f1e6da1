// Request log: a line for each request, at level debug; what was decided about a certificate is in the audit lines.

import type { Caller } from '../../caller.ts';
import type { Answer } from '../../http/answer.ts';
import type { CallObserver } from '../../http/app.ts';
import type { Logger } from '../system/logger.ts';

export interface RequestLog {
  answered(answer: Answer): void;
  readonly handled: CallObserver['handled'];
}

/** Undefined where nobody would read it. */
export function requestLogOf(logger: Logger): RequestLog | undefined {
  if (!logger.isLevelEnabled('debug')) return undefined;
  return {
    answered({ method, status, milliseconds, caller, route }) {
      logger.debug(
        { ...idsIn(caller), method, route: route(), status, ms: rounded(milliseconds) },
        'answered',
      );
    },
    handled({ service, method }, code, milliseconds, caller) {
      const call = `${service}/${method}`;
      logger.debug({ ...idsIn(caller), call, code, ms: rounded(milliseconds) }, 'answered');
    },
  };
}

/** Named as in audit lines. */
export function idsIn({ requestId, traceId, address }: Caller): object {
  return {
    ...(requestId !== undefined && { request_id: requestId }),
    ...(traceId !== undefined && { trace_id: traceId }),
    ...(address !== undefined && { address }),
  };
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100;
}
