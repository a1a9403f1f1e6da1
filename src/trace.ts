// Trace: where the time of one request goes, for whoever collects that; where nobody does, a request has none.

/** The steps of an issuance that a trace tells apart. */
export type SpanName = 'oidc.verify' | 'policy' | 'bind' | 'ratelimit' | 'sign' | 'log.append';

export interface Trace {
  /** Times `work`, to the end of its promise if it returns one, and passes on what comes of it. */
  span<T>(name: SpanName, work: () => T): T;
  /** The request is over. */
  end(request: TracedRequest): void;
}

/** What a request was, which is known only once it was answered. */
export interface TracedRequest {
  readonly name: string;
  /** Nothing that only a client or its token could have said. */
  readonly attributes: Readonly<Record<string, string | number>>;
  /** Whether that was our side's fault. */
  readonly failed: boolean;
}

/** `work`, timed where there is a trace; where there is none that costs one look. */
export function traced<T>(trace: Trace | undefined, name: SpanName, work: () => T): T {
  return trace === undefined ? work() : trace.span(name, work);
}
