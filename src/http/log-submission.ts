// Log submission: add-pre-chain (RFC 6962 section 4.2), for the CAs that a log is for.

import { Hono } from 'hono';
import type { Capacity } from '../capacity.ts';
import { type Bytes, base64, fromBase64 } from '../encoding/bytes.ts';
import type { Sha256 } from '../encoding/digest.ts';
import type { Log, Sct } from '../log/log.ts';
import type { Intake } from '../log/submission.ts';
import { Problem } from '../problem.ts';
import { Bearers } from './bearers.ts';
import { readText } from './body.ts';
import { type ErrorDetail, failureResponse, problemOf } from './failure.ts';

/** Bytes; a chain of eleven large certificates. */
const MAX_SUBMISSION = 512 * 1024;

export interface SubmissionDoor {
  readonly log: Log;
  readonly intake: Intake;
  /** Tokens of which a client has to show one; with none, all may submit what a configured CA has signed. */
  readonly bearers: readonly string[];
  /**
   * Whether the client has shown a certificate that lets it submit; left out where none is asked for. `environment` is
   * what the runtime gave `fetch` beside the request.
   */
  hasShownCertificate?: ((environment: unknown) => boolean) | undefined;
  /** Of submissions. */
  readonly capacity?: Capacity;
  readonly sha256: Sha256;
  readonly errors: ErrorDetail;
  /** Told of the end of each submission; `failure` is undefined for one that was logged. */
  onSubmission?(failure: Problem | undefined): void;
  /** Told of everything that ended as 500. */
  onBug?(cause: unknown): void;
}

/** To be mounted at the log's prefix, before its read side. */
export function submissionRoutes(door: SubmissionDoor): Hono {
  const bearers = new Bearers(door.bearers, door.sha256);
  const app = new Hono();
  app.onError((failure) => {
    const problem = problemOf(failure);
    if (problem.code === 'internal') door.onBug?.(problem.cause);
    const challenge =
      problem.code === 'submitter_unknown' && bearers.wanted ? { 'www-authenticate': 'Bearer' } : {};
    return failureResponse(problem, door.errors, { 'cache-control': 'no-store', ...challenge });
  });
  app.post('/ct/v1/add-pre-chain', async (c) => {
    try {
      if (door.hasShownCertificate?.(c.env) === false)
        throw new Problem('submitter_unknown', {
          message: 'this log takes submissions only from clients that show a certificate',
          hint: 'The certificate has to come from the CA that the log was configured with.',
        });
      if (bearers.wanted && !bearers.matches(c.req.header('authorization')))
        throw new Problem('submitter_unknown');
      const chain = parseChain(await readText(c.req.raw, MAX_SUBMISSION));
      const sct = await append(chain, door);
      door.onSubmission?.(undefined);
      return answer(sct);
    } catch (failure) {
      door.onSubmission?.(problemOf(failure));
      throw failure;
    }
  });
  app.all('/ct/v1/add-pre-chain', () =>
    failureResponse(new Problem('method_not_allowed'), door.errors, { allow: 'POST' }),
  );
  return app;
}

async function append(chain: readonly Bytes[], { log, intake, capacity }: SubmissionDoor): Promise<Sct> {
  capacity?.enter();
  try {
    return await log.append(await intake.accept(chain));
  } finally {
    capacity?.leave();
  }
}

/** DER of each certificate, precertificate first. Throws Problem `request_malformed`. */
function parseChain(text: string): readonly Bytes[] {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    throw malformed('the body is not JSON', cause);
  }
  const chain: unknown =
    typeof body === 'object' && body !== null && 'chain' in body ? body.chain : undefined;
  if (!Array.isArray(chain) || chain.length === 0) throw malformed('the body has no list "chain"');
  return chain.map((item: unknown) => {
    const der = typeof item === 'string' ? fromBase64(item) : undefined;
    if (der === undefined || der.length === 0) throw malformed('a certificate in "chain" is not base64');
    return der;
  });
}

function malformed(message: string, cause?: unknown): Problem {
  const hint = 'A JSON object whose "chain" lists certificates in base64 of DER, the precertificate first.';
  return new Problem('request_malformed', { field: 'chain', message, hint, cause });
}

function answer({ logId, timestamp, extensions, signature }: Sct): Response {
  const body = {
    sct_version: 0,
    id: base64(logId),
    timestamp,
    extensions: base64(extensions),
    signature: base64(signature),
  };
  return new Response(JSON.stringify(body), {
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  });
}
