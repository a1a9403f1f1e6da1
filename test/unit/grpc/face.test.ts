// The face before a door that fails in every way, as @grpc/grpc-js sees it.

import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { grpcFace } from '../../../src/grpc/face.ts';
import { HealthCheckResponse_ServingStatus as Status } from '../../../src/grpc/generated/grpc/health/v1/health_pb.ts';
import type { Door } from '../../../src/http/app.ts';
import { grpcListener } from '../../../src/node/listener/grpc-listener.ts';
import { type GrpcServer, listenGrpc } from '../../../src/node/listener/grpc-server.ts';
import { Problem } from '../../../src/problem.ts';
import { GrpcClient, type Refusal, refusalOf } from '../../fakes/grpc-client.ts';

let server: GrpcServer | undefined;
let client: GrpcClient | undefined;

afterEach(async () => {
  client?.close();
  await server?.close();
});

/** A client of a face whose line cannot be walked. */
async function clientOf(door: Partial<Door>): Promise<GrpcClient> {
  const face = grpcFace({
    line: () => {
      throw new Error('no line');
    },
    listings: () => [],
    readiness: async () => [],
    clock: systemClock,
    errors: 'helpful',
    ...door,
  });
  server = await listenGrpc(
    grpcListener(face, () => {}),
    '127.0.0.1',
    0,
  );
  client = new GrpcClient(`http://127.0.0.1:${server.port}`);
  return client;
}

async function told(failure: unknown, door: Partial<Door> = {}): Promise<Refusal> {
  const line = (): never => {
    throw failure;
  };
  return refusalOf((await clientOf({ line, ...door })).sign({}));
}

describe('a failure', () => {
  test('that is a bug is INTERNAL; its text is for the operator', async () => {
    const bugs: unknown[] = [];
    const bug = new Error('the secret of the house');
    const refusal = await told(bug, { onBug: (cause) => bugs.push(cause) });
    expect(refusal).toMatchObject({ code: 13, message: 'internal error', retryAfter: undefined });
    expect(JSON.stringify(refusal)).not.toContain('secret');
    expect(bugs).toEqual([bug]);
  });

  test('of a backend is UNAVAILABLE, with the time to come back', async () => {
    const { details, ...refusal } = await told(new Problem('log_unavailable', { retryAfter: 2.1 }));
    expect(refusal).toEqual({ code: 14, message: 'Error entering certificate in CTL', retryAfter: '3' });
    expect(details).toEqual([
      expect.objectContaining({ reason: 'LOG_UNAVAILABLE', domain: 'mayfly' }),
      { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '3s' },
    ]);
  });

  test('says so in metadata when details are left out', async () => {
    const refusal = await told(new Problem('draining'), { errors: 'terse' });
    expect(refusal).toEqual({
      code: 14,
      message: 'The server is shutting down',
      details: [],
      retryAfter: '1',
    });
  });

  test.each([
    'plain',
    'x509: "ü@example.org" cannot be encoded as an IA5String',
    `100%; a, b & c = d? #1 + /x @y $z %41 ~ ! ' ( ) *`,
    'lines\nand\ttabs \u{1f98b}',
  ])('keeps its text: %j', async (message) => {
    expect((await told(new Problem('identity_unencodable', { message }))).message).toBe(message);
  });

  test('with half a character in its text is told all the same', async () => {
    expect(await told(new Problem('identity_unencodable', { message: 'a\ud800b' }))).toMatchObject({
      code: 3,
      message: 'a\ufffdb',
    });
  });
});

describe('health', () => {
  test('is SERVING when there is no reason against it', async () => {
    const caller = await clientOf({});
    expect((await caller.check()).status).toBe(Status.SERVING);
  });

  test.each(['draining', 'signer', 'authority', 'log'] as const)(
    'is NOT_SERVING for %s',
    async (component) => {
      const caller = await clientOf({ readiness: async () => [{ component, reason: 'for a test' }] });
      expect((await caller.check('dev.sigstore.fulcio.v2.CA')).status).toBe(Status.NOT_SERVING);
    },
  );
});
