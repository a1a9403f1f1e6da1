import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fromHex } from '../../../src/encoding/bytes.ts';
import { requireCanonical } from '../../../src/encoding/canonical.ts';
import { DerError, TAG } from '../../../src/encoding/der.ts';
import { describeWith } from '../../fakes/skip.ts';

const SEQUENCE = TAG.sequence;
const inSequence = (hex: string): string => `30${(hex.length / 2).toString(16).padStart(2, '0')}${hex}`;

describe('DER', () => {
  it.each([
    ['nothing', ''],
    ['TRUE and FALSE', '0101ff010100'],
    ['integers', '020100' + '02017f' + '02020080' + '0201ff' + '0202ff7f'],
    ['an enumerated value', '0a0101'],
    ['NULL', '0500'],
    ['object identifiers', '06012a' + '0603550406' + '060469818000'],
    ['bit strings', '030100' + '03020780' + '030200ff'],
    ['times', '170d3236313132343132303030305a' + '180f32303530303130313030303030305a'],
    ['a time with a fraction', '181232303530303130313030303030302e35315a'],
    ['an ordered set', '3106020101020102'],
    ['nested and tagged', 'a0053003020101' + '8102ffff'],
  ])('is %s', (_, hex) => {
    requireCanonical(fromHex(inSequence(hex)), SEQUENCE);
  });

  it.each([
    ['a BOOLEAN of another value', '010101'],
    ['a BOOLEAN of two bytes', '01020000'],
    ['an empty INTEGER', '0200'],
    ['an INTEGER with a zero too many', '02020001'],
    ['an INTEGER with ones too many', '0202ff80'],
    ['an enumerated value with a zero too many', '0a020001'],
    ['NULL with content', '050100'],
    ['an empty object identifier', '0600'],
    ['an object identifier that ends within an arc', '06022a80'],
    ['an object identifier with a padded arc', '06032a8001'],
    ['an empty BIT STRING', '0300'],
    ['a BIT STRING with eight unused bits', '030208ff'],
    ['a BIT STRING of no bits, some of them unused', '030101'],
    ['a BIT STRING whose unused bits are set', '03020781'],
    ['UTCTime without seconds', '170b323631313234313230305a'],
    ['UTCTime with an offset', '1711323631313234313230303030' + '2b30313030'],
    ['GeneralizedTime with a fraction that ends in zero', '181232303530303130313030303030302e35305a'],
    ['GeneralizedTime without Z', '180e3230353030313031303030303030'],
    ['a SET out of order', '3106020102020101'],
    ['a constructed OCTET STRING', '2403040101'],
    ['a primitive SEQUENCE', '1000'],
    ['a long length for a short content', '04810101'],
    ['an indefinite length', '308002010100' + '00'],
    ['a length beyond the end', '040501'],
    ['something wrong below', 'a0053003' + '010101'],
  ])('is not %s', (_, hex) => {
    expect(() => requireCanonical(fromHex(inSequence(hex)), SEQUENCE)).toThrow(DerError);
  });

  it('has nothing after its end, and the tag that is asked for', () => {
    expect(() => requireCanonical(fromHex('3000' + '00'), SEQUENCE)).toThrow('trailing');
    expect(() => requireCanonical(fromHex('3100'), SEQUENCE)).toThrow(DerError);
    expect(() => requireCanonical(new Uint8Array(), SEQUENCE)).toThrow(DerError);
  });

  it('is not nested without end', () => {
    let hex = '';
    for (let i = 0; i < 60; i++) hex = inSequence(hex);
    expect(() => requireCanonical(fromHex(hex), SEQUENCE)).toThrow('nested too deeply');
  });
});

describeWith('openssl', 'DER as OpenSSL writes it', () => {
  it.each(['rsa:2048', 'ec', 'ed25519'])('is taken: %s', (kind) => {
    const key = kind === 'ec' ? ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] : ['-newkey', kind];
    const extra = ['-addext', 'subjectAltName=DNS:a.example,URI:https://a.example/x,email:me@a.example'];
    const pem = execFileSync(
      'openssl',
      ['req', '-x509', ...key, '-nodes', '-keyout', '-', '-subj', '/O=Test/CN=Größe', '-utf8', ...extra],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    requireCanonical(new Uint8Array(new X509Certificate(pem).raw), SEQUENCE);
  });
});
