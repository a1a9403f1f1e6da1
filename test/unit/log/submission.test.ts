import { createPublicKey, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Bytes, concat, equal } from '../../../src/encoding/bytes.ts';
import * as der from '../../../src/encoding/der.ts';
import { Intake } from '../../../src/log/submission.ts';
import { nativeVerifier as verifier } from '../../../src/node/system/native-verifier.ts';
import { ecKey, extension, type Made, make } from '../certificate/made-chain.ts';
import {
  hierarchy,
  POISON,
  POISON_ID,
  PRECERTIFICATE_SIGNING,
  precertificate,
  SCT_LIST_ID,
  withExtensions,
  withTbs,
} from './precertificates.ts';
import { sha256 } from './support.ts';

const ca = hierarchy();
const intake = new Intake({ sha256, verifier, authorities: [ca.root.der] });

/** What the log says to a chain. */
async function said(chain: readonly Bytes[], log = intake): Promise<string> {
  return log.accept(chain).then(
    () => 'taken',
    (problem: unknown) => {
      expect(problem).toMatchObject({ code: 'submission_refused', status: 400 });
      return (problem as Error).message;
    },
  );
}

const spkiHash = (made: Made): Bytes =>
  sha256(createPublicKey(made.key).export({ format: 'der', type: 'spki' }));

/** The TBSCertificate as a certificate of the same fields, but without poison, would have it: written anew by the maker. */
function withoutPoison(certificate: Bytes): Bytes {
  const [tbs] = der.readAll(der.readOnly(certificate, der.TAG.sequence).content);
  const fields = der.readAll(tbs?.content ?? new Uint8Array());
  const extensions = der.readAll(
    der.readAll(fields.at(-1)?.content ?? new Uint8Array())[0]?.content ?? new Uint8Array(),
  );
  const kept = extensions.filter(({ raw }) => !equal(raw, POISON)).map(({ raw }) => raw);
  const head = fields.slice(0, -1).map(({ raw }) => raw);
  return der.sequence(...head, der.element(der.contextTag(3), der.sequence(...kept)));
}

describe('a chain to a configured CA', () => {
  const leaf = precertificate(ca.issuing);

  it('becomes an entry: key hash of the issuer, TBS without poison, the chain as far as the CA', async () => {
    const entry = await intake.accept([leaf.der, ...ca.chain]);
    expect(Buffer.from(entry.issuerKeyHash)).toEqual(Buffer.from(spkiHash(ca.issuing)));
    expect(Buffer.from(entry.tbs)).toEqual(Buffer.from(withoutPoison(leaf.der)));
    expect(Buffer.from(entry.precertificate)).toEqual(Buffer.from(leaf.der));
    expect(entry.chain.map((bytes) => Buffer.from(bytes))).toEqual(
      ca.chain.map((bytes) => Buffer.from(bytes)),
    );
  });

  it('may leave out the root, which is kept with the entry all the same', async () => {
    const entry = await intake.accept([leaf.der, ca.issuing.der]);
    expect(entry.chain.map((bytes) => Buffer.from(bytes))).toEqual(
      ca.chain.map((bytes) => Buffer.from(bytes)),
    );
  });

  it('ends at the CA that is configured, be it an intermediate', async () => {
    const log = new Intake({ sha256, verifier, authorities: [ca.issuing.der] });
    for (const rest of [[], [ca.issuing.der], ca.chain, [ca.issuing.der, leaf.der, Buffer.alloc(9999)]]) {
      const entry = await log.accept([leaf.der, ...rest]);
      expect(entry.chain.map((bytes) => Buffer.from(bytes))).toEqual([Buffer.from(ca.issuing.der)]);
      expect(Buffer.from(entry.issuerKeyHash)).toEqual(Buffer.from(spkiHash(ca.issuing)));
    }
  });

  it('may have the poison anywhere, and keeps the order of all else', async () => {
    const first = precertificate(ca.issuing, { extra: [POISON, extension('1.2.3', false, Buffer.of(5, 0))] });
    const { tbs } = await intake.accept([first.der, ...ca.chain]);
    expect(Buffer.from(tbs)).toEqual(Buffer.from(withoutPoison(first.der)));
  });

  it('finds the right one of two CAs of one name', async () => {
    const twin = make({ pathLength: 1 });
    const log = new Intake({ sha256, verifier, authorities: [twin.der, ca.root.der] });
    expect(await said([leaf.der, ca.issuing.der], log)).toBe('taken');
    const other = make({ subject: 'issuing', pathLength: 0 }, twin);
    const both = new Intake({ sha256, verifier, authorities: [ca.issuing.der, other.der] });
    expect(await said([precertificate(other).der], both)).toBe('taken');
    expect(await said([leaf.der], both)).toBe('taken');
    expect(await said([precertificate(other).der], both)).toBe('taken');
  });

  it.each(['P-384', 'P-521'])('may be signed with %s', async (curve) => {
    const hash = curve === 'P-384' ? 'sha384' : 'sha512';
    const root = make({ key: ecKey(curve), hash });
    const log = new Intake({ sha256, verifier, authorities: [root.der] });
    expect(await said([precertificate(root, { hash }).der], log)).toBe('taken');
  });

  it('is examined once, its precertificates each time', async () => {
    let verified = 0;
    const counting = new Intake({
      sha256,
      verifier: {
        verify(...args) {
          verified += 1;
          return verifier.verify(...args);
        },
      },
      authorities: [ca.root.der],
    });
    for (let i = 0; i < 3; i++) await counting.accept([leaf.der, ...ca.chain]);
    expect(verified).toBe(1 + 3);
  });
});

describe('a chain is refused', () => {
  const stranger = hierarchy();
  const leaf = precertificate(ca.issuing).der;

  it.each<[string, () => readonly Bytes[], string]>([
    ['without certificates', () => [], 'the chain is empty'],
    [
      'that leads elsewhere',
      () => [precertificate(stranger.issuing).der, ...stranger.chain],
      'does not lead to a CA',
    ],
    [
      'of a stranger under our names',
      () => [precertificate(stranger.issuing).der, ...ca.chain],
      'signature is not by',
    ],
    ['whose links are out of order', () => [leaf, ca.root.der, ca.issuing.der], 'is not the issuer'],
    ['whose link is missing', () => [leaf, ca.root.der], 'is not the issuer of the one before it'],
    [
      'whose intermediate is forged',
      () => [precertificate(stranger.issuing).der, stranger.issuing.der, ca.root.der],
      'the signature of CA certificate 1 is not by the key',
    ],
    [
      'whose issuer is no CA',
      () => {
        const middle = precertificate(ca.root, { subject: 'not a ca', ...withExtensions() });
        return [precertificate(middle).der, middle.der, ca.root.der];
      },
      'may not sign certificates',
    ],
    [
      'that is longer than a CA allows',
      () => {
        const below = make({ subject: 'below' }, ca.issuing);
        return [precertificate(below).der, below.der, ...ca.chain];
      },
      'allows no so long a chain',
    ],
    [
      'whose issuer may not sign certificates',
      () => {
        const crlOnly = make({ subject: 'crl', usage: 0x02 }, ca.root);
        return [precertificate(crlOnly).der, crlOnly.der, ca.root.der];
      },
      'may not sign certificates',
    ],
    [
      'of a Precertificate Signing Certificate',
      () => {
        const issuing = make({ subject: 'pre', purposes: [PRECERTIFICATE_SIGNING] }, ca.root);
        return [precertificate(issuing).der, issuing.der, ca.root.der];
      },
      'Precertificate Signing Certificates are not taken',
    ],
    [
      'with more than ten CAs',
      () => [leaf, ...Array.from({ length: 11 }, () => ca.issuing.der)],
      'more than 10',
    ],
    [
      'with bytes that are no certificate',
      () => [leaf, Buffer.from('no certificate')],
      'CA certificate 1 cannot be read',
    ],
    ['that starts with bytes that are none', () => [Buffer.of(0x30, 0)], 'the precertificate cannot be read'],
    ['that starts with the root itself', () => [ca.root.der], 'the poison extension is missing'],
  ])('%s', async (_, chain, expected) => {
    expect(await said(chain())).toContain(expected);
  });
});

describe('a precertificate is refused', () => {
  const refused = async (extra: readonly Bytes[]): Promise<string> =>
    said([precertificate(ca.issuing, withExtensions(...extra)).der, ...ca.chain]);

  it.each<[string, readonly Bytes[], string]>([
    ['without poison', [], 'the poison extension is missing'],
    ['whose poison is not critical', [extension(POISON_ID, false, Buffer.of(5, 0))], 'has to be critical'],
    ['whose poison holds no NULL', [extension(POISON_ID, true, Buffer.of(4, 0))], 'hold an ASN.1 NULL'],
    [
      'whose poison holds more than NULL',
      [extension(POISON_ID, true, Buffer.of(5, 0, 5, 0))],
      'hold an ASN.1 NULL',
    ],
    ['whose poison is there twice', [POISON, POISON], 'an extension occurs twice'],
    ['that has SCTs', [POISON, extension(SCT_LIST_ID, false, Buffer.of(4, 2, 0, 0))], 'cannot carry SCTs'],
    [
      'with a critical flag that says FALSE',
      [
        POISON,
        der.sequence(
          der.objectIdentifier('1.2.3'),
          der.element(der.TAG.boolean, Uint8Array.of(0)),
          der.octetString(Uint8Array.of(5, 0)),
        ),
      ],
      'critical flag is not DER',
    ],
    [
      'with a critical flag of BER',
      [
        POISON,
        der.sequence(
          der.objectIdentifier('1.2.3'),
          der.element(der.TAG.boolean, Uint8Array.of(1)),
          der.octetString(Uint8Array.of(5, 0)),
        ),
      ],
      'BOOLEAN is neither 00 nor FF',
    ],
    [
      'with a length that is not minimal',
      [POISON, Buffer.of(0x30, 0x81, 0x08, 0x06, 0x02, 0x2a, 0x03, 0x04, 0x02, 0x05, 0x00)],
      'length is not minimal',
    ],
  ])('%s', async (_, extra, expected) => {
    expect(await refused(extra)).toContain(expected);
  });

  /** Signed over the changed bytes by the CA itself: only the form is wrong. */
  const resigned = (change: (tbs: Bytes) => Bytes): Bytes => {
    const changed = withTbs(precertificate(ca.issuing).der, change);
    const [tbs, algorithm] = der.readAll(der.readOnly(changed, der.TAG.sequence).content);
    const raw = tbs?.raw ?? new Uint8Array();
    return der.sequence(raw, algorithm?.raw ?? raw, der.bitString(sign('sha256', raw, ca.issuing.key)));
  };
  const fields = (tbs: Bytes): Bytes[] =>
    der.readAll(der.readOnly(tbs, der.TAG.sequence).content).map(({ raw }) => concat(raw));

  it.each<[string, (tbs: Bytes) => Bytes, string]>([
    ['of version 1', (tbs) => der.sequence(...fields(tbs).slice(1)), 'not a version 3 certificate'],
    [
      'whose serial number is not minimal',
      (tbs) => {
        const [version, , ...rest] = fields(tbs);
        return der.sequence(version ?? tbs, der.element(der.TAG.integer, Uint8Array.of(0, 1)), ...rest);
      },
      'INTEGER is not minimal',
    ],
    [
      'with two algorithms',
      (tbs) => {
        const [version, serial, , ...rest] = fields(tbs);
        const other = der.sequence(der.objectIdentifier('1.2.840.10045.4.3.3'));
        return der.sequence(version ?? tbs, serial ?? tbs, other, ...rest);
      },
      'two different signature algorithms',
    ],
    [
      'with fields that are unknown',
      (tbs) => der.sequence(...fields(tbs), der.octetString(tbs)),
      'unknown fields',
    ],
    [
      'with an attribute out of order',
      (tbs) => {
        const list = fields(tbs);
        const attribute = (id: string): Bytes => der.sequence(der.objectIdentifier(id), der.utf8String('x'));
        list[5] = der.sequence(der.set(attribute('2.5.4.10'), attribute('2.5.4.3')));
        return der.sequence(...list);
      },
      'SET OF is not in order',
    ],
  ])('%s', async (_, change, expected) => {
    expect(await said([resigned(change), ...ca.chain])).toContain(expected);
    expect(await said([resigned((tbs) => tbs), ...ca.chain])).toBe('taken');
  });

  it('whose signature is of other bytes', async () => {
    const leaf = precertificate(ca.issuing);
    const changed = withTbs(leaf.der, (tbs) => {
      const list = fields(tbs);
      list[1] = der.unsignedInteger(Uint8Array.of(1, 2, 3));
      return der.sequence(...list);
    });
    expect(await said([changed, ...ca.chain])).toContain('signature is not by the key of its issuer');
  });

  it('at any byte that is changed, without an exception', { timeout: 60_000 }, async () => {
    const leaf = precertificate(ca.issuing);
    const outcomes = new Set<string>();
    for (let i = 0; i < leaf.der.length; i++) {
      const changed = Uint8Array.from(leaf.der);
      changed[i] = (changed[i] ?? 0) ^ 0x01;
      outcomes.add(await said([changed, ...ca.chain]));
    }
    expect(outcomes).not.toContain('taken');
    expect(outcomes.size).toBeGreaterThan(5);
  });
});
