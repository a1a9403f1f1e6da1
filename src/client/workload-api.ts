// Workload API: where a SPIFFE workload gets its JWT-SVID (SPIFFE_Workload_API.md section 6; gRPC without TLS).

import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:net';
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { ClientError } from './client-error.ts';

const METHOD = '/SpiffeWorkloadAPI/FetchJWTSVID';
const TIMEOUT_MS = 10_000;
/** One compressed-flag octet and a length of four (gRPC over HTTP/2). */
const PREFIX = 5;
const MAX_BYTES = 1 << 20;

/** `endpoint` is `unix:///path`, `unix:/path` or `tcp://address:port`. Throws ClientError `token_unavailable`. */
export async function fetchJwtSvid(endpoint: string, audience: string): Promise<string> {
  const session = connectHttp2('http://localhost', { createConnection: () => dial(endpoint) });
  try {
    const svid = firstSvid(await call(session, new BinaryWriter().tag(1, 2).string(audience).finish()));
    if (svid !== undefined) return svid;
  } catch (cause) {
    if (cause instanceof ClientError) throw cause;
    throw unavailable('the SPIFFE Workload API gave no token', cause);
  } finally {
    session.destroy();
  }
  throw unavailable('the SPIFFE Workload API has no identity for this workload');
}

function dial(endpoint: string): ReturnType<typeof connect> {
  const path = /^unix:(?:\/\/)?(\/.+)$/.exec(endpoint)?.[1];
  if (path !== undefined) return connect(path);
  const [, host, port] = /^tcp:\/\/\[?([\da-fA-F.:]+?)\]?:(\d+)$/.exec(endpoint) ?? [];
  if (host !== undefined) return connect(Number(port), host);
  throw unavailable('SPIFFE_ENDPOINT_SOCKET is unix:///path or tcp://address:port');
}

/** One unary call: the message of the answer. Rejects unless grpc-status is 0. */
function call(session: ClientHttp2Session, message: Uint8Array): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  session.on('error', reject);
  const stream = session.request({
    ':method': 'POST',
    ':path': METHOD,
    'content-type': 'application/grpc',
    te: 'trailers',
    'workload.spiffe.io': 'true', // keeps out requests that a server was tricked into making
  });
  let status: unknown;
  const parts: Buffer[] = [];
  let size = 0;
  const noteStatus = (headers: Readonly<Record<string, unknown>>): void => {
    status = headers['grpc-status'] ?? status;
  };
  stream.on('response', noteStatus);
  stream.on('trailers', noteStatus);
  stream.on('data', (part: Buffer) => {
    parts.push(part);
    size += part.length;
    if (size > MAX_BYTES) stream.close(constants.NGHTTP2_CANCEL);
  });
  stream.on('error', reject);
  stream.on('close', () => {
    if (status === '0') resolve(Buffer.concat(parts).subarray(PREFIX));
    else if (status === '7') reject(unavailable('the SPIFFE Workload API has no identity for this workload'));
    else reject(new Error(`grpc-status ${String(status)}`));
  });
  stream.setTimeout(TIMEOUT_MS, () => stream.close(constants.NGHTTP2_CANCEL));
  const prefix = Buffer.alloc(PREFIX);
  prefix.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([prefix, message]));
  return promise;
}

/** `svids` is field 1 of JWTSVIDResponse, and the token field 2 of a JWTSVID; the first is the default identity. */
function firstSvid(response: Uint8Array): string | undefined {
  const svid = fieldOf(response, 1);
  const token = svid === undefined ? undefined : fieldOf(svid, 2);
  return token === undefined ? undefined : new TextDecoder().decode(token);
}

function fieldOf(message: Uint8Array, wanted: number): Uint8Array | undefined {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === wanted && wireType === 2) return reader.bytes();
    reader.skip(wireType, field);
  }
  return undefined;
}

function unavailable(sentence: string, cause?: unknown): ClientError {
  return new ClientError('token_unavailable', sentence, cause);
}
