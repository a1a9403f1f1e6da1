// Laws of the timestamp authority: any bytes get an answer, and what is asked comes back as it was.

import { createHash } from 'node:crypto';
import { Integer, OctetString } from 'asn1js';
import fc from 'fast-check';
import * as pkijs from 'pkijs';
import { afterAll, describe, expect, test } from 'vitest';
import { base64 } from '../../src/encoding/bytes.ts';
import * as der from '../../src/encoding/der.ts';
import { Problem } from '../../src/problem.ts';
import { parseJsonQuery } from '../../src/timestamp/json-query.ts';
import { decodeQuery } from '../../src/timestamp/query.ts';
import { TimestampRejection } from '../../src/timestamp/rejection.ts';
import { describeWith } from '../fakes/skip.ts';
import { authorityOf, makeChain } from '../unit/timestamp/openssl.ts';
import { readReply, readToken } from '../unit/timestamp/reader.ts';

describeWith('openssl', 'timestamps', () => {
  const made = makeChain();
  afterAll(made.remove);
  const authority = authorityOf(made);

  /** PKIFailureInfo bits that a request may earn. */
  const REQUEST_FAULTS = [0, 2, 5, 15, 16];

  const imprint = fc
    .constantFrom(
      { name: 'sha256', hash: '2.16.840.1.101.3.4.2.1', size: 32 },
      { name: 'sha384', hash: '2.16.840.1.101.3.4.2.2', size: 48 },
      { name: 'sha512', hash: '2.16.840.1.101.3.4.2.3', size: 64 },
    )
    .chain(({ name, hash, size }) =>
      fc.uint8Array({ minLength: size, maxLength: size }).map((digest) => ({ name, hash, digest })),
    );
  const nonce = fc.oneof(fc.bigInt(), fc.bigInt({ min: -(1n << 600n), max: 1n << 600n }));
  const query = fc.record({
    imprint,
    nonce: fc.option(nonce, { nil: undefined }),
    certReq: fc.option(fc.boolean(), { nil: undefined }),
    reqPolicy: fc.option(fc.constant('1.3.6.1.4.1.57264.2'), { nil: undefined }),
  });

  /** A TimeStampReq as pkijs writes it. */
  function encode(asked: typeof query extends fc.Arbitrary<infer Q> ? Q : never): Uint8Array {
    const request = new pkijs.TimeStampReq({
      version: 1,
      messageImprint: new pkijs.MessageImprint({
        hashAlgorithm: new pkijs.AlgorithmIdentifier({ algorithmId: asked.imprint.hash }),
        hashedMessage: new OctetString({ valueHex: asked.imprint.digest }),
      }),
      ...(asked.reqPolicy === undefined ? {} : { reqPolicy: asked.reqPolicy }),
      ...(asked.nonce === undefined ? {} : { nonce: Integer.fromBigInt(asked.nonce) }),
      ...(asked.certReq === undefined ? {} : { certReq: asked.certReq }),
    });
    return new Uint8Array(request.toSchema().toBER());
  }

  /** Content octets of a two's complement INTEGER as a number. */
  function bigintOf(integer: Uint8Array): bigint {
    const { content } = der.readOnly(integer, der.TAG.integer);
    return BigInt.asIntN(8 * content.length, BigInt(`0x${Buffer.from(content).toString('hex')}`));
  }

  describe('any bytes end as a reply', () => {
    test('made up', async () => {
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (request) => {
          const reply = readReply((await authority.answer(request)).der);
          expect(reply).toMatchObject({ status: 2, token: undefined });
          expect(REQUEST_FAULTS).toEqual(expect.arrayContaining([...reply.failInfo]));
          expect(reply.failInfo).toHaveLength(1);
        }),
      );
    });

    test('made up inside an intact SEQUENCE after an intact version', async () => {
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (rest) => {
          const request = der.sequence(Uint8Array.of(2, 1, 1), rest);
          expect(readReply((await authority.answer(request)).der).status).toBe(2);
        }),
      );
    });

    test('a query with bytes changed, lost or added', async () => {
      const change = fc.record({
        at: fc.nat(),
        remove: fc.nat({ max: 3 }),
        insert: fc.uint8Array({ maxLength: 3 }),
      });
      await fc.assert(
        fc.asyncProperty(query, fc.array(change, { minLength: 1, maxLength: 3 }), async (asked, changes) => {
          const bytes = [...encode(asked)];
          for (const { at, remove, insert } of changes) bytes.splice(at % bytes.length, remove, ...insert);
          const reply = readReply((await authority.answer(Uint8Array.from(bytes))).der);
          expect(reply.token === undefined ? 2 : 0).toBe(reply.status);
        }),
      );
    });

    test('of JSON: a query, a Problem or a rejection', () => {
      const member = fc.oneof(fc.jsonValue(), fc.constantFrom('sha256', base64(new Uint8Array(32))));
      const names = ['artifactHash', 'hashAlgorithm', 'certificates', 'nonce', 'tsaPolicyOID'];
      const text = fc.oneof(
        fc.string(),
        fc.json(),
        fc.dictionary(fc.constantFrom(...names), member).map((o) => JSON.stringify(o)),
      );
      fc.assert(
        fc.property(text, (given) => {
          try {
            expect(parseJsonQuery(given).imprint[0]).toBe(0x30);
          } catch (error) {
            expect(error instanceof Problem || error instanceof TimestampRejection).toBe(true);
          }
        }),
      );
    });
  });

  describe('what is asked comes back', () => {
    test('imprint, nonce of any size and sign, and certificates if wanted', async () => {
      await fc.assert(
        fc.asyncProperty(query, async (asked) => {
          const token = readToken((await authority.answer(encode(asked))).der);
          expect(token.hash).toBe(asked.imprint.hash);
          expect(token.digest).toEqual(asked.imprint.digest);
          expect(token.nonce === undefined ? undefined : bigintOf(token.nonce)).toBe(asked.nonce);
          expect(token.signedData.certificates?.length ?? 0).toBe(asked.certReq === true ? 1 : 0);
        }),
      );
    });

    test('both forms of a query read the same', () => {
      fc.assert(
        fc.property(imprint, nonce, fc.boolean(), (given, asked, certificates) => {
          const members = `"artifactHash":"${base64(given.digest)}","hashAlgorithm":"${given.name}"`;
          const json = parseJsonQuery(`{${members},"nonce":${asked},"certificates":${certificates}}`);
          expect(json).toEqual(
            decodeQuery(
              encode({ imprint: given, nonce: asked, certReq: certificates, reqPolicy: undefined }),
            ),
          );
        }),
      );
    });

    test('serial numbers never repeat', async () => {
      const request = encode({ ...(fc.sample(query, 1)[0] ?? expect.fail()), reqPolicy: undefined });
      const replies = await Promise.all(Array.from({ length: 50 }, () => authority.answer(request)));
      const serials = replies.map(({ der: reply }) =>
        Buffer.from(readToken(reply).serialNumber).toString('hex'),
      );
      expect(new Set(serials).size).toBe(50);
    });
  });

  describe('the token', () => {
    test('verifies with pkijs, and not over other data', async () => {
      const root = pkijs.Certificate.fromBER(made.chain[1] ?? expect.fail());
      await fc.assert(
        fc.asyncProperty(query, fc.uint8Array({ minLength: 1 }), async (asked, data) => {
          const digest = new Uint8Array(createHash(asked.imprint.name).update(data).digest());
          const request = encode({ ...asked, imprint: { ...asked.imprint, digest }, certReq: true });
          const { signedData } = readToken((await authority.answer(request)).der);
          const check = (over: Uint8Array): Promise<boolean> =>
            signedData.verify({
              signer: 0,
              trustedCerts: [root],
              checkChain: true,
              data: new Uint8Array(over).buffer,
            });
          expect(await check(data)).toBe(true);
          expect(await check(Uint8Array.of(...data, 0)).catch(() => false)).toBe(false);
          expect(signedData.version).toBe(3);
          expect(signedData.encapContentInfo.eContent?.idBlock.isConstructed).toBe(false);
        }),
        { numRuns: 20 },
      );
    });

    test('has its attributes in DER order', async () => {
      await fc.assert(
        fc.asyncProperty(query, async (asked) => {
          const { signedData } = readToken((await authority.answer(encode(asked))).der);
          const encodings = signedData.signerInfos[0]?.signedAttrs?.attributes.map((attribute) =>
            Buffer.from(attribute.toSchema().toBER()),
          );
          expect(encodings).toHaveLength(4);
          expect(encodings?.toSorted(Buffer.compare)).toEqual(encodings);
        }),
        { numRuns: 20 },
      );
    });
  });
});
