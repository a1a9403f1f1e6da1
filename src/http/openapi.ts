// GET /openapi.json: the REST API of an instance as an OpenAPI 3.1 document, made of its operations and schemas.

import { Hono } from 'hono';
import { Problem } from '../problem.ts';
import { VERSION } from '../version.ts';
import { failureResponse } from './failure.ts';
import { type Body, OPERATIONS, type Operation, type Part } from './openapi-operations.ts';
import { reference, SCHEMAS, type Schema } from './openapi-schemas.ts';

export const OPENAPI_PATH = '/openapi.json';

export interface ApiOptions {
  /** Where clients reach the API, without a final slash. */
  readonly url: string;
  /** What the instance has beside health. */
  readonly parts: readonly Exclude<Part, 'health'>[];
}

/** Of the instance: routes that it does not have are not in it. */
export function openApiDocument({ url, parts }: ApiOptions): object {
  const known: readonly Part[] = [...parts, 'health'];
  const operations = OPERATIONS.filter(({ part }) => known.includes(part));
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of operations)
    paths[operation.path] = { ...paths[operation.path], [operation.method]: documented(operation) };
  return {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'Mayfly',
      version: VERSION,
      summary: 'A short-lived certificate authority with its transparency log.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url }],
    paths,
    components: {
      schemas: SCHEMAS,
      securitySchemes: { operator: { type: 'http', scheme: 'bearer' } },
      headers: {
        'X-Request-Id': {
          description: 'Of this request, also in the lines of the instance.',
          schema: { type: 'string' },
        },
        'Retry-After': { description: 'Seconds.', schema: { type: 'integer' } },
      },
    },
  };
}

export function openApiRoutes(options: ApiOptions): Hono {
  let text: string | undefined;
  const app = new Hono();
  app.get(OPENAPI_PATH, () => {
    text ??= JSON.stringify(openApiDocument(options));
    return new Response(text, {
      headers: { 'content-type': 'application/json', 'cache-control': 'public, max-age=60' },
    });
  });
  app.all(OPENAPI_PATH, () => failureResponse(new Problem('method_not_allowed'), 'terse', { allow: 'GET' }));
  return app;
}

function documented(operation: Operation): object {
  const { id, part, summary, parameters, request, answers, bearer } = operation;
  return {
    operationId: id,
    tags: [part],
    summary,
    ...(parameters !== undefined && {
      parameters: parameters.map((one) => ({ ...one, required: true })),
    }),
    ...(request !== undefined && { requestBody: { required: true, content: contentOf(request) } }),
    responses: Object.fromEntries(
      Object.entries(answers).map(([status, body]) => [status, answered(status, body)]),
    ),
    ...(bearer === true && { security: [{ operator: [] }] }),
  };
}

const HEADERS = { 'X-Request-Id': { $ref: '#/components/headers/X-Request-Id' } };
const WAIT = { 'Retry-After': { $ref: '#/components/headers/Retry-After' } };

function answered(status: string, body: Body | 'status'): object {
  const content = body === 'status' ? contentOf([{ json: 'Status' }]) : contentOf([body]);
  const waits = status === '429' || status === '503';
  return {
    description: DESCRIPTIONS[status] ?? 'As asked.',
    headers: { ...HEADERS, ...(waits && WAIT) },
    content,
  };
}

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  '400': 'Refused: the reason says why, and a detail what would be accepted.',
  '401': 'A bearer token is wanted.',
  '404': 'Not there.',
  '413': 'Too large.',
  '415': 'Another media type is wanted.',
  '429': 'A rate limit is used up.',
  '503': 'Not now.',
};

function contentOf(bodies: readonly Body[]): Readonly<Record<string, { readonly schema?: Schema }>> {
  return Object.fromEntries(
    bodies.map((body) =>
      'json' in body ? ['application/json', { schema: reference(body.json) }] : [body.type, {}],
    ),
  );
}
