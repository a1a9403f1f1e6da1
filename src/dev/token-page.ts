// Token page: where a person picks a shape, changes its claims, and takes a token.

import { html } from 'hono/html';
import { type DevShape, SHAPES } from './shape.ts';

type Html = ReturnType<typeof html>;

/** With a token, the form that made it stays filled in. */
export function tokenPage(made?: DevShape, claims?: string, jwt?: string): Html {
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Mayfly dev tokens</title>
    <style>
      :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
      body { max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
      textarea, pre { width: 100%; box-sizing: border-box; font: 13px/1.4 ui-monospace, monospace; }
      pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: 1rem; border: 1px solid; border-radius: 4px; }
      details { margin: 0.5rem 0; padding: 0.5rem 1rem; border: 1px solid color-mix(in srgb, currentcolor 30%, transparent); border-radius: 4px; }
      button { font: inherit; padding: 0.3rem 1rem; }
    </style>
  </head>
  <body>
    <h1>Mayfly dev tokens</h1>
    <p>This issuer signs whatever you ask for. It listens on loopback only and is never part of <code>mayfly serve</code>.</p>
    ${jwt === undefined ? '' : html`<h2>Your token, good for ten minutes</h2><pre>${jwt}</pre>`}
    ${Object.entries(SHAPES).map(
      ([name, shape]) => html`<details ${made === name || made === undefined ? 'open' : ''}>
      <summary>${shape.title}</summary>
      <form method="post" action="/${name}/token">
        <label>Claims
          <textarea name="claims" rows="8" spellcheck="false">${made === name && claims !== undefined ? claims : JSON.stringify(shape.claims, null, 2)}</textarea>
        </label>
        <button>Make a token</button>
      </form>
    </details>`,
    )}
  </body>
</html>`;
}
