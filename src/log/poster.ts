// Poster: the port through which another log is asked: one POST, within limits of time and size.

export interface Posted {
  readonly status: number;
  readonly body: Uint8Array;
  /** Value of Retry-After, when there was one. */
  readonly retryAfter: string | undefined;
}

export interface PostOptions {
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly bearer?: string | undefined;
  /** application/json unless set. */
  readonly contentType?: string | undefined;
  /** Gives up early. */
  readonly signal?: AbortSignal | undefined;
}

export interface Poster {
  /** Rejects when there was no whole answer of at most `maxBytes` in time. Follows no redirects. */
  post(url: string, body: string, options: PostOptions): Promise<Posted>;
}
