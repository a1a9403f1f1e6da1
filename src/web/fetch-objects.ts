// Fetch objects: the objects of a log below its monitoring prefix, through the `fetch` of the runtime.

import { type Bytes, concat } from '../encoding/bytes.ts';
import type { GetObject } from '../log/log-client.ts';

/** Milliseconds for one attempt. */
const TIMEOUT = 20_000;
/** Bytes; a data tile of the largest entries there may be is about half of it. */
const MOST = 2 ** 25;
/** Milliseconds before each further attempt. */
const WAITS = [200, 1000, 3000];

/** `prefix` ends in a slash. Rejects with an Error that names the URL when there is no answer, or one that says nothing. */
export function fetchObjects(prefix: string): GetObject {
  return async (path) => {
    const url = prefix + path;
    for (const wait of [...WAITS, undefined]) {
      const answer = await attempt(url);
      if (!(answer instanceof Error)) return answer.body;
      if (wait === undefined) throw answer;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
    return undefined;
  };
}

/** An Error where another attempt may fare better. */
async function attempt(url: string): Promise<{ readonly body: Bytes | undefined } | Error> {
  let response: Response;
  try {
    const headers = { 'cache-control': 'no-cache' };
    response = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT) });
  } catch (cause) {
    return new Error(`${url} gives no answer`, { cause });
  }
  const { status } = response;
  if (status === 404) return { body: undefined };
  if (status >= 500 || status === 429) return new Error(`${url} answered with status ${status}`);
  if (status !== 200) throw new Error(`${url} answered with status ${status}`);
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of response.body ?? []) {
      size += part.length;
      if (size > MOST) break;
      parts.push(part);
    }
  } catch (cause) {
    return new Error(`${url} broke off its answer`, { cause });
  }
  if (size > MOST) throw new Error(`${url} answered with more than ${MOST} bytes`);
  return { body: concat(...parts) };
}
