// OpenSSL judges certificates that an instance issued over HTTP: chain, dates, names, extensions and their bytes, for its
// own CA and for CAs of every kind of key that OpenSSL made.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startInstance, type TestInstance } from '../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import type { Issued } from '../fakes/signing-client.ts';
import { describeWith } from '../fakes/skip.ts';
import { ACCEPTED } from '../vectors/key-pairs.ts';

describeWith('openssl', 'OpenSSL', () => {
  const EMAIL = 'dana@example.org';
  let folder: string;
  let people: FakeIssuer;
  let users: FakeIssuer;
  let instance: TestInstance;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mayfly-issuance-'));
    writeFileSync(join(folder, 'empty.cnf'), '[req]\ndistinguished_name = dn\n[dn]\n');
    people = await startIssuer({
      path: '/people',
      claims: { email: EMAIL, email_verified: true, sub: 's-1' },
    });
    users = await people.sibling('/users', { claims: { sub: 'däna' } });
    instance = await startInstance({ issuers: [...trusted()] });
  });
  afterAll(async () => {
    await instance.close();
    await people.close();
    rmSync(folder, { recursive: true });
  });

  const trusted = () => [
    { issuer: people, type: 'email' },
    { issuer: users, type: 'username', 'subject-domain': '127.0.0.1' },
  ];

  const openssl = (...args: readonly string[]): string =>
    execFileSync('openssl', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

  /** What OpenSSL says against the leaf at a time; undefined when it verifies. */
  function objection({ chain }: Issued, milliseconds: number): string | undefined {
    const [leaf = '', ...authorities] = chain;
    writeFileSync(join(folder, 'leaf.pem'), leaf);
    writeFileSync(join(folder, 'between.pem'), authorities.slice(0, -1).join('\n'));
    writeFileSync(join(folder, 'root.pem'), authorities.at(-1) ?? '');
    const between = authorities.length > 1 ? ['-untrusted', 'between.pem'] : [];
    const at = String(Math.floor(milliseconds / 1000));
    try {
      openssl('verify', '-x509_strict', '-CAfile', 'root.pem', ...between, '-attime', at, 'leaf.pem');
      return undefined;
    } catch (error) {
      return String((error as { stderr?: string }).stderr);
    }
  }

  test.each(ACCEPTED.map(([kind]) => kind))(
    'verifies a leaf for %s within its ten minutes and no longer',
    async (key) => {
      const issued = await instance.issue({ token: await people.sign(), key });
      const { notBefore, notAfter } = issued.leaf;
      expect(objection(issued, notBefore)).toBeUndefined();
      expect(objection(issued, notAfter - 1000)).toBeUndefined();
      expect(objection(issued, notBefore - 1000)).toContain('not yet valid');
      expect(objection(issued, notAfter + 1000)).toContain('has expired');
    },
  );

  test('reads every field', async () => {
    const issued = await instance.issue({ token: await people.sign() });
    writeFileSync(join(folder, 'leaf.pem'), issued.chain[0] ?? '');
    const text = openssl('x509', '-in', 'leaf.pem', '-noout', '-text', '-nameopt', 'utf8,sep_comma_plus');
    expect(text).toContain('Version: 3 (0x2)');
    expect(text).toMatch(/Subject: ?\n/);
    expect(text).toMatch(/X509v3 Key Usage: critical\s+Digital Signature\n/);
    expect(text).toMatch(/X509v3 Extended Key Usage: ?\n\s+Code Signing\n/);
    expect(text).toMatch(/X509v3 Subject Key Identifier: ?\n\s+(?:[0-9A-F]{2}:){31}[0-9A-F]{2}\n/);
    expect(text).toMatch(
      /X509v3 Authority Key Identifier: ?\n\s+(?:keyid:)?(?:[0-9A-F]{2}:){19}[0-9A-F]{2}\n/,
    );
    expect(text).toMatch(/X509v3 Subject Alternative Name: critical\s+email:dana@example\.org\n/);
    expect(text).toMatch(new RegExp(`1\\.3\\.6\\.1\\.4\\.1\\.57264\\.1\\.1: ?\\n\\s+${people.url}`));
    expect(text).toMatch(/1\.3\.6\.1\.4\.1\.57264\.1\.24: ?\n\s+\.\.s-1\n/);
    expect(text).toMatch(
      /CT Precertificate SCTs: ?\n\s+Signed Certificate Timestamp:\n\s+Version +: v1 \(0x0\)/,
    );
    expect(text).toMatch(/Signature : ecdsa-with-SHA256/);
    expect(text.match(/Signed Certificate Timestamp:/g)).toHaveLength(1);
    expect(text).not.toMatch(/critical\s+\n\s+1\.3\.6/);
  });

  test('reads the name of a user', async () => {
    const issued = await instance.issue({ token: await users.sign() });
    writeFileSync(join(folder, 'leaf.pem'), issued.chain[0] ?? '');
    const parsed = openssl('asn1parse', '-in', 'leaf.pem', '-i');
    const at =
      /^ *(\d+):d=\d+ +hl=\d l= *\d+ prim: +OCTET STRING +\[HEX DUMP\]:30[0-9A-F]*A0[0-9A-F]*64C3A46E61/m.exec(
        parsed,
      );
    expect(at).not.toBeNull();
    const name = openssl('asn1parse', '-in', 'leaf.pem', '-i', '-strparse', at?.[1] ?? '');
    expect(name).toMatch(/OBJECT +:1\.3\.6\.1\.4\.1\.57264\.1\.7\n/);
    expect(name).toMatch(/UTF8STRING +:däna!127\.0\.0\.1/);
    expect(objection(issued, issued.leaf.notBefore)).toBeUndefined();
  });

  /** A root and an issuing CA below it; the paths of its chain and key. */
  function makeCa(name: string, newkey: readonly string[]): { chain: string; key: string } {
    const make = (file: string, above: string | undefined, ...extensions: readonly string[]): void => {
      const under = above === undefined ? [] : ['-CA', `${above}.crt`, '-CAkey', `${above}.key`];
      openssl(
        ...['req', '-x509', '-nodes', '-days', '30', '-config', 'empty.cnf', '-subj', `/O=Test/CN=${file}`],
        ...['-newkey', ...newkey, '-keyout', `${file}.key`, '-out', `${file}.crt`, ...under],
        ...extensions.flatMap((one) => ['-addext', one]),
      );
    };
    const usage = 'keyUsage=critical,keyCertSign,cRLSign';
    make(`${name}-root`, undefined, 'basicConstraints=critical,CA:TRUE', usage);
    const limits = 'basicConstraints=critical,CA:TRUE,pathlen:0';
    make(`${name}-ca`, `${name}-root`, limits, usage, 'extendedKeyUsage=codeSigning');
    const chain = join(folder, `${name}-chain.pem`);
    const texts = [`${name}-ca`, `${name}-root`].map((file) => openssl('x509', '-in', `${file}.crt`));
    writeFileSync(chain, texts.join(''));
    return { chain, key: join(folder, `${name}-ca.key`) };
  }

  test.each<[string, readonly string[], string]>([
    ['P-256', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], 'ecdsa-with-SHA256'],
    ['P-384', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'], 'ecdsa-with-SHA384'],
    ['P-521', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-521'], 'ecdsa-with-SHA512'],
    ['RSA-2048', ['rsa:2048'], 'sha256WithRSAEncryption'],
    ['Ed25519', ['ed25519'], 'ED25519'],
  ])('verifies leaves of a CA with a %s key', async (name, newkey, algorithm) => {
    const ca = makeCa(name, newkey);
    const other = await startInstance({ issuers: trusted(), settings: { ca } });
    try {
      const issued = await other.issue({ token: await people.sign() });
      expect(issued.chain).toHaveLength(3);
      expect(objection(issued, issued.leaf.notBefore)).toBeUndefined();
      const text = openssl('x509', '-in', 'leaf.pem', '-noout', '-text');
      expect(text.match(new RegExp(`Signature Algorithm: ${algorithm}`, 'g'))).toHaveLength(2);
      expect(text).toContain(`Issuer: O = Test, CN = ${name}-ca`);
    } finally {
      await other.close();
    }
  });
});
