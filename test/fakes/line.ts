// Line: the parts of an issuance wired without a server, at any time of the world, with tokens of issuers of its own.

import { stringify } from 'yaml';
import { BucketKeys } from '../../src/admission/bucket-key.ts';
import { FailedProofs } from '../../src/admission/failures.ts';
import { Limits } from '../../src/admission/limit.ts';
import type { Authority } from '../../src/certificate/authority.ts';
import { compileProfile } from '../../src/certificate/profile.ts';
import { type Clock, instantOf } from '../../src/clock.ts';
import { parseSettings } from '../../src/config/settings.ts';
import type { Line } from '../../src/issuance.ts';
import { AlgorithmAllowList } from '../../src/key/algorithm.ts';
import type { OpenLog } from '../../src/log/open-log.ts';
import type { ExistingCa } from '../../src/node/keys/authority-files.ts';
import { ephemeralInstance } from '../../src/node/keys/instance.ts';
import { openMemoryLog } from '../../src/node/log/file-log.ts';
import { sha256 } from '../../src/node/system/native-digest.ts';
import { nativeRandom as random } from '../../src/node/system/native-random.ts';
import { nativeVerifier as verifier } from '../../src/node/system/native-verifier.ts';
import { IssuerDirectory } from '../../src/token/issuer.ts';
import { IssuerKeys } from '../../src/token/issuer-keys.ts';
import { KINDS } from './instance.ts';
import { newSigningKey, signToken } from './issuer.ts';

/** What is not reached: every key set of a line stands in its configuration. */
const noFetcher = {
  get: (): never => {
    throw new Error('nothing is fetched here');
  },
};

export interface LineOptions {
  /** Milliseconds since the epoch; what the clock shows, for good. */
  readonly now: number;
  /** Entries of Fulcio's `oidc-issuers` by URL, without `issuer-url`, `client-id` and keys. */
  readonly issuers: Readonly<Record<string, object>>;
  readonly metadata?: Readonly<Record<string, object>>;
  readonly ca?: ExistingCa;
}

export interface TestLine {
  readonly line: Line;
  readonly log: OpenLog;
  readonly authority: Authority;
  readonly clock: Clock;
  /** DER of the log's public key. */
  readonly logKey: Uint8Array;
  token(issuer: string, claims: Readonly<Record<string, unknown>>): Promise<string>;
}

export async function openLine({ now, issuers, metadata = {}, ca }: LineOptions): Promise<TestLine> {
  const clock: Clock = { now: () => instantOf(now) };
  const key = await newSigningKey('EdDSA');
  const entries = Object.entries(issuers).map(([url, entry]): [string, object] => [
    url,
    { 'issuer-url': url, 'client-id': 'sigstore', jwks: { keys: [key.jwk] }, ...entry },
  ]);
  const text = stringify(
    { 'oidc-issuers': Object.fromEntries(entries), 'ci-issuer-metadata': metadata },
    { aliasDuplicateObjects: false },
  );
  const { settings } = parseSettings(text, { fileName: 'the test', kinds: KINDS });
  const instance = await ephemeralInstance({
    kind: 'serve',
    clock,
    random,
    sha256,
    verifier,
    ...(ca !== undefined && { ca }),
  });
  const { authority, logSigner, noteSigner } = instance;
  const log = await openMemoryLog({
    origin: 'log.example.com/test',
    signer: logSigner,
    cosigner: noteSigner,
    clock,
  });
  const limits = new Limits(settings.limits.defaults, settings.limits.overrides);
  const line: Line = {
    trust: {
      issuers: new IssuerDirectory(settings.issuers.map(({ issuer }) => issuer)),
      providers: new Map(settings.issuers.map(({ issuer, provider }) => [issuer, provider])),
      policies: new Map(),
    },
    keysets: new IssuerKeys({ fetcher: noFetcher, clock }),
    keyPolicy: { allowed: AlgorithmAllowList.parse(settings.clientSigningAlgorithms), verifier, sha256 },
    failedProofs: new FailedProofs(limits, new BucketKeys(sha256)),
    admitter: undefined,
    authority,
    profile: compileProfile(authority),
    log: log.log,
    random,
    audit: { record: () => {} },
  };
  return {
    line,
    log,
    authority,
    clock,
    logKey: logSigner.publicKey,
    token: (issuer, claims) =>
      signToken({ iss: issuer, aud: 'sigstore', exp: Math.floor(now / 1000) + 300, ...claims }, key),
  };
}
