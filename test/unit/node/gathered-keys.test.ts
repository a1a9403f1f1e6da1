// Gathered keys: who asks during one turn is answered at its end, and each with what was asked for.

import { setImmediate as endOfTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { instantOf } from '../../../src/clock.ts';
import { gatheredKeys } from '../../../src/node/gathered-keys.ts';
import { Problem } from '../../../src/problem.ts';
import type { Issuer } from '../../../src/token/issuer.ts';
import type { CachedKeySets, CandidateKeys, KeyRequest } from '../../../src/token/keyset.ts';

const issuer: Issuer = { name: 'one', url: 'https://one.example', wildcard: false, audiences: ['sigstore'] };
const request = (kid: string): KeyRequest => ({
  issuer,
  iss: issuer.url,
  alg: 'RS256',
  kid,
  now: instantOf(0),
});
const none: CandidateKeys = { keys: [], algorithms: ['RS256'] };

class Source implements CachedKeySets {
  readonly asked: string[] = [];
  candidates({ kid }: KeyRequest, failed?: CandidateKeys): Promise<CandidateKeys> {
    this.asked.push(`${kid} ${failed === none ? 'again' : 'first'}`);
    return Promise.resolve(failed ?? none);
  }
  cachedOnly(refuse: () => Problem): { candidates(request: KeyRequest): Promise<CandidateKeys> } {
    return { candidates: () => Promise.reject(refuse()) };
  }
}

test('all who ask during one turn are answered together at its end', async () => {
  const source = new Source();
  const keys = gatheredKeys(source);
  const first = keys.candidates(request('a'));
  await Promise.resolve();
  const second = keys.candidates(request('b'), none);
  expect(source.asked).toEqual([]);
  await endOfTurn();
  expect(source.asked).toEqual(['a first', 'b again']);
  expect(await Promise.all([first, second])).toEqual([none, none]);
});

test('each turn has an end of its own', async () => {
  const source = new Source();
  const keys = gatheredKeys(source);
  await keys.candidates(request('a'));
  const later = keys.candidates(request('b'));
  expect(source.asked).toEqual(['a first']);
  await later;
  expect(source.asked).toEqual(['a first', 'b first']);
});

test('where nothing may be fetched, the refusal arrives', async () => {
  const refusal = new Problem('rate_limited');
  const keys = gatheredKeys(new Source()).cachedOnly(() => refusal);
  await expect(keys.candidates(request('a'))).rejects.toBe(refusal);
});
