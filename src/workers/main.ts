// Main: the Worker; certificates, log, timestamps and trust documents from the edge.

import type { Hono } from 'hono';
import { failureResponse } from '../http/failure.ts';
import { Problem } from '../problem.ts';
import { settings } from './bundle.ts';
import type { Environment } from './environment.ts';
import { openFront } from './front.ts';
import { reportError } from './report.ts';

export { KeysObject } from './keys-object.ts';
export { LimitObject } from './limit-object.ts';
export { LogObject } from './log-object.ts';

/** Of this isolate. Kept once it is open, and not while it opens: requests must not wait for each other's work. */
let front: Hono | undefined;

async function answer(request: Request, environment: Environment): Promise<Response> {
  try {
    front ??= await openFront(settings, environment);
  } catch (cause) {
    reportError('the instance cannot be opened', cause);
    return failureResponse(new Problem('signer_unavailable', { cause }), settings.errors);
  }
  return front.fetch(request);
}

export default {
  fetch(request, environment, context): Promise<Response> {
    const response = answer(request, environment);
    // A client that hangs up cancels nothing: what was admitted is logged, what was spent and not issued is refunded.
    context.waitUntil(response);
    return response;
  },
} satisfies ExportedHandler<Environment>;
