// Trust settings: what clients are to trust beside an instance's own keys: those before, those next, those of a CA it replaces.

import type * as z from 'zod';
import { type Instant, instantOf } from '../clock.ts';
import { decodePem } from '../encoding/pem.ts';
import { holdsCertificates } from './certificates.ts';
import { defined, type Reader, readPem } from './trust-material.ts';
import type { trustSchema } from './trust-schema.ts';

export interface TrustSettings {
  readonly alsoTrusted?: AlsoTrusted;
}

export interface AlsoTrusted {
  readonly cas: readonly AlsoTrustedChain[];
  readonly timestamps: readonly AlsoTrustedChain[];
  readonly logs: readonly AlsoTrustedLog[];
}

export interface AlsoTrustedChain {
  /** PEM, what signs first, the root last. */
  readonly chain: string;
  readonly until?: Instant;
}

export interface AlsoTrustedLog {
  readonly url: string;
  /** PEM. */
  readonly publicKey: string;
  readonly from?: Instant;
  readonly until?: Instant;
}

export function readTrust(
  { 'also-trusted': given }: z.output<typeof trustSchema>,
  reader: Reader,
): TrustSettings {
  if (given === undefined) return {};
  const { findings } = reader;
  const chains = (name: 'cas' | 'timestamps'): readonly AlsoTrustedChain[] =>
    given[name].map(({ chain, until }, i) => {
      const at = ['also-trusted', name, i, 'chain'];
      const pem = readPem(chain, at, reader);
      if (pem !== undefined && !holdsCertificates(pem))
        findings.error(at, 'takes one or more certificates in PEM');
      return { chain: pem ?? '', ...time('until', until) };
    });
  const logs = given.logs.map(({ url, 'public-key': key, from, until }, i) => {
    const at = ['also-trusted', 'logs', i, 'public-key'];
    const publicKey = readPem(key, at, reader);
    if (publicKey !== undefined && !decodePem(publicKey).some(({ label }) => label === 'PUBLIC KEY'))
      findings.error(at, 'takes a PUBLIC KEY in PEM');
    return { url, publicKey: publicKey ?? '', ...time('from', from), ...time('until', until) };
  });
  return { alsoTrusted: { cas: chains('cas'), timestamps: chains('timestamps'), logs } };
}

function time<K extends string>(key: K, at: number | undefined): { readonly [k in K]?: Instant } {
  return defined(key, at === undefined ? undefined : instantOf(at));
}
