// World: an instance under test and the issuers that it trusts; the instance is known by its URL alone.

import { expect } from 'vitest';
import { stringify } from 'yaml';
import type { Answer } from '../fakes/client.ts';
import { type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import metadata from '../vectors/identity-ci-metadata.json' with { type: 'json' };
import { KINDS, type KindCase } from './kinds.ts';

export interface Started {
  /** Without a final slash. */
  readonly url: string;
  close(): Promise<void>;
}

/** What an operator says elsewhere than in the configuration file. */
export interface Operator {
  /** Opens the explain endpoint. */
  readonly explainBearer?: string;
  /** Names of issuers from which nothing is taken for now. */
  readonly frozen?: readonly string[];
}

/** Starts an instance with the text of a configuration file, on any free ports. */
export type Start = (configuration: string, operator?: Operator) => Promise<Started>;

export const TOKEN = 'There was an error processing the identity token';
export const UNPARSEABLE_KEY = 'The public key supplied in the request could not be parsed';
export const UNPARSEABLE_CSR = 'The certificate signing request could not be parsed';
export const INSECURE = 'The public key supplied in the request is insecure';
export const UNPROVEN = 'The signature supplied in the request could not be verified';

export const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
];

export class World {
  readonly url: string;
  readonly #issuers: ReadonlyMap<string, FakeIssuer>;
  readonly #close: () => Promise<void>;
  #people = 0;

  private constructor(url: string, issuers: ReadonlyMap<string, FakeIssuer>, close: () => Promise<void>) {
    this.url = url;
    this.#issuers = issuers;
    this.#close = close;
  }

  /** `settings` go over those of the configuration. */
  static async open(start: Start, settings: object = {}): Promise<World> {
    const people = await startIssuer({ path: '/people', alg: 'RS256', algorithms: ALGORITHMS });
    const issuers = new Map([['people', people]]);
    for (const name of ['bare', 'liar', 'slash/', 'unlisted/', 'meta/one', 'meta/two.three', 'sealed']) {
      issuers.set(
        name,
        await people.sibling(`/${name}`, name === 'bare' ? { alg: 'RS256', algorithms: null } : {}),
      );
    }
    for (const alg of ALGORITHMS.slice(1)) await people.addKey(alg, `people-${alg}`);
    await issuers.get('bare')?.addKey('ES256');
    const liar = issuers.get('liar');
    if (liar !== undefined) liar.document['issuer'] = people.url;
    for (const { title } of KINDS) {
      issuers.set(title, await people.sibling(`/${title.replaceAll(' ', '-')}`));
    }
    const started = await start(configurationOf(issuers, settings));
    return new World(started.url, issuers, async () => {
      await started.close();
      await people.close();
    });
  }

  issuer(name = 'people'): FakeIssuer {
    const found = this.#issuers.get(name);
    if (found === undefined) throw new Error(`no issuer ${name}`);
    return found;
  }

  /** Scheme, host and port of every issuer. */
  get host(): string {
    return new URL(this.issuer().url).origin;
  }

  /** Somebody who has not been here before. */
  person(): { readonly email: string; readonly email_verified: true } {
    this.#people += 1;
    return { email: `person-${this.#people}@example.org`, email_verified: true };
  }

  /** A good token of a new person. */
  token(claims: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const issuer = this.issuer();
    return issuer.sign({ ...this.person(), ...claims }, { key: issuer.keys[0] });
  }

  tokenOf({ title, claims }: KindCase): Promise<string> {
    return this.issuer(title).sign(claims);
  }

  close(): Promise<void> {
    return this.#close();
  }
}

/** Fulcio's form for Fulcio's kinds, the list form for the presets. */
function configurationOf(issuers: ReadonlyMap<string, FakeIssuer>, settings: object): string {
  const urlOf = (name: string): string => issuers.get(name)?.url ?? '';
  const email = (name: string): [string, object] => [
    urlOf(name),
    { 'issuer-url': urlOf(name), 'client-id': 'sigstore', type: 'email' },
  ];
  const kinds = KINDS.filter(({ form }) => form === 'fulcio').map(({ title, config }): [string, object] => [
    urlOf(title),
    { 'issuer-url': urlOf(title), 'client-id': 'sigstore', ...config },
  ]);
  const presets = KINDS.filter(({ form }) => form === 'list').map(({ title, config }) => ({
    name: title,
    'issuer-url': urlOf(title),
    audiences: ['sigstore'],
    ...config,
  }));
  return stringify({
    'rate-limits': { defaults: { 'failures-per-address': { burst: 100_000, count: 100_000, period: '1h' } } },
    'oidc-issuers': Object.fromEntries([
      ...['people', 'bare', 'liar', 'slash/'].map(email),
      [
        urlOf('unlisted/').slice(0, -1),
        { ...email('unlisted/')[1], 'issuer-url': urlOf('unlisted/').slice(0, -1) },
      ],
      ...kinds,
    ]),
    'meta-issuers': {
      [`${new URL(urlOf('people')).origin}/meta/*`]: { 'client-id': 'sigstore', type: 'email' },
    },
    'ci-issuer-metadata': metadata.named,
    ...settings,
    issuers: [
      ...presets,
      {
        name: 'sealed',
        'issuer-url': urlOf('sealed'),
        audiences: ['sigstore', 'other'],
        type: 'email',
        policy: { require: { team: ['signers', 'ops-*'] } },
      },
    ],
  });
}

export interface Refusal {
  readonly status?: number;
  readonly code?: number;
  readonly message: string | RegExp;
  /** Of the ErrorInfo among the details. */
  readonly reason?: string;
  readonly field?: string;
}

export interface ErrorBody {
  readonly code: number;
  readonly message: string;
  readonly details: readonly {
    readonly '@type': string;
    readonly reason?: string;
    readonly domain?: string;
    readonly metadata?: Readonly<Record<string, string>>;
  }[];
}

/** A google.rpc.Status as every route answers it; 400 and code 3 unless said otherwise. */
export function expectRefusal(
  answer: Answer,
  { status = 400, code = 3, message, reason, field }: Refusal,
): ErrorBody {
  const body = answer.json as ErrorBody;
  expect(answer.status, answer.text).toBe(status);
  expect(answer.headers['content-type']).toBe('application/json');
  expect(answer.headers['vary']).toContain('Origin');
  const members = [
    'code',
    'message',
    'details',
    ...(status === 429 ? ['type', 'title', 'violated-policies'] : []),
  ];
  expect(Object.keys(body)).toEqual(members);
  expect(body.code).toBe(code);
  if (typeof message === 'string') expect(body.message).toBe(message);
  else expect(body.message).toMatch(message);
  for (const detail of body.details) expect(detail['@type']).toMatch(/^type\.googleapis\.com\/google\.rpc\./);
  if (reason !== undefined) {
    const [info] = body.details;
    expect(info?.['@type']).toBe('type.googleapis.com/google.rpc.ErrorInfo');
    expect(info?.reason, answer.text).toBe(reason);
    if (field !== undefined) expect(info?.metadata?.['field']).toBe(field);
  }
  return body;
}
