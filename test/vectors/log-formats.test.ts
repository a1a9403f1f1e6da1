// Forms of the log against fixed bytes from the specifications.

import { createPublicKey, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { base64, concat, fromHex, hex } from '../../src/encoding/bytes.ts';
import {
  ed25519Key,
  logIdOf,
  signCheckpoint,
  treeHeadInput,
  treeHeadKeyId,
  treeHeadOf,
} from '../../src/log/checkpoint.ts';
import { leafIndexExtension, leafIndexOf, writeEntry } from '../../src/log/entry.ts';
import { ED25519_NOTE, noteKeyId, parseNote, verifierKey } from '../../src/log/note.ts';
import { encodeSct, sctInput } from '../../src/log/sct.ts';
import { parseTilePath, tilePath } from '../../src/log/tile.ts';
import { sha256 } from '../../src/node/system/native-digest.ts';
import { sctListOf } from '../unit/log/precertificates.ts';
import { ed25519Signer, p256Signer } from '../unit/log/support.ts';

const ikh = new Uint8Array(32).fill(0xaa);
const entry = {
  issuerKeyHash: ikh,
  tbs: Uint8Array.of(0x30, 0),
  precertificate: Uint8Array.of(0x30, 1, 9),
  chain: [],
};
const TIME = 0x0123456789ab;
const LEAF =
  '00 00 00000123456789ab' + // v1, timestamped_entry, time
  `0001 ${'aa'.repeat(32)}` + // precert_entry, issuer key hash
  '000002 3000' + // TBS
  '0008 00 0005 0102030405'; // leaf_index
const bare = (text: string): string => text.replaceAll(' ', '');

describe('RFC 6962 and static-ct-api', () => {
  it('leaf, SCT input and element of a data tile', () => {
    const out = new Uint8Array(200);
    const fingerprint = new Uint8Array(32).fill(0xbb);
    const written = writeEntry(out, 0, entry, [fingerprint], TIME, 0x0102030405);
    expect(hex(written.leaf)).toBe(bare(LEAF));
    expect(hex(written.tileLeaf)).toBe(bare(LEAF).slice(4) + bare(`000003 300109 0020 ${'bb'.repeat(32)}`));
    const sct = {
      logId: ikh,
      timestamp: TIME,
      extensions: leafIndexExtension(0x0102030405),
      signature: new Uint8Array(),
    };
    expect(hex(sctInput(entry, sct))).toBe(bare(LEAF));
  });

  it('leaf_index', () => {
    expect(hex(leafIndexExtension(0))).toBe('0000050000000000');
    expect(hex(leafIndexExtension(2 ** 40 - 1))).toBe('000005ffffffffff');
    expect(() => leafIndexExtension(2 ** 40)).toThrow(RangeError);
    for (const wrong of [
      '',
      '00',
      '000004ffffffff',
      '000005ffffffff',
      '010005ffffffffff',
      '000006000000000000',
    ])
      expect(leafIndexOf(fromHex(wrong)), wrong).toBeUndefined();
  });

  it('SCT and list of one', () => {
    const sct = {
      logId: ikh,
      timestamp: TIME,
      extensions: leafIndexExtension(1),
      signature: fromHex('04030002beef'),
    };
    const bytes = `00 ${'aa'.repeat(32)} 00000123456789ab 0008 0000050000000001 04030002beef`;
    expect(hex(encodeSct(sct))).toBe(bare(bytes));
    expect(hex(sctListOf(sct))).toBe(bare(`003b 0039 ${bytes}`));
  });

  it('tree head', () => {
    const root = new Uint8Array(32).fill(0xcc);
    const input = treeHeadInput({ size: 0x0102030405, root }, TIME);
    expect(hex(input)).toBe(bare(`00 01 00000123456789ab 0000000102030405 ${'cc'.repeat(32)}`));
    expect(input).toHaveLength(50);
  });

  it('tile paths', () => {
    expect(tilePath({ level: 0, index: 1234067, width: 256 })).toBe('tile/0/x001/x234/067');
    expect(tilePath({ level: 'data', index: 5, width: 17 })).toBe('tile/data/005.p/17');
    expect(tilePath({ level: 1, index: 1000, width: 256 })).toBe('tile/1/x001/000');
    expect(parseTilePath('tile/0/x001/x234/067')).toEqual({ level: 0, index: 1234067, width: 256 });
  });
});

describe('signed notes', () => {
  // The example key of golang.org/x/mod/sumdb/note.
  it('key id of the Go documentation', () => {
    const key = Buffer.from('ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW', 'base64');
    const keyId = noteKeyId(sha256, 'PeterNeumann', key[0] ?? 0, key.subarray(1));
    expect(verifierKey('PeterNeumann', keyId, 1, key.subarray(1))).toBe(
      'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
    );
  });

  it('note of the Go documentation', () => {
    const text =
      "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const signed = `${text}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;
    const note = parseNote(Buffer.from(signed));
    expect(note?.text).toBe(text);
    expect(note?.signatures.map(({ name, keyId }) => [name, hex(keyId)])).toEqual([
      ['PeterNeumann', 'c74f20a3'],
    ]);
    const spki = concat(
      fromHex('302a300506032b6570032100'),
      Buffer.from('ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW', 'base64').subarray(1),
    );
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    expect(verify(null, Buffer.from(text), key, note?.signatures[0]?.signature ?? new Uint8Array())).toBe(
      true,
    );
  });

  it.each([
    'no signature\n',
    'no blank line\n— a AAAAAAA=\n',
    'text\n\n- a AAAAAAA=\n',
    'text\n\n— a AAAA\n',
    'text\n\n— a+b AAAAAAA=\n',
    'text\n\n— a AAAAAAA= x\n',
    'text\n\n— a AAAAAAA=',
    'text\n\n— a AAAA_AA=\n',
    'te\u0007xt\n\n— a AAAAAAA=\n',
  ])('refuses %j', (text) => {
    expect(parseNote(Buffer.from(text))).toBeUndefined();
  });

  it('a checkpoint carries the tree head and a second signature by a key of its own', async () => {
    const [signer, cosigner] = [p256Signer(), ed25519Signer()];
    const origin = 'log.example.com/2026';
    const head = { size: 7, root: sha256(new Uint8Array()) };
    const { treeHead, note } = await signCheckpoint(sha256, { origin, signer, cosigner }, head, TIME);
    const text = `${origin}\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n`;
    const read = parseNote(note);
    expect(read?.text).toBe(text);
    const logId = logIdOf(sha256, signer.publicKey);
    expect(hex(treeHeadKeyId(sha256, origin, logId))).toBe(
      hex(sha256(concat(Buffer.from(`${origin}\n\x05`), logId))).slice(0, 8),
    );
    expect(read && treeHeadOf(sha256, read, logId)).toEqual(treeHead);
    expect(read && treeHeadOf(sha256, read, new Uint8Array(32))).toBeUndefined();
    const key = createPublicKey({ key: Buffer.from(signer.publicKey), format: 'der', type: 'spki' });
    expect(verify('sha256', treeHeadInput(head, TIME), key, treeHead.signature.subarray(4))).toBe(true);

    const second = read?.signatures[1];
    const material = ed25519Key(cosigner.publicKey);
    expect(second && hex(second.keyId)).toBe(hex(noteKeyId(sha256, origin, ED25519_NOTE, material)));
    const cokey = createPublicKey({ key: Buffer.from(cosigner.publicKey), format: 'der', type: 'spki' });
    expect(verify(null, Buffer.from(text), cokey, second?.signature ?? new Uint8Array())).toBe(true);
    expect(base64(material)).toHaveLength(44);
  });
});
