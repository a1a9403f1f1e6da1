import { describe, expect, test } from 'vitest';
import {
  ALGORITHM_NAMES,
  AlgorithmAllowList,
  DEFAULT_ALGORITHMS,
  type HashName,
  UnknownAlgorithm,
} from '../../../src/key/algorithm.ts';
import { parsePublicKey } from '../../../src/key/public-key.ts';
import { type Kind, pemOf } from '../../vectors/key-pairs.ts';
import { hintOf, problemOf } from '../../vectors/key-problem.ts';

const HASHES = ['SHA-256', 'SHA-384', 'SHA-512', undefined] as const;
const KINDS = ['P-256', 'P-384', 'P-521', 'RSA-2048', 'RSA-3072', 'RSA-4096', 'Ed25519'] as const;

const permits = async (list: AlgorithmAllowList, kind: Kind, hash: HashName | undefined): Promise<boolean> =>
  (await problemOf(() => list.requirePermitted(parsePublicKey(pemOf(kind)), hash))) === undefined;

async function permittedBy(names: readonly string[]): Promise<string[]> {
  const list = AlgorithmAllowList.parse(names);
  const found: string[] = [];
  for (const kind of KINDS)
    for (const hash of HASHES) if (await permits(list, kind, hash)) found.push(`${kind} ${hash ?? 'pure'}`);
  return found;
}

test('the defaults permit each kind of key with one hash', async () => {
  expect(await permittedBy(DEFAULT_ALGORITHMS)).toEqual([
    'P-256 SHA-256',
    'P-384 SHA-384',
    'P-521 SHA-512',
    'RSA-2048 SHA-256',
    'RSA-3072 SHA-256',
    'RSA-4096 SHA-256',
    'Ed25519 pure',
  ]);
});

test.each([
  ['ecdsa-sha2-256-nistp256', 'P-256 SHA-256'],
  ['ecdsa-sha2-384-nistp384', 'P-384 SHA-384'],
  ['ecdsa-sha2-512-nistp521', 'P-521 SHA-512'],
  ['ecdsa-sha2-256-nistp384', 'P-384 SHA-256'],
  ['ecdsa-sha2-256-nistp521', 'P-521 SHA-256'],
  ['rsa-sign-pkcs1-2048-sha256', 'RSA-2048 SHA-256'],
  ['rsa-sign-pkcs1-3072-sha256', 'RSA-3072 SHA-256'],
  ['rsa-sign-pkcs1-4096-sha256', 'RSA-4096 SHA-256'],
  ['rsa-sign-pss-2048-sha256', 'RSA-2048 SHA-256'],
  ['rsa-sign-pss-3072-sha256', 'RSA-3072 SHA-256'],
  ['rsa-sign-pss-4096-sha256', 'RSA-4096 SHA-256'],
  ['ed25519', 'Ed25519 pure'],
  ['ed25519-ph', 'Ed25519 SHA-512'],
])('%s permits %s and nothing else', async (name, permitted) => {
  expect(await permittedBy([name])).toEqual([permitted]);
});

test('the names above are all there are', () => {
  expect(ALGORITHM_NAMES).toHaveLength(13);
  expect(AlgorithmAllowList.parse(ALGORITHM_NAMES).names).toEqual(ALGORITHM_NAMES);
});

describe('a name that is none', () => {
  test.each(['ECDSA-SHA2-256-NISTP256', 'rsa', '', ' ed25519', 'constructor', '__proto__'])(
    '%j is refused with the names there are',
    (name) => {
      const parse = (): unknown => AlgorithmAllowList.parse(['ed25519', name]);
      expect(parse).toThrow(UnknownAlgorithm);
      expect(parse).toThrow(`"${name}"`);
      for (const legal of ALGORITHM_NAMES) expect(parse).toThrow(legal);
    },
  );

  test('all of them are named at once', () => {
    expect(() => AlgorithmAllowList.parse(['a', 'ed25519', 'b'])).toThrow(
      expect.objectContaining({ code: 'algorithm_unknown', unknown: ['a', 'b'] }),
    );
  });
});

describe('a refusal', () => {
  const none = AlgorithmAllowList.parse(['ed25519-ph']);

  test.each([
    ['P-256', 'SHA-384', 'signing algorithm not permitted: *ecdsa.PublicKey, SHA-384'],
    ['P-384', 'SHA-256', 'signing algorithm not permitted: *ecdsa.PublicKey, SHA-256'],
    ['RSA-2048', 'SHA-512', 'signing algorithm not permitted: *rsa.PublicKey, SHA-512'],
    ['Ed25519', undefined, 'signing algorithm not permitted: ed25519.PublicKey, unknown hash value 0'],
  ] as const)('of %s with %s reads as with Fulcio', async (kind, hash, message) => {
    const key = parsePublicKey(pemOf(kind));
    expect(await problemOf(() => none.requirePermitted(key, hash))).toEqual([
      'algorithm_not_permitted',
      message,
    ]);
  });

  test('tells what is permitted', () => {
    expect(hintOf(() => none.requirePermitted(parsePublicKey(pemOf('P-256')), 'SHA-256'))).toContain(
      'ed25519-ph',
    );
  });
});
