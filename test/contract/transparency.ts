// What a certificate's SCT promises, checked over HTTP by code that shares nothing with Mayfly's log: RFC 6962 by hand,
// with asn1js and node:crypto.

import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { fromBER, type Sequence } from 'asn1js';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { readCertificate, SCT_LIST } from '../fakes/certificate.ts';
import { send } from '../fakes/client.ts';
import { type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import { type Issued, issue } from '../fakes/signing-client.ts';
import { mth, path } from '../unit/log/reference.ts';
import type { Start, Started } from './world.ts';

const COUNT = 11;
/** For vi.waitFor: the longest that the log may take, and how often it is asked. */
const PUBLICATION = { timeout: 20_000, interval: 50 };
const POISON = '1.3.6.1.4.1.11129.2.4.3';

interface TreeHead {
  readonly tree_size: number;
  readonly timestamp: number;
  readonly sha256_root_hash: string;
  readonly tree_head_signature: string;
}

interface Promised {
  readonly logId: Buffer;
  readonly timestamp: Buffer;
  /** With its length. */
  readonly extensions: Buffer;
  readonly index: number;
  readonly signature: Buffer;
}

/** The one SCT of a certificate (RFC 6962 section 3.3), and the index in it (c2sp.org/static-ct-api). */
function promiseOf({ leaf }: Issued): Promised {
  const octets = fromBER(Buffer.from(leaf.extension(SCT_LIST)?.value ?? '', 'hex')).result;
  const list = Buffer.from(
    (octets as unknown as { valueBlock: { valueHexView: Uint8Array } }).valueBlock.valueHexView,
  );
  expect([list.readUInt16BE(0), list.readUInt16BE(2), list[4]]).toEqual([
    list.length - 2,
    list.length - 4,
    0,
  ]);
  const end = 47 + list.readUInt16BE(45);
  const extensions = list.subarray(45, end);
  expect(extensions.subarray(2, 5)).toEqual(Buffer.of(0, 0, 5)); // leaf_index, of five bytes
  expect(list.subarray(end, end + 2)).toEqual(Buffer.of(4, 3)); // SHA-256, ECDSA
  expect(list.readUInt16BE(end + 2)).toBe(list.length - end - 4);
  return {
    logId: list.subarray(5, 37),
    timestamp: list.subarray(37, 45),
    extensions,
    index: extensions.readUIntBE(5, 5),
    signature: list.subarray(end + 4),
  };
}

/** The TBSCertificate without one of its extensions. */
function tbsWithout(certificate: Uint8Array, extension: string): Buffer {
  const [tbs] = (fromBER(certificate).result as Sequence).valueBlock.value;
  const fields = (tbs as Sequence).valueBlock.value;
  const explicit = fields.at(-1) as unknown as { valueBlock: { value: Sequence[] } };
  const [list] = explicit.valueBlock.value;
  if (list === undefined) throw new Error('no extensions');
  const kept = list.valueBlock.value.filter(
    (one) => !String((one as Sequence).valueBlock.value[0]).includes(extension),
  );
  expect(kept).toHaveLength(list.valueBlock.value.length - 1);
  list.valueBlock.value = kept;
  return Buffer.from((tbs as Sequence).toBER());
}

/** MerkleTreeLeaf (RFC 6962 section 3.4); also what the SCT signs (section 3.2). */
function leafOf({ leaf, authority }: Issued, promised: Promised): Buffer {
  const tbs = tbsWithout(leaf.der, SCT_LIST);
  const issuerKeyHash = createHash('sha256').update(Buffer.from(authority.spki, 'hex')).digest();
  const length = Buffer.alloc(3);
  length.writeUIntBE(tbs.length, 0, 3);
  return Buffer.concat([
    Buffer.of(0, 0),
    promised.timestamp,
    Buffer.of(0, 1),
    issuerKeyHash,
    length,
    tbs,
    promised.extensions,
  ]);
}

/** RFC 9162 section 2.1.3.2. */
function rootOf(leafHash: Buffer, index: number, size: number, proof: readonly Buffer[]): Buffer {
  const node = (a: Buffer, b: Buffer): Buffer =>
    createHash('sha256').update(Buffer.of(1)).update(a).update(b).digest();
  let [fn, sn, r] = [index, size - 1, leafHash];
  for (const p of proof) {
    if (sn === 0) throw new Error('the proof is too long');
    if (fn % 2 === 1 || fn === sn) {
      r = node(p, r);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn >> 1, sn >> 1];
    } else r = node(r, p);
    [fn, sn] = [fn >> 1, sn >> 1];
  }
  if (sn !== 0) throw new Error('the proof is too short');
  return r;
}

export function transparency(start: Start): void {
  describe('the log', () => {
    let people: FakeIssuer;
    let instance: Started;
    let issued: readonly Issued[];
    let key: KeyObject;
    let logId: Buffer;
    /** Of the published tree, in order. */
    let leaves: readonly Buffer[];
    let head: TreeHead;

    beforeAll(async () => {
      people = await startIssuer({ claims: { email_verified: true } });
      const entry = { 'issuer-url': people.url, audiences: ['sigstore'], type: 'email' };
      instance = await start(stringify({ issuers: [entry] }));
      issued = await Promise.all(
        Array.from({ length: COUNT }, async (_, i) => {
          const email = `person-${i}@example.org`;
          return issue(instance.url, { token: await people.sign({ email }) });
        }),
      );
      const { key: spki } = (await get('/.well-known/mayfly/log.json')) as { key: string };
      const der = Buffer.from(spki, 'base64');
      key = createPublicKey({ key: der, format: 'der', type: 'spki' });
      logId = createHash('sha256').update(der).digest();
      head = await vi.waitFor(async () => {
        const sth = (await get('/log/ct/v1/get-sth')) as TreeHead;
        expect(sth.tree_size).toBe(COUNT);
        return sth;
      }, PUBLICATION);
      const { entries } = (await get(`/log/ct/v1/get-entries?start=0&end=${COUNT - 1}`)) as {
        entries: { leaf_input: string; extra_data: string }[];
      };
      leaves = entries.map(({ leaf_input }) => Buffer.from(leaf_input, 'base64'));
    });
    afterAll(async () => {
      await instance.close();
      await people.close();
    });

    async function get(target: string): Promise<unknown> {
      const { status, json, text } = await send(instance.url, target);
      if (status !== 200) throw new Error(`${target}: ${status} ${text}`);
      return json;
    }

    describe.each(Array.from({ length: COUNT }, (_, i) => i))('certificate %i', (i) => {
      const one = (): Issued => issued[i] ?? issued[0] ?? ({} as Issued);

      test('has an SCT that verifies with the key of the log', () => {
        const promised = promiseOf(one());
        expect(promised.logId).toEqual(logId);
        expect(verify('sha256', leafOf(one(), promised), key, promised.signature)).toBe(true);
        const other = leafOf(issued[(i + 1) % COUNT] ?? one(), promised);
        expect(verify('sha256', other, key, promised.signature)).toBe(false);
      });

      test('is in the log at the index that the SCT names', () => {
        const promised = promiseOf(one());
        expect(leaves[promised.index]).toEqual(leafOf(one(), promised));
      });

      test('has a proof of inclusion in the signed tree', async () => {
        const promised = promiseOf(one());
        const entry = leafOf(one(), promised);
        const hash = createHash('sha256').update(Buffer.of(0)).update(entry).digest();
        const query = `hash=${encodeURIComponent(hash.toString('base64'))}&tree_size=${COUNT}`;
        const proof = (await get(`/log/ct/v1/get-proof-by-hash?${query}`)) as {
          leaf_index: number;
          audit_path: string[];
        };
        expect(proof.leaf_index).toBe(promised.index);
        const hashes = proof.audit_path.map((text) => Buffer.from(text, 'base64'));
        expect(hashes.map((one) => one.toString('hex'))).toEqual(
          path(promised.index, leaves).map((one) => Buffer.from(one).toString('hex')),
        );
        expect(rootOf(hash, promised.index, COUNT, hashes).toString('base64')).toBe(head.sha256_root_hash);
      });

      test('came after its precertificate, which the log holds', async () => {
        const { index } = promiseOf(one());
        const { extra_data } = (await get(
          `/log/ct/v1/get-entry-and-proof?leaf_index=${index}&tree_size=${COUNT}`,
        )) as { extra_data: string };
        const extra = Buffer.from(extra_data, 'base64');
        const precertificate = extra.subarray(3, 3 + extra.readUIntBE(0, 3));
        const { leaf, authority, chain } = one();
        const poisoned = readCertificate(precertificate);
        expect(poisoned.serial).toBe(leaf.serial);
        expect(poisoned.extensions.at(-1)).toEqual({ id: POISON, critical: true, value: '0500' });
        expect(poisoned.x509.verify(authority.x509.publicKey)).toBe(true);
        expect(tbsWithout(poisoned.der, POISON)).toEqual(tbsWithout(leaf.der, SCT_LIST));
        for (const pem of chain.slice(1)) expect(extra.includes(readCertificate(pem).der)).toBe(true);
      });
    });

    test('the signed tree head is that of all entries', () => {
      expect(mth(leaves)).toEqual(new Uint8Array(Buffer.from(head.sha256_root_hash, 'base64')));
      const signed = Buffer.alloc(50);
      signed[1] = 1; // tree_hash
      signed.writeBigUInt64BE(BigInt(head.timestamp), 2);
      signed.writeBigUInt64BE(BigInt(head.tree_size), 10);
      Buffer.from(head.sha256_root_hash, 'base64').copy(signed, 18);
      const signature = Buffer.from(head.tree_head_signature, 'base64');
      expect(signature.subarray(0, 2)).toEqual(Buffer.of(4, 3));
      expect(verify('sha256', signed, key, signature.subarray(4))).toBe(true);
    });

    test('no index is given twice', () => {
      const indexes = issued.map((one) => promiseOf(one).index);
      expect(indexes.toSorted((a, b) => a - b)).toEqual(Array.from({ length: COUNT }, (_, i) => i));
    });
  });
}
