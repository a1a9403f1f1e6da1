// OpenAPI operations: every route of the REST API, declared once; documents and tests are made of this.

import type { SchemaName } from './openapi-schemas.ts';

/** Which part of an instance brings a route with it; not every instance has each. */
export type Part =
  | 'issuing'
  | 'trust'
  | 'timestamp'
  | 'log'
  | 'submission'
  | 'explain'
  | 'health'
  | 'metrics';

/** What a body is: JSON of a schema, or another media type. */
export type Body = { readonly json: SchemaName } | { readonly type: string };

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly description: string;
  readonly schema: { readonly type: 'string' | 'integer'; readonly pattern?: string };
}

export interface Operation {
  readonly method: 'get' | 'post';
  readonly path: string;
  readonly part: Part;
  readonly id: string;
  readonly summary: string;
  readonly parameters?: readonly Parameter[];
  readonly request?: readonly Body[];
  /** By status. Those without a body here are google.rpc.Status. */
  readonly answers: Readonly<Record<number, Body | 'status'>>;
  /** Wants one of the operator's bearer tokens. */
  readonly bearer?: true;
}

const PEM = { type: 'application/pem-certificate-chain' };
const TIMESTAMP = { type: 'application/timestamp-reply' };
const ISSUING = { 400: 'status', 413: 'status', 429: 'status', 503: 'status' } as const;
const hash = { type: 'string' } as const;
const whole = { type: 'integer' } as const;

const query = (name: string, description: string, schema: Parameter['schema'] = whole): Parameter => ({
  name,
  in: 'query',
  description,
  schema,
});

export const OPERATIONS: readonly Operation[] = [
  {
    method: 'post',
    path: '/api/v2/signingCert',
    part: 'issuing',
    id: 'createSigningCertificate',
    summary: 'A certificate for a token and a public key.',
    request: [{ json: 'SigningRequest' }],
    answers: { 200: { json: 'SigningCertificate' }, ...ISSUING },
  },
  {
    method: 'post',
    path: '/api/v1/signingCert',
    part: 'issuing',
    id: 'createSigningCertificateV1',
    summary: 'The same in the older form: the token in the header Authorization, the answer a PEM chain.',
    request: [{ json: 'SigningRequestV1' }],
    answers: { 201: PEM, ...ISSUING },
  },
  {
    method: 'get',
    path: '/api/v2/trustBundle',
    part: 'issuing',
    id: 'getTrustBundle',
    summary: 'The chains that certificates are issued under.',
    answers: { 200: { json: 'TrustBundle' } },
  },
  {
    method: 'get',
    path: '/api/v2/configuration',
    part: 'issuing',
    id: 'getConfiguration',
    summary: 'The issuers whose tokens are taken.',
    answers: { 200: { json: 'Configuration' } },
  },
  {
    method: 'get',
    path: '/api/v1/rootCert',
    part: 'issuing',
    id: 'getRootCertificate',
    summary: 'The chain that certificates are issued under now, as PEM.',
    answers: { 200: PEM },
  },
  {
    method: 'post',
    path: '/api/v1/timestamp',
    part: 'timestamp',
    id: 'createTimestamp',
    summary: 'A timestamp (RFC 3161). To a query in DER a refusal is a reply as well, with 200.',
    request: [{ json: 'TimestampRequest' }, { type: 'application/timestamp-query' }],
    answers: { 200: TIMESTAMP, 400: 'status', 413: 'status', 415: 'status', 503: 'status' },
  },
  {
    method: 'get',
    path: '/api/v1/timestamp/certchain',
    part: 'timestamp',
    id: 'getTimestampChain',
    summary: 'The chain of the timestamp authority, as PEM.',
    answers: { 200: PEM },
  },
  {
    method: 'get',
    path: '/.well-known/mayfly/trusted_root.json',
    part: 'trust',
    id: 'getTrustedRoot',
    summary: "What a verifier trusts (Sigstore's TrustedRoot).",
    answers: { 200: { json: 'TrustedRoot' } },
  },
  {
    method: 'get',
    path: '/.well-known/mayfly/signing_config.json',
    part: 'trust',
    id: 'getSigningConfig',
    summary: "Where a signer goes (Sigstore's SigningConfig).",
    answers: { 200: { json: 'SigningConfig' } },
  },
  {
    method: 'get',
    path: '/.well-known/mayfly/client_trust_config.json',
    part: 'trust',
    id: 'getClientTrustConfig',
    summary: 'Both in one.',
    answers: { 200: { json: 'ClientTrustConfig' } },
  },
  {
    method: 'post',
    path: '/api/mayfly/v1/explain',
    part: 'explain',
    id: 'explainToken',
    summary: 'What would come of a token, step by step, without a certificate.',
    request: [{ json: 'ExplainRequest' }],
    answers: { 200: { json: 'Explanation' }, 400: 'status', 401: 'status', 413: 'status' },
    bearer: true,
  },
  {
    method: 'get',
    path: '/.well-known/mayfly/log.json',
    part: 'log',
    id: 'getLogDescription',
    summary: 'The log that takes entries, and those before it.',
    answers: { 200: { json: 'LogDescription' } },
  },
  {
    method: 'get',
    path: '/log/checkpoint',
    part: 'log',
    id: 'getCheckpoint',
    summary: 'The newest checkpoint (c2sp.org/tlog-checkpoint).',
    answers: { 200: { type: 'text/plain' } },
  },
  {
    method: 'get',
    path: '/log/tile/{level}/{index}',
    part: 'log',
    id: 'getTile',
    summary: 'A tile (c2sp.org/static-ct-api).',
    parameters: [
      {
        name: 'level',
        in: 'path',
        description: 'data, or 0 to 5.',
        schema: { type: 'string', pattern: '^(data|[0-5])$' },
      },
      {
        name: 'index',
        in: 'path',
        description: 'In groups of three digits with slashes, such as x001/234, and .p/W for a partial tile.',
        schema: { type: 'string' },
      },
    ],
    answers: { 200: { type: 'application/octet-stream' }, 404: 'status' },
  },
  {
    method: 'get',
    path: '/log/issuer/{fingerprint}',
    part: 'log',
    id: 'getIssuer',
    summary: 'A CA certificate of an entry, DER.',
    parameters: [
      {
        name: 'fingerprint',
        in: 'path',
        description: 'SHA-256 in hexadecimal.',
        schema: { type: 'string', pattern: '^[0-9a-f]{64}$' },
      },
    ],
    answers: { 200: { type: 'application/pkix-cert' }, 404: 'status' },
  },
  {
    method: 'get',
    path: '/log/log.v3.json',
    part: 'log',
    id: 'getLogListEntry',
    summary: "The log as an element of a CT log list's tiled_logs.",
    answers: { 200: { json: 'LogListEntry' } },
  },
  {
    method: 'get',
    path: '/log/ct/v1/get-sth',
    part: 'log',
    id: 'getSth',
    summary: 'The newest signed tree head (RFC 6962 section 4.3).',
    answers: { 200: { json: 'TreeHead' } },
  },
  {
    method: 'get',
    path: '/log/ct/v1/get-sth-consistency',
    part: 'log',
    id: 'getSthConsistency',
    summary: 'That one tree is the beginning of another (section 4.4).',
    parameters: [query('first', 'Size of the smaller tree.'), query('second', 'Size of the larger.')],
    answers: { 200: { json: 'Consistency' }, 400: 'status' },
  },
  {
    method: 'get',
    path: '/log/ct/v1/get-proof-by-hash',
    part: 'log',
    id: 'getProofByHash',
    summary: 'That an entry is in the tree (section 4.5).',
    parameters: [query('hash', 'Leaf hash in base64.', hash), query('tree_size', 'Size of the tree.')],
    answers: { 200: { json: 'InclusionProof' }, 400: 'status', 404: 'status' },
  },
  {
    method: 'get',
    path: '/log/ct/v1/get-entries',
    part: 'log',
    id: 'getEntries',
    summary: 'Entries, perhaps fewer than asked for (section 4.6).',
    parameters: [query('start', 'The first, from 0.'), query('end', 'The last.')],
    answers: { 200: { json: 'Entries' }, 400: 'status' },
  },
  {
    method: 'get',
    path: '/log/ct/v1/get-roots',
    part: 'log',
    id: 'getRoots',
    summary: 'The CAs whose precertificates are taken (section 4.7).',
    answers: { 200: { json: 'Roots' } },
  },
  {
    method: 'get',
    path: '/log/ct/v1/get-entry-and-proof',
    part: 'log',
    id: 'getEntryAndProof',
    summary: 'An entry, and that it is in the tree (section 4.8).',
    parameters: [query('leaf_index', 'From 0.'), query('tree_size', 'Size of the tree.')],
    answers: { 200: { json: 'EntryAndProof' }, 400: 'status' },
  },
  {
    method: 'post',
    path: '/log/ct/v1/add-pre-chain',
    part: 'submission',
    id: 'addPreChain',
    summary: 'Takes a precertificate of a configured CA into the log (section 4.2).',
    request: [{ json: 'PreChain' }],
    answers: { 200: { json: 'SignedTimestamp' }, 400: 'status', 401: 'status', 413: 'status', 503: 'status' },
    bearer: true,
  },
  {
    method: 'get',
    path: '/healthz',
    part: 'health',
    id: 'getLiveness',
    summary: 'Whether the process lives.',
    answers: { 200: { json: 'Liveness' } },
  },
  {
    method: 'get',
    path: '/readyz',
    part: 'health',
    id: 'getReadiness',
    summary: 'Whether it could do its work now, and if not, why.',
    answers: { 200: { json: 'Readiness' }, 503: { json: 'Unreadiness' } },
  },
  {
    method: 'get',
    path: '/openapi.json',
    part: 'health',
    id: 'getOpenApi',
    summary: 'This document.',
    answers: { 200: { type: 'application/json' } },
  },
  {
    method: 'get',
    path: '/metrics',
    part: 'metrics',
    id: 'getMetrics',
    summary: "What is true of the whole deployment, in Prometheus's text format.",
    answers: { 200: { type: 'text/plain' } },
  },
];
