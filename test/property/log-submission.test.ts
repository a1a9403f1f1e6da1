// Laws of submissions: whatever is handed in is taken or refused, never met with another error; what is taken is kept byte for byte.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Bytes, concat, equal } from '../../src/encoding/bytes.ts';
import * as der from '../../src/encoding/der.ts';
import { Intake } from '../../src/log/submission.ts';
import { nativeVerifier as verifier } from '../../src/node/system/native-verifier.ts';
import { Problem } from '../../src/problem.ts';
import { extension } from '../unit/certificate/made-chain.ts';
import { hierarchy, POISON, precertificate } from '../unit/log/precertificates.ts';
import { sha256 } from '../unit/log/support.ts';

const ca = hierarchy();
const intake = new Intake({ sha256, verifier, authorities: [ca.root.der] });
const good = precertificate(ca.issuing).der;

async function outcome(chain: readonly Bytes[]): Promise<string> {
  try {
    await intake.accept(chain);
    return 'taken';
  } catch (failure) {
    if (!(failure instanceof Problem)) throw failure;
    return failure.code;
  }
}

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => concat(array));
const edits = fc.array(fc.record({ at: fc.nat(good.length - 1), to: fc.nat(255) }), {
  minLength: 1,
  maxLength: 4,
});

describe('submissions', () => {
  it('of anything are refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { maxLength: 13 }), async (chain) => {
        expect(await outcome(chain)).toBe('submission_refused');
      }),
    );
  });

  it('of a precertificate with bytes changed, cut or added are refused', async () => {
    await fc.assert(
      fc.asyncProperty(edits, fc.nat(good.length), bytes, async (changes, cut, tail) => {
        const changed = Uint8Array.from(good);
        for (const { at, to } of changes) changed[at] = to;
        if (!equal(changed, good)) expect(await outcome([changed, ...ca.chain])).toBe('submission_refused');
        if (cut < good.length)
          expect(await outcome([good.slice(0, cut), ...ca.chain])).toBe('submission_refused');
        if (tail.length > 0)
          expect(await outcome([concat(good, tail), ...ca.chain])).toBe('submission_refused');
      }),
    );
  });

  it('in any order of the chain are taken when they lead from one to the next, as far as the CA', async () => {
    const pool = [good, ...ca.chain, hierarchy().root.der];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(3), { minLength: 1, maxLength: 5 }), async (order) => {
        const [first, ...others] = order;
        const end = others.lastIndexOf(2); // the configured root; what follows it is nobody's concern
        const kept = (end < 0 ? others : others.slice(0, end + 1)).join();
        const sound = first === 0 && (kept === '1' || kept === '1,2');
        const chain = order.map((i) => pool[i] ?? good);
        expect(await outcome(chain)).toBe(sound ? 'taken' : 'submission_refused');
      }),
      { examples: [[[0, 1]], [[0, 1, 2]], [[0, 1, 2, 3]]] },
    );
  });

  it('keep every byte but the poison, wherever that stands and whatever stands beside it', async () => {
    const others = fc.uniqueArray(fc.record({ arc: fc.nat(2 ** 40), critical: fc.boolean(), value: bytes }), {
      selector: ({ arc }) => arc,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(others, fc.nat(6), async (list, place) => {
        const extra = list.map(({ arc, critical, value }) => extension(`1.3.9.${arc}`, critical, value));
        const at = Math.min(place, extra.length);
        const leaf = precertificate(ca.issuing, { extra: extra.toSpliced(at, 0, POISON) }).der;
        const entry = await intake.accept([leaf, ...ca.chain]);
        const without = concat(...extra);
        // Key usage, which every leaf of the maker has, comes first.
        const [usage] = extensionsOf(leaf);
        expect(Buffer.from(concat(...extensionsOf(der.sequence(entry.tbs))))).toEqual(
          Buffer.from(concat(usage ?? new Uint8Array(), without)),
        );
      }),
    );
  });
});

/** The extensions of a certificate, each whole. */
function extensionsOf(certificate: Uint8Array): readonly Uint8Array[] {
  const [tbs] = der.readAll(der.readOnly(certificate, der.TAG.sequence).content);
  const last = der.readAll(tbs?.content ?? new Uint8Array()).at(-1);
  return der
    .readAll(der.readOnly(last?.content ?? new Uint8Array(), der.TAG.sequence).content)
    .map(({ raw }) => raw);
}
