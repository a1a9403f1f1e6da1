import { createPublicKey, generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { encodePem } from '../../../src/encoding/pem.ts';
import { openTransitSigner, type TransitOptions } from '../../../src/node/keys/kms-signer.ts';
import { send } from '../../fakes/client.ts';
import { entryOf } from '../../fakes/instance.ts';
import { startIssuer } from '../../fakes/issuer.ts';
import { FREE_PORTS, run, serve } from '../../fakes/process.ts';
import { issuedBy, request } from '../../fakes/signing-client.ts';
import { describeWith } from '../../fakes/skip.ts';
import { TOKEN, Transit } from '../../fakes/transit.ts';
import { makePair } from '../certificate/made-chain.ts';

const spkiOf = (key: KeyObject): Uint8Array<ArrayBuffer> =>
  new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mayfly-kms-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

let transit: Transit;
beforeEach(async () => {
  transit = new Transit(folder);
  await transit.listen();
});
afterEach(() => transit.close());

const ec = (namedCurve = 'P-256'): KeyObject => generateKeyPairSync('ec', { namedCurve }).privateKey;

describeWith('openssl', 'a key in Transit', () => {
  const optionsFor = (key: KeyObject, more: Partial<TransitOptions> = {}): TransitOptions => ({
    url: transit.url,
    key: 'ca',
    mount: 'transit',
    timeout: 2_000,
    token: () => TOKEN,
    publicKey: spkiOf(key),
    ...more,
  });
  const message = Buffer.from('what is signed');

  test.each<[string, () => KeyObject, string | null]>([
    ['P-256', () => ec(), 'sha256'],
    ['P-384', () => ec('P-384'), 'sha384'],
    ['P-521', () => ec('P-521'), 'sha512'],
    ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, 'sha256'],
    ['Ed25519', () => generateKeyPairSync('ed25519').privateKey, null],
  ])('%s: what it signs verifies', async (_, make, hash) => {
    const key = make();
    transit.versions.push(key);
    const signer = await openTransitSigner(optionsFor(key));
    expect(verify(hash, message, createPublicKey(key), await signer.sign(message))).toBe(true);
  });

  test('the version of the certificate goes on signing after a rotation in the service', async () => {
    const [old, current] = [ec(), ec()];
    transit.versions.push(old, current);
    const signer = await openTransitSigner(optionsFor(old));
    expect(verify('sha256', message, createPublicKey(old), await signer.sign(message))).toBe(true);
    await expect(openTransitSigner(optionsFor(ec()))).rejects.toThrow(/no version of the key ca/);
  });

  test('a token that was renewed in its file is used', async () => {
    const key = ec();
    transit.versions.push(key);
    let token = TOKEN;
    const signer = await openTransitSigner(optionsFor(key, { token: () => token }));
    transit.token = 'another';
    await expect(signer.sign(message)).rejects.toThrow(/answered 403 .*: the token may not do that/);
    token = 'another';
    expect((await signer.sign(message)).length).toBeGreaterThan(60);
  });

  test.each<[Transit['behaviour'], RegExp]>([
    ['hang', /did not answer within 300 ms/],
    ['cut', /cannot be used for signing/],
    ['sealed', /answered 503/],
    ['nonsense', /cannot be used for signing/],
  ])('a service that does %s rejects, without the token in the words', async (behaviour, words) => {
    const key = ec();
    transit.versions.push(key);
    const signer = await openTransitSigner(optionsFor(key, { timeout: 300 }));
    transit.behaviour = behaviour;
    const failure = await Promise.resolve(signer.sign(message)).then(String, (error: Error) => error.message);
    expect(failure).toMatch(words);
    expect(failure).not.toContain(TOKEN);
  });

  test('one failure on their side is asked once more', async () => {
    const key = ec();
    transit.versions.push(key);
    const signer = await openTransitSigner(optionsFor(key));
    transit.behaviour = 'once-500';
    expect((await signer.sign(message)).length).toBeGreaterThan(60);
  });

  describe('as the CA of an instance', () => {
    async function configured(): Promise<{ file: string; people: Awaited<ReturnType<typeof startIssuer>> }> {
      const people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
      const now = Date.now();
      const validity = { notBefore: now - 86_400_000, notAfter: now + 365 * 86_400_000 };
      const key = ec();
      transit.versions.push(key);
      const { chain } = makePair({ ...validity, key }, validity);
      const chainFile = join(folder, 'chain.pem');
      writeFileSync(chainFile, chain.map((der) => encodePem('CERTIFICATE', der)).join(''));
      const tokenFile = join(folder, 'token');
      writeFileSync(tokenFile, `${TOKEN}\n`, { mode: 0o600 });
      const file = join(folder, 'mayfly.yaml');
      const vault = { url: transit.url, key: 'ca', 'token-file': tokenFile, timeout: '1s' };
      const issuers = [entryOf({ issuer: people, type: 'email' })];
      writeFileSync(file, stringify({ ca: { chain: chainFile, vault }, issuers }));
      return { file, people };
    }

    test('issues; 503 while the service is away, sealed or slow; good again after', async () => {
      const { file, people } = await configured();
      const server = await serve(['--config', file, '--ephemeral']);
      const ask = async () => request(server.url, { token: await people.sign() });
      try {
        const { leaf, authority } = issuedBy(await ask());
        expect(leaf.x509.verify(authority.x509.publicKey)).toBe(true);
        for (const behaviour of ['sealed', 'cut', 'hang'] as const) {
          transit.behaviour = behaviour;
          const refused = await ask();
          expect([refused.status, refused.json]).toMatchObject([
            503,
            { code: 14, message: 'error communicating with CA backend' },
          ]);
          const ready = await send(server.url, '/readyz');
          expect([ready.status, ready.text]).toEqual([503, expect.stringContaining('"signer"')]);
        }
        transit.behaviour = 'answer';
        expect((await ask()).status).toBe(200);
        expect((await send(server.url, '/readyz')).status).toBe(200);
      } finally {
        await server.stop();
        await people.close();
      }
    });

    test('a version of the key that the service has made since is certified by an offline root, and signs next', {
      timeout: 60_000,
    }, async () => {
      const { file, people } = await configured();
      const [root, csr, chain] = ['root', 'it.csr', 'it.pem'].map((name) => join(folder, name));
      const where = ['--config', file, '--data', join(folder, 'data')];
      const command = async (...args: readonly (string | undefined)[]): Promise<void> => {
        const { code, stderr } = await run(['ca', ...args.map(String)]);
        expect([args, code, stderr]).toEqual([args, 0, '']);
      };
      const server = await serve(where);
      try {
        const [old] = transit.versions;
        const current = ec();
        transit.versions.push(current);
        const issuing = async (): Promise<Uint8Array> => {
          const { authority } = issuedBy(await request(server.url, { token: await people.sign() }));
          return new Uint8Array(authority.x509.publicKey.export({ type: 'spki', format: 'der' }));
        };
        await command('init', '--offline-root', root);
        await command('csr', ...where, '--out', csr);
        await command('sign', csr, '--root', root, '--out', chain);
        await command('import', chain, ...where);
        expect(old && spkiOf(old)).toEqual(await issuing());
        await command('rotate', ...where, '--activate');
        await vi.waitFor(async () => expect(await issuing()).toEqual(spkiOf(current)), {
          timeout: 20_000,
          interval: 50,
        });
      } finally {
        await server.stop();
        await people.close();
      }
    });

    test('does not start without the service, and says why', async () => {
      const { file, people } = await configured();
      transit.token = 'another';
      const ended = await run(['serve', ...FREE_PORTS, '--config', file, '--ephemeral']);
      expect([ended.code, ended.stderr]).toEqual([1, expect.stringMatching(/answered 403 to keys\/ca/)]);
      expect(ended.stderr).not.toContain(TOKEN);
      await people.close();
    });
  });
});
