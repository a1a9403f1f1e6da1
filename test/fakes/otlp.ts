// OTLP: a real collector's door on the loopback: takes traces over HTTP in JSON, and can be told to misbehave.

import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span as opentelemetry-proto has it in JSON, with its attributes as a map. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  /** 1 INTERNAL, 2 SERVER. */
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** code 2: ERROR. */
  readonly status: { readonly code?: number; readonly message?: string };
  readonly events?: readonly unknown[];
}

export interface Collector {
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** Attributes of the resource that sent last. */
  readonly resource: Readonly<Record<string, unknown>>;
  /** Bodies as they came. */
  readonly bodies: readonly string[];
  readonly headers: readonly IncomingHttpHeaders[];
  behave(behaviour: Behaviour): void;
  close(): Promise<void>;
}

export type Behaviour = 'take' | 'hang' | { readonly status: number };

export async function startCollector(): Promise<Collector> {
  const spans: ReceivedSpan[] = [];
  const bodies: string[] = [];
  const headers: IncomingHttpHeaders[] = [];
  let resource: Readonly<Record<string, unknown>> = {};
  let behaviour: Behaviour = 'take';
  const take = (text: string, response: ServerResponse): void => {
    bodies.push(text);
    for (const group of (JSON.parse(text) as ExportRequest).resourceSpans) {
      resource = mapOf(group.resource.attributes);
      for (const { spans: list } of group.scopeSpans)
        for (const span of list) spans.push({ ...span, attributes: mapOf(span.attributes) });
    }
    response.setHeader('content-type', 'application/json').end('{"partialSuccess":{}}');
  };
  const server = createServer((request, response) => {
    headers.push(request.headers);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const isExport = request.method === 'POST' && request.url === '/v1/traces';
      if (behaviour === 'hang') return;
      if (behaviour !== 'take') response.writeHead(behaviour.status).end();
      else if (!isExport || request.headers['content-type'] !== 'application/json')
        response.writeHead(404).end();
      else take(Buffer.concat(chunks).toString(), response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    bodies,
    headers,
    get resource() {
      return resource;
    },
    behave(next) {
      behaviour = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** ExportTraceServiceRequest. */
interface ExportRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly (Omit<ReceivedSpan, 'attributes'> & {
        readonly attributes: readonly KeyValue[];
      })[];
    }[];
  }[];
}

interface KeyValue {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

function mapOf(list: readonly KeyValue[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]));
}
