// Whatever a client sends as key, request or signature ends in a verdict or a Problem, and the verdict is node:crypto's.

import { createPublicKey, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { equal, hex } from '../../src/encoding/bytes.ts';
import { decodePem, encodePem } from '../../src/encoding/pem.ts';
import { ALGORITHM_NAMES, AlgorithmAllowList } from '../../src/key/algorithm.ts';
import { parseSigningRequest } from '../../src/key/csr.ts';
import { eitherToDer, toDer, toP1363 } from '../../src/key/ecdsa-signature.ts';
import { type KeyProof, verifyPossession } from '../../src/key/possession.ts';
import { type PublicKey, parsePublicKey } from '../../src/key/public-key.ts';
import { requireStrong } from '../../src/key/strength.ts';
import { nativeVerifier } from '../../src/node/system/native-verifier.ts';
import { Problem } from '../../src/problem.ts';
import { webCryptoVerifier } from '../../src/web/webcrypto-verifier.ts';
import { signingRequest } from '../fakes/signing-request.ts';
import { type Kind, keyPair, signWith, spkiOf } from '../vectors/key-pairs.ts';

const KINDS = [
  'P-256',
  'P-384',
  'P-521',
  'RSA-2048',
  'Ed25519',
  'P-224',
  'X25519',
  'Ed448',
  'secp256k1',
  'DSA',
] as const;
const everything = AlgorithmAllowList.parse(ALGORITHM_NAMES);

/** What `act` gives; undefined for a Problem. Any other error fails the property. */
function orProblem<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (failure) {
    if (failure instanceof Problem) return undefined;
    throw failure;
  }
}

const settled = (proof: KeyProof): Promise<PublicKey | undefined> =>
  verifyPossession(proof, 'challenge', nativeVerifier, everything).catch((failure) => {
    if (failure instanceof Problem) return undefined;
    throw failure;
  });

type Edit = { readonly kind: 'set' | 'insert' | 'remove'; readonly at: number; readonly byte: number };

/** A few edits, more of them near the front, where tags and lengths are. */
const edits: fc.Arbitrary<readonly Edit[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('set', 'insert', 'remove'),
    at: fc.oneof({ weight: 2, arbitrary: fc.nat(48) }, fc.nat(1000)),
    byte: fc.oneof(fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 0x30, 0x7f, 0x80, 0x81, 0xff), fc.nat(255)),
  }),
  { minLength: 1, maxLength: 4 },
);

function edited(original: Uint8Array, list: readonly Edit[]): Uint8Array<ArrayBuffer> {
  const out = [...original];
  for (const { kind, at, byte } of list) {
    const index = at % Math.max(1, out.length);
    if (kind === 'set') out[index] = byte;
    else if (kind === 'insert') out.splice(index, 0, byte);
    else out.splice(index, 1);
  }
  return Uint8Array.from(out);
}

describe('a public key', () => {
  test('of arbitrary bytes or text ends in a key or a Problem', () => {
    const label = fc.constantFrom('PUBLIC KEY', 'RSA PUBLIC KEY', 'EC PUBLIC KEY');
    const block = fc
      .tuple(label, fc.uint8Array({ maxLength: 600 }))
      .map(([name, der]) => encodePem(name, der));
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 600 }), fc.string({ unit: 'binary' }), block),
        (content) => {
          const key = orProblem(() => parsePublicKey(content));
          if (key !== undefined) orProblem(() => requireStrong(key));
        },
      ),
    );
  });

  test('that was edited is refused, or is one that node:crypto reads alike', () => {
    fc.assert(
      fc.property(fc.constantFrom(...KINDS), edits, (kind, list) => {
        const der = edited(spkiOf(kind), list);
        const key = orProblem(() => parsePublicKey(der));
        if (key === undefined) return;
        orProblem(() => requireStrong(key));
        expect(key.spki).toEqual(der);
        const theirs = createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
        expect(new Uint8Array(theirs.export({ format: 'der', type: 'spki' }))).toEqual(der);
        const { x, y, n, e } = theirs.export({ format: 'jwk' });
        const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
        if (key.type === 'rsa') expect([text(key.modulus), text(key.exponent)]).toEqual([n, e]);
        else if (key.type === 'ed25519') expect(text(key.point)).toBe(x);
        else
          expect(hex(key.point)).toBe(
            `04${[x, y].map((c) => hex(Buffer.from(c ?? '', 'base64url'))).join('')}`,
          );
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a certification request', () => {
  const requests = (['P-256', 'RSA-2048', 'Ed25519'] as const).map((kind) => {
    const [block] = decodePem(signingRequest(kind));
    if (block === undefined) throw new Error('no request');
    return { kind, der: block.der };
  });

  test('of arbitrary bytes ends in a Problem', () => {
    const block = fc
      .uint8Array({ maxLength: 600 })
      .map((der) => Buffer.from(encodePem('CERTIFICATE REQUEST', der)));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 600 }), block), (content) => {
        expect(orProblem(() => parseSigningRequest(content))).toBeUndefined();
      }),
    );
  });

  test('that was edited proves nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...requests), edits, async ({ der }, list) => {
        const changed = edited(der, list);
        fc.pre(!equal(changed, der));
        const request = orProblem(() =>
          parseSigningRequest(Buffer.from(encodePem('CERTIFICATE REQUEST', changed))),
        );
        if (request !== undefined) expect(await settled({ kind: 'csr', request })).toBeUndefined();
      }),
      { numRuns: 1000 },
    );
  });

  test('that was not edited proves its key', async () => {
    for (const { kind, der } of requests) {
      const request = parseSigningRequest(Buffer.from(encodePem('CERTIFICATE REQUEST', der)));
      expect((await settled({ kind: 'csr', request }))?.spki).toEqual(spkiOf(kind));
    }
  });
});

describe('an ECDSA signature', () => {
  const half = fc.integer({ min: 1, max: 66 });
  const raw = half.chain((size) => fc.uint8Array({ minLength: 2 * size, maxLength: 2 * size }));

  test('comes back from DER as it was', () => {
    fc.assert(
      fc.property(raw, (pair) => {
        expect(toP1363(toDer(pair), pair.length / 2)).toEqual(pair);
      }),
    );
  });

  test('has one DER form, which stays as it is', () => {
    fc.assert(
      fc.property(raw, fc.nat(5), (pair, zeros) => {
        const der = toDer(pair);
        expect(eitherToDer(der)).toBe(der);
        const padded = toP1363(der, pair.length / 2 + zeros);
        expect(padded && toDer(padded)).toEqual(der);
      }),
    );
  });

  test('of arbitrary bytes ends in DER or in nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 150 }), (bytes) => {
        const der = eitherToDer(bytes);
        if (der !== undefined) expect(toP1363(der, 75)).toBeDefined();
      }),
    );
  });
});

describe('the verifiers agree with node:crypto', () => {
  const SIGNERS = [
    ['P-256', 'SHA-256'],
    ['P-384', 'SHA-384'],
    ['P-521', 'SHA-512'],
    ['P-384', 'SHA-256'],
    ['RSA-2048', 'SHA-256'],
    ['RSA-2048', 'SHA-512'],
    ['Ed25519', undefined],
  ] as const satisfies (readonly [Kind, string | undefined])[];
  const keys = new Map(SIGNERS.map(([kind]) => [kind, parsePublicKey(spkiOf(kind))]));

  test.each([
    ['untouched signatures', fc.constant([])],
    ['edited signatures', edits],
  ] as const)('on %s', async (_, changes) => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...SIGNERS),
        fc.constantFrom(...SIGNERS),
        fc.uint8Array({ maxLength: 200 }),
        changes,
        async ([kind, hash], [otherKind, otherHash], message, list) => {
          const signature = edited(signWith(kind, hash, message), list);
          const theirs = verify(hash ?? null, message, keyPair(kind).publicKey, signature);
          if (list.length === 0) expect(theirs).toBe(true);
          for (const verifier of [nativeVerifier, webCryptoVerifier]) {
            const key = keys.get(kind);
            const other = keys.get(otherKind);
            if (key === undefined || other === undefined) throw new Error('no key');
            expect(await verifier.verify(key, hash, message, signature)).toBe(theirs);
            // Under another key or hash nothing verifies.
            if (kind !== otherKind || hash !== otherHash)
              expect(await verifier.verify(other, otherHash, message, signature)).toBe(false);
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});
