// Front: a server before an instance, at another address, that may change the instance's answers.

import { Hono } from 'hono';
import { proxy } from 'hono/proxy';
import type { TestInstance } from '../../src/node/library.ts';
import { listen } from '../../src/node/listener/http-server.ts';
import type { FakeRekor } from './rekor.ts';

export interface Front {
  readonly url: string;
  /** `METHOD path` of each request, in order. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/** `change` gives another answer, or undefined for the instance's own. */
export async function startFront(
  { url: target }: TestInstance,
  change: (path: string) => Response | undefined | Promise<Response | undefined> = () => undefined,
): Promise<Front> {
  const requests: string[] = [];
  const app = new Hono();
  app.all('*', async ({ req }) => {
    requests.push(`${req.method} ${req.path}`);
    return (await change(req.path)) ?? proxy(target + req.path, req);
  });
  const server = await listen(app.fetch, '127.0.0.1', 0);
  return { url: `http://127.0.0.1:${server.port}`, requests, close: () => server.close() };
}

/** The instance with a signature log in its trust documents. */
export function withRekor(
  { signingConfig, trustedRoot }: TestInstance,
  rekor: FakeRekor,
): (path: string) => Response | undefined {
  return (path) => {
    switch (path) {
      case '/.well-known/mayfly/signing_config.json':
        return Response.json({
          ...signingConfig,
          rekorTlogUrls: [rekor.service],
          rekorTlogConfig: { selector: 'ANY' },
        });
      case '/.well-known/mayfly/trusted_root.json':
        return Response.json({ ...trustedRoot, tlogs: [rekor.trusted] });
      default:
        return undefined;
    }
  };
}
