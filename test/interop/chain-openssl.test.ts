// OpenSSL judges the certificates and keys of a first start, and makes chains and keys that Mayfly has to load.

import { execFileSync } from 'node:child_process';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTimestampCertificate } from '../../src/certificate/ca-certificate.ts';
import { systemClock } from '../../src/clock.ts';
import { encodePem } from '../../src/encoding/pem.ts';
import { ephemeralInstance, openInstance } from '../../src/node/keys/instance.ts';
import { readPrivateKey, writePrivateKey } from '../../src/node/keys/key-file.ts';
import { nativeSigner } from '../../src/node/system/native-signer.ts';
import { describeWith } from '../fakes/skip.ts';
import { ecKey } from '../unit/certificate/made-chain.ts';
import { optionsOf } from '../unit/node/instance-options.ts';

describeWith('openssl', 'chains and keys', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'mayfly-openssl-'));
    writeFileSync(join(folder, 'empty.cnf'), '[req]\ndistinguished_name = dn\n[dn]\n');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function openssl(...args: readonly string[]): string {
    return execFileSync('openssl', args, {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** A self-signed certificate, or one under `above`, with its key in NAME.key; extensions as OpenSSL words them. */
  function certify(
    name: string,
    newkey: readonly string[],
    above: string | undefined,
    ...extensions: readonly string[]
  ): void {
    const under = above === undefined ? [] : ['-CA', `${above}.crt`, '-CAkey', `${above}.key`];
    openssl(
      ...[
        'req',
        '-x509',
        '-nodes',
        '-days',
        '30',
        '-config',
        'empty.cnf',
        '-subj',
        `/O=Test/CN=${basename(name)}`,
      ],
      ...['-newkey', ...newkey, '-keyout', `${name}.key`, '-out', `${name}.crt`, ...under],
      ...extensions.flatMap((extension) => ['-addext', extension]),
    );
  }

  /** OpenSSL knows the purpose "codesign" from 3.2 on. */
  const knowsCodeSigning = /^OpenSSL 3\.[01]\./.test(
    execFileSync('openssl', ['version'], { encoding: 'utf8' }),
  )
    ? []
    : ['-purpose', 'codesign'];

  const EC = (curve: string): string[] => ['ec', '-pkeyopt', `ec_paramgen_curve:${curve}`];

  describe.each(['P-256', 'P-384'] as const)('a first start with %s', (curve) => {
    const at = (name: string): string => join(folder, curve, name);

    beforeAll(async () => {
      await openInstance({ ...optionsOf('serve'), folder: join(folder, curve), curve });
      writeFileSync(at('ca.crt'), readFileSync(at('ca/intermediate.pem')));
      writeFileSync(at('ca.key'), readFileSync(at('ca/intermediate.key')));
      certify(
        `${curve}/leaf`,
        EC('P-256'),
        `${curve}/ca`,
        'basicConstraints=CA:FALSE',
        'keyUsage=critical,digitalSignature',
        'extendedKeyUsage=codeSigning',
        'authorityKeyIdentifier=keyid:always',
      );
    });

    const verify = (root: string, ...args: readonly string[]): string =>
      openssl('verify', '-x509_strict', '-CAfile', root, ...args);

    test('the chain verifies strictly, down to a leaf', () => {
      const untrusted = ['-untrusted', at('ca/intermediate.pem')];
      expect(verify(at('ca/root.pem'), at('ca/intermediate.pem'))).toContain('OK');
      expect(verify(at('ca/root.pem'), ...knowsCodeSigning, ...untrusted, at('leaf.crt'))).toContain('OK');
    });

    test('the leaf is for no TLS server, and no other root of that name will do', async () => {
      const untrusted = ['-untrusted', at('ca/intermediate.pem')];
      expect(() => verify(at('ca/root.pem'), '-purpose', 'sslserver', ...untrusted, at('leaf.crt'))).toThrow(
        /unsupported certificate purpose|unsuitable certificate purpose/,
      );
      const [, other = ''] = (await ephemeralInstance({ ...optionsOf('serve'), curve })).authority.pem;
      writeFileSync(at('other.pem'), other);
      expect(() => verify(at('other.pem'), ...untrusted, at('leaf.crt'))).toThrow(
        /unable to get local issuer certificate|certificate signature failure/,
      );
    });

    test('a CA below the intermediate breaks its path length', () => {
      certify(
        `${curve}/below`,
        EC('P-256'),
        `${curve}/ca`,
        'basicConstraints=critical,CA:TRUE',
        'keyUsage=critical,keyCertSign',
      );
      certify(`${curve}/deep`, EC('P-256'), `${curve}/below`, 'basicConstraints=CA:FALSE');
      writeFileSync(
        at('untrusted.pem'),
        readFileSync(at('ca/intermediate.pem'), 'utf8') + readFileSync(at('below.crt'), 'utf8'),
      );
      const untrusted = ['-untrusted', at('untrusted.pem')];
      expect(() => openssl('verify', ...untrusted, '-CAfile', at('ca/root.pem'), at('deep.crt'))).toThrow(
        /path length constraint exceeded/,
      );
    });

    test('the fields, as OpenSSL prints them', () => {
      const text = (name: string): string => openssl('x509', '-in', at(name), '-noout', '-text');
      const [root, intermediate] = [text('ca/root.pem'), text('ca/intermediate.pem')];
      expect(root).toMatch(/Version: 3 \(0x2\)/);
      expect(root).toMatch(/Issuer: O ?= ?Mayfly, CN ?= ?Mayfly root\n/);
      expect(root).toMatch(/X509v3 Basic Constraints: critical\s+CA:TRUE, pathlen:1\n/);
      expect(root).toMatch(/X509v3 Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
      expect(root).not.toContain('Extended Key Usage');
      expect(intermediate).toMatch(/Subject: O ?= ?Mayfly, CN ?= ?Mayfly intermediate\n/);
      expect(intermediate).toMatch(/X509v3 Basic Constraints: critical\s+CA:TRUE, pathlen:0\n/);
      expect(intermediate).toMatch(/X509v3 Extended Key Usage: ?\n\s+Code Signing\n/);
      const keyId = /Subject Key Identifier: ?\n\s+([0-9A-F:]+)\n/.exec(root)?.[1] ?? 'none';
      expect(intermediate).toMatch(new RegExp(`Authority Key Identifier: ?\\n\\s+(?:keyid:)?${keyId}\\n`));
      expect(root).toContain(`Signature Algorithm: ecdsa-with-SHA${curve.slice(2)}`);
    });

    test('a timestamp certificate under the root is for timestamps', async () => {
      const signer = nativeSigner(readPrivateKey(readFileSync(at('ca/root.key'), 'utf8')));
      const certificate = new Uint8Array(new X509Certificate(readFileSync(at('ca/root.pem'))).raw);
      const name = { organization: 'Mayfly', commonName: 'Mayfly timestamps' };
      const { random, sha256 } = optionsOf('serve');
      const leaf = await createTimestampCertificate(
        name,
        nativeSigner(ecKey()).publicKey,
        { certificate, signer },
        { random, sha256, now: systemClock.now() },
      );
      writeFileSync(at('tsa.pem'), encodePem('CERTIFICATE', leaf));
      expect(verify(at('ca/root.pem'), '-purpose', 'timestampsign', at('tsa.pem'))).toContain('OK');
    });
  });

  test('an encrypted key opens with its passphrase alone, behind scrypt and AES-256', () => {
    const key = ecKey();
    writeFileSync(join(folder, 'ours.key'), writePrivateKey(key, optionsOf('serve').random, 'correct horse'));
    const pem = openssl('pkey', '-in', 'ours.key', '-passin', 'pass:correct horse', '-pubout');
    expect(createPublicKey(pem).equals(createPublicKey(key))).toBe(true);
    expect(() => openssl('pkey', '-in', 'ours.key', '-passin', 'pass:wrong')).toThrow(
      /Could not (read|find)/,
    );
    const asn1 = openssl('asn1parse', '-in', 'ours.key');
    expect(asn1).toMatch(/OBJECT +:PBES2[\s\S]*OBJECT +:scrypt[\s\S]*OBJECT +:aes-256-cbc/);
  });

  describe('a CA that OpenSSL made', () => {
    test.each([
      ['P-256', EC('P-256')],
      ['P-384', EC('P-384')],
      ['P-521', EC('P-521')],
      ['RSA-2048', ['rsa:2048']],
      ['Ed25519', ['ed25519']],
    ] as const)('%s, root and intermediate', async (kind, newkey) => {
      const ca = 'basicConstraints=critical,CA:TRUE';
      const usage = 'keyUsage=critical,keyCertSign,cRLSign';
      certify(`root-${kind}`, newkey, undefined, ca, usage);
      certify(`ca-${kind}`, newkey, `root-${kind}`, `${ca},pathlen:0`, usage, 'extendedKeyUsage=codeSigning');
      const chain = ['ca', 'root']
        .map((name) => readFileSync(join(folder, `${name}-${kind}.crt`), 'utf8'))
        .join('');
      writeFileSync(join(folder, 'chain.pem'), chain);
      const paths = { chain: join(folder, 'chain.pem'), key: join(folder, `ca-${kind}.key`) };
      const { authority } = await ephemeralInstance({ ...optionsOf('serve'), ca: paths });
      expect(authority.pem.join('')).toBe(chain);
      const digest = openssl('x509', '-in', `ca-${kind}.crt`, '-noout', '-ext', 'subjectKeyIdentifier');
      const hex = Buffer.from(authority.keyIdentifier ?? [])
        .toString('hex')
        .toUpperCase();
      expect(digest.replaceAll(':', '')).toContain(hex);
    });

    test.each([
      ['SEC1 with its parameters', ['ecparam', '-name', 'prime256v1', '-genkey']],
      ['SEC1', ['ecparam', '-name', 'secp384r1', '-genkey', '-noout']],
      ['PKCS#1', ['genrsa', '-traditional', '2048']],
      ['PKCS#8', ['genpkey', '-algorithm', 'ed25519']],
      ['PKCS#8 with PBKDF2', ['genpkey', '-algorithm', 'ed25519', '-aes-256-cbc', '-pass', 'pass:secret']],
      ['PKCS#1 with RFC 1423', ['genrsa', '-traditional', '-aes256', '-passout', 'pass:secret', '2048']],
    ] as const)('key as %s', (_, command) => {
      const pem = openssl(...command);
      writeFileSync(join(folder, 'some.key'), pem);
      const theirs = openssl('pkey', '-in', 'some.key', '-passin', 'pass:secret', '-pubout');
      const ours = createPublicKey(readPrivateKey(pem, 'secret'));
      expect(ours.equals(createPublicKey(theirs))).toBe(true);
    });

    test('PKCS#8 with scrypt, and with the 3DES of old tools', () => {
      writeFileSync(join(folder, 'old.key'), openssl('genpkey', '-algorithm', 'ed25519'));
      const theirs = createPublicKey(readFileSync(join(folder, 'old.key')));
      for (const way of [['-scrypt'], ['-v1', 'PBE-SHA1-3DES']]) {
        const pem = openssl('pkcs8', '-topk8', '-in', 'old.key', '-passout', 'pass:secret', ...way);
        expect(createPublicKey(readPrivateKey(pem, 'secret')).equals(theirs)).toBe(true);
      }
    });
  });
});
