// Health: grpc.health.v1, which says what /readyz says.

import type { ServiceImpl } from '@connectrpc/connect';
import type { Door } from '../http/app.ts';
import type { Health } from './generated/grpc/health/v1/health_pb.ts';
import { HealthCheckResponse_ServingStatus as Status } from './generated/grpc/health/v1/health_pb.ts';

/**
 * Check is NOT_SERVING while the instance drains or could not issue: gRPC clients and load balancers ask it where to send
 * calls, so its answer is readiness. Whether the process lives is what /healthz is for. Any service name gets the same
 * answer, as Fulcio's clients may ask for any. List and Watch are unimplemented, there and here.
 */
export function health(door: Pick<Door, 'readiness'>): Partial<ServiceImpl<typeof Health>> {
  return {
    check: async () => ({
      status: (await door.readiness()).length === 0 ? Status.SERVING : Status.NOT_SERVING,
    }),
  };
}
