// Observation: what a runtime hears of each gRPC call, and the id that its answer carries.

import { Code, ConnectError, type Interceptor } from '@connectrpc/connect';
import type { Door } from '../http/app.ts';
import { CALLER } from './certificate-authority.ts';

/** Outside of everything that makes a failure a ConnectError. */
export function observed({ calls }: Pick<Door, 'calls'>): Interceptor {
  return (next) => async (request) => {
    const started = performance.now();
    const caller = request.contextValues.get(CALLER);
    const method = { service: request.service.typeName, method: request.method.name };
    const { requestId } = caller;
    const handled = (code: string): void => calls?.handled(method, code, performance.now() - started, caller);
    calls?.started(method);
    try {
      const response = await next(request);
      if (requestId !== undefined) response.header.set('x-request-id', requestId);
      handled('OK');
      return response;
    } catch (cause) {
      const failure = ConnectError.from(cause);
      if (requestId !== undefined) failure.metadata.set('x-request-id', requestId);
      handled(Code[failure.code] ?? 'Unknown');
      throw failure;
    }
  };
}
