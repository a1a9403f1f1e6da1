import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { base64, hex } from '../../../src/encoding/bytes.ts';
import { parsePublicKey } from '../../../src/key/public-key.ts';
import type { Log, Sct } from '../../../src/log/log.ts';
import { RemoteLog, type RemoteLogOptions } from '../../../src/log/remote.ts';
import { openMemoryLog } from '../../../src/node/log/file-log.ts';
import { nativeVerifier } from '../../../src/node/system/native-verifier.ts';
import { fetchPoster } from '../../../src/web/fetch-poster.ts';
import { entryOf, ManualClock, p256Signer, sha256 } from './support.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): Promise<string> {
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    answer(request, response, Buffer.concat(parts).toString());
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const signer = p256Signer();
const publicKey = parsePublicKey(signer.publicKey);
const entry = entryOf(7);

/** A real log's SCT over the entry, as add-pre-chain gives it. */
async function sctJson(change: (json: Record<string, unknown>) => void = () => undefined): Promise<string> {
  const { log } = await openMemoryLog({ origin: 'log.example.com', signer, clock: new ManualClock() });
  const sct = await log.append(entry);
  const json = {
    sct_version: 0,
    id: base64(sct.logId),
    timestamp: sct.timestamp,
    extensions: base64(sct.extensions),
    signature: base64(sct.signature),
  };
  change(json);
  return JSON.stringify(json);
}

/** Time passes only by waiting, and waiting takes no time. */
function remote(url: string, options: Partial<RemoteLogOptions> = {}): { log: Log; waits: number[] } {
  const waits: number[] = [];
  let now = 0;
  const log = new RemoteLog({
    url,
    poster: fetchPoster,
    schedule: (task, milliseconds) => {
      waits.push(milliseconds);
      now += milliseconds;
      queueMicrotask(task);
      return () => undefined;
    },
    monotonic: () => now,
    sha256,
    verifier: nativeVerifier,
    publicKey,
    ...options,
  });
  return { log, waits };
}

async function failure(promise: Promise<Sct>): Promise<string> {
  const problem = await promise.then(
    () => 'an SCT',
    (error: unknown) => error,
  );
  expect(problem).toMatchObject({ code: 'log_unavailable', status: 503 });
  return (problem as { cause: { code: string } }).cause.code;
}

describe('a log in another process', () => {
  it('is sent the precertificate and its chain, and its SCT comes back verified', async () => {
    const json = await sctJson();
    let seen: { url?: string | undefined; bearer?: string | undefined; body?: unknown } = {};
    const url = await serve((request, response, body) => {
      seen = { url: request.url, bearer: request.headers.authorization, body: JSON.parse(body) };
      response.end(json);
    });
    const sct = await remote(`${url}/2026/`, { bearer: 'secret' }).log.append(entry);
    expect(hex(sct.logId)).toBe(hex(sha256(signer.publicKey)));
    expect(seen).toEqual({
      url: '/2026/ct/v1/add-pre-chain',
      bearer: 'Bearer secret',
      body: { chain: [entry.precertificate, ...entry.chain].map(base64) },
    });
  });

  it.each([
    ['another version', { sct_version: 1 }],
    ['a short log id', { id: 'AAAA' }],
    ['no timestamp', { timestamp: undefined }],
    ['a timestamp as text', { timestamp: '1' }],
    ['a signature that is no digitally-signed', { signature: 'AAAA' }],
    ['no signature', { signature: undefined }],
    ['extensions that are no base64', { extensions: '*' }],
  ])('is not believed with %s', async (_, change) => {
    const json = await sctJson((sct) => void Object.assign(sct, change));
    const url = await serve((_request, response) => void response.end(json));
    const { log, waits } = remote(url);
    expect(await failure(log.append(entry))).toBe('malformed');
    expect(waits).toEqual([]);
  });

  it.each([
    ['another time', { timestamp: 1 }],
    ['another index', { extensions: base64(Uint8Array.of(0, 0, 5, 0, 0, 0, 0, 9)) }],
    ['another log id', { id: base64(new Uint8Array(32)) }],
  ])('is not believed when its signature is over %s', async (_, change) => {
    const json = await sctJson((sct) => void Object.assign(sct, change));
    const url = await serve((_request, response) => void response.end(json));
    expect(await failure(remote(url).log.append(entry))).toBe('signature_invalid');
    // Without a configured key there is nothing to check against.
    await remote(url, { publicKey: undefined }).log.append(entry);
  });

  it('is asked again after passing failures, waiting longer each time or as long as it says', async () => {
    const json = await sctJson();
    const answers: [number, Record<string, string>][] = [
      [500, {}],
      [503, {}],
      [429, { 'retry-after': '3' }],
      [200, {}],
    ];
    const url = await serve((_, response) => {
      const [status, headers] = answers.shift() ?? [599, {}];
      response.writeHead(status, headers).end(json);
    });
    const { log, waits } = remote(url);
    await log.append(entry);
    expect(waits).toEqual([100, 200, 3000]);
  });

  it.each([401, 403, 404, 301])('is not asked again after %i', async (status) => {
    const url = await serve((_, response) => void response.writeHead(status, { location: '/' }).end());
    const { log, waits } = remote(url);
    expect(await failure(log.append(entry))).toBe('refused');
    expect(waits).toEqual([]);
  });

  it.each([400, 413])('is told from an entry that it refuses with %i', async (status) => {
    const url = await serve((_, response) => void response.writeHead(status).end());
    const { log, waits } = remote(url);
    expect(await failure(log.append(entry))).toBe('entry_refused');
    expect(waits).toEqual([]);
  });

  it('is given up at the deadline', async () => {
    const url = await serve((_, response) => void response.writeHead(503).end());
    const { log, waits } = remote(url, { deadlineMs: 1000 });
    expect(await failure(log.append(entry))).toBe('refused');
    expect(waits).toEqual([100, 200, 400]);
  });

  it('costs few retries when it stays down', async () => {
    const url = await serve((_, response) => void response.writeHead(503).end());
    const { log, waits } = remote(url, { deadlineMs: 1000 });
    for (let i = 0; i < 100; i++) await failure(log.append(entry));
    expect(waits.length).toBeLessThanOrEqual(20);
  });

  it('may be gone, silent, or endless', async () => {
    expect(await failure(remote('http://127.0.0.1:1', { deadlineMs: 50 }).log.append(entry))).toBe(
      'unreachable',
    );
    const silent = await serve(() => undefined);
    expect(await failure(remote(silent, { deadlineMs: 50 }).log.append(entry))).toBe('unreachable');
    const endless = await serve((_, response) => void response.end(Buffer.alloc(2 ** 20)));
    expect(await failure(remote(endless, { deadlineMs: 50 }).log.append(entry))).toBe('unreachable');
  });
});
