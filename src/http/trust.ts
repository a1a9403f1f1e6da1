// Trust face: the documents from which a client configures itself, given one URL.

import { Hono } from 'hono';
import { Problem } from '../problem.ts';
import { clientTrustConfig } from '../trust/client-trust-config.ts';
import type { TrustMaterial } from '../trust/material.ts';
import { signingConfig } from '../trust/signing-config.ts';
import { trustedRoot } from '../trust/trusted-root.ts';
import { type ErrorDetail, failureResponse, problemOf } from './failure.ts';

const DOCUMENTS = {
  'trusted_root.json': trustedRoot,
  'signing_config.json': signingConfig,
  'client_trust_config.json': clientTrustConfig,
} as const satisfies Record<string, (material: TrustMaterial) => object>;

/** Short, as a client must hear of a new key before it meets the key's first signature. */
const HEADERS = { 'content-type': 'application/json', 'cache-control': 'public, max-age=60' };

export interface TrustDoor {
  /** Asked for each request; the same object as long as nothing has changed. */
  material(): TrustMaterial;
  readonly errors: ErrorDetail;
  /** Told of everything that ended as 500. */
  onBug?(cause: unknown): void;
}

/** `GET /.well-known/mayfly/trusted_root.json`, `signing_config.json` and `client_trust_config.json`. */
export function trustRoutes(door: TrustDoor): Hono {
  const app = new Hono();
  app.onError((failure) => {
    const problem = problemOf(failure);
    if (problem.code === 'internal') door.onBug?.(problem.cause);
    return failureResponse(problem, door.errors);
  });
  for (const [name, document] of Object.entries(DOCUMENTS)) {
    const path = `/.well-known/mayfly/${name}`;
    const text = once((current) => `${JSON.stringify(document(current), undefined, 2)}\n`);
    app.get(path, () => new Response(text(door.material()), { headers: HEADERS }));
    app.all(path, () => failureResponse(new Problem('method_not_allowed'), door.errors, { allow: 'GET' }));
  }
  return app;
}

/** Keeps the text for the newest material. */
function once(write: (material: TrustMaterial) => string): (material: TrustMaterial) => string {
  let last: { readonly material: TrustMaterial; readonly text: string } | undefined;
  return (material) => {
    if (last?.material !== material) last = { material, text: write(material) };
    return last.text;
  };
}
