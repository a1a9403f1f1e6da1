// Body: a request's bytes, capped before anything parses them.

import { concat, fromUtf8 } from '../encoding/bytes.ts';
import { Problem } from '../problem.ts';

/** Bytes; every signing client stays far below. */
export const MAX_BODY = 64 * 1024;

/** UTF-8 text of the body. Throws Problems `request_too_large`, `request_malformed`. */
export async function readText(request: Request, limit = MAX_BODY): Promise<string> {
  const bytes = await readBytes(request, limit);
  try {
    return fromUtf8(bytes);
  } catch (cause) {
    throw new Problem('request_malformed', {
      message: 'invalid UTF-8',
      hint: 'The body must be UTF-8.',
      cause,
    });
  }
}

/** Throws Problems `request_too_large`, and `request_malformed` for a client that hangs up before its end. */
export async function readBytes(request: Request, limit: number): Promise<Uint8Array> {
  const announced = request.headers.get('content-length');
  if (announced !== null && Number(announced) > limit) throw tooLarge(limit);
  try {
    // With a length the HTTP server holds the client to it; without one (chunked) the count is ours.
    return announced === null
      ? await readChunks(request, limit)
      : new Uint8Array(await request.arrayBuffer());
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw new Problem('request_malformed', { message: 'unexpected EOF', cause });
  }
}

async function readChunks({ body }: Request, limit: number): Promise<Uint8Array> {
  if (body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) throw tooLarge(limit);
    chunks.push(chunk);
  }
  return concat(...chunks);
}

function tooLarge(limit: number): Problem {
  return new Problem('request_too_large', { hint: `The body may have at most ${limit} bytes.` });
}
