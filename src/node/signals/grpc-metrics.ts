// gRPC metrics: calls by method and outcome, under the names that gRPC servers commonly use.

import { Counter, Histogram, type Registry } from 'prom-client';
import { CA } from '../../grpc/generated/dev/sigstore/fulcio/v2/ca_pb.ts';
import { Health } from '../../grpc/generated/grpc/health/v1/health_pb.ts';
import type { CallObserver, GrpcMethod } from '../../http/app.ts';

const METHOD = ['grpc_type', 'grpc_service', 'grpc_method'] as const;

/** One message in and one out for each call that ends well: all methods are unary. */
export function grpcMetrics(registry: Registry): CallObserver {
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
    new Counter({ registers: [registry], name, help, labelNames: [...labelNames] });
  const started = counter('grpc_server_started_total', 'RPCs that began, by method.', METHOD);
  const handled = counter('grpc_server_handled_total', 'RPCs that ended, by method and code.', [
    ...METHOD,
    'grpc_code',
  ]);
  const received = counter('grpc_server_msg_received_total', 'Messages received, by method.', METHOD);
  const sent = counter('grpc_server_msg_sent_total', 'Messages sent, by method.', METHOD);
  const seconds = new Histogram({
    registers: [registry],
    name: 'grpc_server_handling_seconds',
    help: 'From the start to the end of RPCs, by method.',
    labelNames: [...METHOD],
  });
  for (const { typeName: service, methods } of [CA, Health])
    for (const { name: method } of methods) {
      for (const each of [started, received, sent]) each.inc(labelsOf({ service, method }), 0);
      seconds.zero(labelsOf({ service, method }));
    }
  return {
    started(method) {
      started.inc(labelsOf(method));
      received.inc(labelsOf(method));
    },
    handled(method, code, milliseconds) {
      const labels = labelsOf(method);
      handled.inc({ ...labels, grpc_code: code });
      seconds.observe(labels, milliseconds / 1000);
      if (code === 'OK') sent.inc(labels);
    },
  };
}

/** Both are ours: a call to anything else never gets here. */
function labelsOf({ service, method }: GrpcMethod): Record<(typeof METHOD)[number], string> {
  return { grpc_type: 'unary', grpc_service: service, grpc_method: method };
}
