// Log routes: the read side of the transparency log, as static-ct-api lays it out and as RFC 6962 section 4 does.

import { type Context, Hono } from 'hono';
import { base64, fromHex } from '../encoding/bytes.ts';
import { type FinalTreeHead, logListEntry } from '../log/description.ts';
import type { Reader } from '../log/reader.ts';
import { parseTilePath } from '../log/tile.ts';
import { Problem } from '../problem.ts';
import { type ErrorDetail, failureResponse, problemOf } from './failure.ts';
import {
  getEntries,
  getEntryAndProof,
  getProofByHash,
  getSth,
  getSthConsistency,
  type Query,
} from './log-queries.ts';

export interface LogDoor {
  readonly reader: Reader;
  /** Public URL under which these routes are mounted, with a trailing slash. */
  prefix(): string;
  /** DER of the CA certificates whose precertificates the log takes. */
  roots(): readonly Uint8Array[];
  /** The last tree head of a log that takes no more entries. */
  readonly final?: FinalTreeHead | undefined;
  readonly errors: ErrorDetail;
  /** Told of everything that ended as 500. */
  onBug?(cause: unknown): void;
}

const FOREVER = 'public, max-age=31536000, immutable';
const BRIEF = 'public, max-age=1';

export function logRoutes(door: LogDoor): Hono {
  const { reader } = door;
  const app = new Hono();
  app.onError((failure) => {
    const problem = problemOf(failure);
    if (problem.code === 'internal') door.onBug?.(problem.cause);
    return failureResponse(problem, door.errors, {
      'cache-control': 'no-store',
      'access-control-allow-origin': '*',
    });
  });

  app.get('/checkpoint', () => answer(reader.checkpoint(), 'text/plain; charset=utf-8', BRIEF));
  app.get('/tile/*', async (c) => {
    const path = c.req.path;
    const address = parseTilePath(path.slice(path.lastIndexOf('/tile/') + 1));
    const tile = address && (await reader.tile(address));
    if (tile === undefined) throw new Problem('not_found');
    const response = answer(tile, 'application/octet-stream', FOREVER);
    return address?.level === 'data' ? compressed(c, response) : response;
  });
  app.get('/issuer/:fingerprint', async (c) => {
    const { fingerprint } = c.req.param();
    const der = /^[0-9a-f]{64}$/.test(fingerprint) ? await reader.issuer(fromHex(fingerprint)) : undefined;
    if (der === undefined) throw new Problem('not_found');
    return answer(der, 'application/pkix-cert', FOREVER);
  });
  app.get('/log.v3.json', () => json(logListEntry(reader.identity, door.prefix(), door.final)));

  const query = (path: string, ask: Query): void => {
    app.get(`/ct/v1/${path}`, async (c) => json(await ask(reader, (name) => c.req.query(name))));
  };
  query('get-sth', getSth);
  query('get-sth-consistency', getSthConsistency);
  query('get-proof-by-hash', getProofByHash);
  query('get-entries', getEntries);
  query('get-entry-and-proof', getEntryAndProof);
  app.get('/ct/v1/get-roots', () => json({ certificates: door.roots().map(base64) }));

  app.all('*', (c) => {
    const read = c.req.method === 'GET' || c.req.method === 'HEAD';
    throw new Problem(read ? 'not_found' : 'method_not_allowed');
  });
  return app;
}

function answer(body: Uint8Array<ArrayBuffer>, type: string, caching: string): Response {
  return new Response(body, {
    headers: { 'content-type': type, 'cache-control': caching, 'access-control-allow-origin': '*' },
  });
}

function json(body: object): Response {
  const headers = {
    'content-type': 'application/json',
    'cache-control': BRIEF,
    'access-control-allow-origin': '*',
  };
  return new Response(JSON.stringify(body), { headers });
}

/** Data tiles are mostly names and keys that repeat from entry to entry. */
function compressed(c: Context, response: Response): Response {
  response.headers.set('vary', 'Accept-Encoding');
  const accepted = c.req.header('accept-encoding')?.split(',') ?? [];
  const gzip = accepted.some((coding) => /^\s*(gzip|\*)\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/i.test(coding));
  if (!gzip || response.body === null) return response;
  response.headers.set('content-encoding', 'gzip');
  return new Response(response.body.pipeThrough(new CompressionStream('gzip')), response);
}
