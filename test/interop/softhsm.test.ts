import { execFileSync } from 'node:child_process';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { createIntermediate, createRoot } from '../../src/certificate/ca-certificate.ts';
import { instantOf } from '../../src/clock.ts';
import { encodePem } from '../../src/encoding/pem.ts';
import { makeEcdsaKey } from '../../src/node/keys/new-ca.ts';
import {
  CKA_LABEL,
  CKF_OS_LOCKING_OK,
  CKF_SERIAL_SESSION,
  CKU_USER,
  type Cryptoki,
  type Handle,
  loadModule,
} from '../../src/node/keys/pkcs11-module.ts';
import { openPkcs11Signer } from '../../src/node/keys/pkcs11-signer.ts';
import { sha256 } from '../../src/node/system/native-digest.ts';
import { nativeRandom as random } from '../../src/node/system/native-random.ts';
import { nativeSigner } from '../../src/node/system/native-signer.ts';
import { send } from '../fakes/client.ts';
import { entryOf } from '../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../fakes/issuer.ts';
import { FREE_PORTS, type RunningServer, run, serve } from '../fakes/process.ts';
import { issuedBy, request } from '../fakes/signing-client.ts';
import { describeWith } from '../fakes/skip.ts';

const MODULE = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
].find((path) => existsSync(path));
const PIN = '73519';
const OTHER_PIN = '11111';

/** Of attribute types, and what is made with them (PKCS#11 2.40). */
const CKA = {
  token: 0x1,
  private: 0x2,
  verify: 0x10a,
  sign: 0x108,
  sensitive: 0x103,
  extractable: 0x162,
  modulusBits: 0x121,
  modulus: 0x120,
  exponent: 0x122,
  ecParams: 0x180,
  ecPoint: 0x181,
};
const CKM_RSA_PKCS_KEY_PAIR_GEN = 0x0;
const CKM_EC_KEY_PAIR_GEN = 0x1040;
const CURVES = { 'P-256': '06082a8648ce3d030107', 'P-384': '06052b81040022' };

type Template = readonly { readonly type: number; readonly value?: unknown }[];
interface Generator extends Cryptoki {
  C_GenerateKeyPair(
    session: Handle,
    mechanism: { readonly mechanism: number },
    publicKey: Template,
    privateKey: Template,
  ): { readonly publicKey: Handle };
  C_GetAttributeValue(session: Handle, object: Handle, template: Template): { readonly value: Buffer }[];
}

const installed = await loadModule('/nonexistent').catch((failure: Error) => failure.message);
const missing = String(installed).includes('npm install pkcs11js');
if (missing) console.warn('SKIPPED PKCS#11: pkcs11js could not be compiled here');

describeWith('softhsm2', 'a CA whose key is in SoftHSM2', () => {
  describe.skipIf(missing || MODULE === undefined)('', () => {
    let folder: string;
    let tokens: string;
    let people: FakeIssuer;
    let conf: string;
    let server: RunningServer | undefined;

    beforeAll(async () => {
      people = await startIssuer({ claims: { email: 'dana@example.org', email_verified: true } });
      folder = mkdtempSync(join(tmpdir(), 'mayfly-softhsm-'));
      tokens = join(folder, 'tokens');
      mkdirSync(tokens);
      conf = join(folder, 'softhsm2.conf');
      writeFileSync(
        conf,
        `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`,
      );
      process.env['SOFTHSM2_CONF'] = conf;
      const init = ['--init-token', '--free', '--label', 'mayfly', '--pin', PIN, '--so-pin', '99999'];
      execFileSync('softhsm2-util', init, { stdio: 'ignore' });
      await generate();
    });
    afterEach(async () => {
      await server?.stop();
      server = undefined;
    });
    afterAll(async () => {
      await people.close();
      rmSync(folder, { recursive: true });
    });

    const spkis = new Map<string, Uint8Array<ArrayBuffer>>();

    /** Keys that are made in the token and never leave it. */
    async function generate(): Promise<void> {
      const module = (await loadModule(MODULE ?? '')) as Generator; // pkcs11js has them all
      module.C_Initialize({ flags: CKF_OS_LOCKING_OK });
      const slot = module
        .C_GetSlotList(true)
        .find((one) => module.C_GetTokenInfo(one).label.trim() === 'mayfly');
      if (slot === undefined) throw new Error('the token is not there');
      const session = module.C_OpenSession(slot, CKF_SERIAL_SESSION | 0x2); // CKF_RW_SESSION
      module.C_Login(session, CKU_USER, PIN);
      const make = (label: string, mechanism: number, own: Template): Handle =>
        module.C_GenerateKeyPair(
          session,
          { mechanism },
          [
            { type: CKA.token, value: true },
            { type: CKA.verify, value: true },
            { type: CKA_LABEL, value: label },
            ...own,
          ],
          [
            { type: CKA.token, value: true },
            { type: CKA.private, value: true },
            { type: CKA.sensitive, value: true },
            { type: CKA.extractable, value: false },
            { type: CKA.sign, value: true },
            { type: CKA_LABEL, value: label },
          ],
        ).publicKey;
      const read = (key: Handle, type: number): Buffer =>
        module.C_GetAttributeValue(session, key, [{ type }])[0]?.value ?? Buffer.of();
      for (const [curve, parameters] of Object.entries(CURVES)) {
        const key = make(curve, CKM_EC_KEY_PAIR_GEN, [
          { type: CKA.ecParams, value: Buffer.from(parameters, 'hex') },
        ]);
        const point = read(key, CKA.ecPoint).subarray(2); // out of its OCTET STRING
        const size = (point.length - 1) / 2;
        const [x, y] = [point.subarray(1, 1 + size), point.subarray(1 + size)].map((n) =>
          n.toString('base64url'),
        );
        remember(curve, { kty: 'EC', crv: curve, x, y });
      }
      const rsa = make('RSA', CKM_RSA_PKCS_KEY_PAIR_GEN, [
        { type: CKA.modulusBits, value: 2048 },
        { type: CKA.exponent, value: Buffer.of(1, 0, 1) },
      ]);
      const [n, e] = [CKA.modulus, CKA.exponent].map((type) => read(rsa, type).toString('base64url'));
      remember('RSA', { kty: 'RSA', n, e });
      for (let i = 0; i < 2; i++)
        make('twice', CKM_EC_KEY_PAIR_GEN, [
          { type: CKA.ecParams, value: Buffer.from(CURVES['P-256'], 'hex') },
        ]);
      module.C_Finalize();
      module.close();
    }

    function remember(label: string, jwk: Record<string, unknown>): void {
      const spki = createPublicKey({ key: jwk, format: 'jwk' }).export({ format: 'der', type: 'spki' });
      spkis.set(label, new Uint8Array(spki));
    }

    /** A configuration whose CA is the key of that label, certified by a root whose key is thrown away. */
    async function configured(
      label: string,
      { pin = PIN, token = 'mayfly', keyLabel = label } = {},
    ): Promise<string> {
      const creation = { random, sha256, now: instantOf(Date.now()) };
      const signer = nativeSigner(makeEcdsaKey());
      const root = await createRoot({ organization: 'HSM', commonName: 'root' }, signer, creation);
      const spki = spkis.get(label) ?? Uint8Array.of();
      const parent = { certificate: root, signer };
      const ca = await createIntermediate({ organization: 'HSM', commonName: label }, spki, parent, creation);
      const chain = join(folder, `${label}.pem`);
      writeFileSync(chain, [ca, root].map((der) => encodePem('CERTIFICATE', der)).join(''));
      const pinFile = join(folder, 'pin');
      writeFileSync(pinFile, `${pin}\n`, { mode: 0o600 });
      const file = join(folder, `${label}.yaml`);
      const pkcs11 = { module: MODULE, token, 'pin-file': pinFile, 'key-label': keyLabel };
      const issuers = [entryOf({ issuer: people, type: 'email' })];
      writeFileSync(file, stringify({ ca: { chain, pkcs11 }, issuers, 'rate-limits': 'off' }));
      return file;
    }
    const started = async (file: string): Promise<RunningServer> => {
      server = await serve(['--config', file, '--ephemeral'], { env: { SOFTHSM2_CONF: conf } });
      return server;
    };
    const ask = async ({ url }: RunningServer) => request(url, { token: await people.sign() });

    test.each(['P-256', 'P-384', 'RSA'])('issues with %s, also after a restart', async (label) => {
      const file = await configured(label);
      for (let start = 0; start < 2; start++) {
        const running = await started(file);
        const { leaf, authority } = issuedBy(await ask(running));
        expect(leaf.x509.verify(authority.x509.publicKey)).toBe(true);
        expect(new X509Certificate(authority.der).subject).toContain(`CN=${label}`);
        expect((await running.stop()).code).toBe(0);
      }
    });

    test('many at once wait for few sessions', async () => {
      const running = await started(await configured('P-256'));
      const answers = await Promise.all(Array.from({ length: 40 }, () => ask(running)));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    });

    test.each<[string, object, RegExp, number?]>([
      ['another token', { token: 'other' }, /no PKCS#11 token "other"; there is mayfly/],
      ['another label', { keyLabel: 'other' }, /no private EC key "other"/],
      ['a label of two keys', { keyLabel: 'twice' }, /several private EC keys "twice"/],
      ["another certificate's key", { keyLabel: 'P-384' }, /does not verify|did not sign/],
      ['another PIN', { pin: OTHER_PIN }, /token "mayfly" refuses the PIN \(CKR_PIN_INCORRECT\)/, 3],
    ])('%s: does not start, and says why', async (_, wrong, words, exitCode = 1) => {
      const file = await configured('P-256', wrong);
      const ended = await run(['serve', ...FREE_PORTS, '--config', file, '--ephemeral'], {
        env: { SOFTHSM2_CONF: conf },
      });
      expect([ended.code, ended.stderr]).toEqual([exitCode, expect.stringMatching(words)]);
      expect(ended.stderr).not.toMatch(new RegExp(`${PIN}|${OTHER_PIN}|^\\s+at `, 'm'));
    });

    test('a token that is gone: 503 and not ready; good again when it is back', async () => {
      const running = await started(await configured('P-256'));
      expect((await ask(running)).status).toBe(200);
      const away = join(folder, 'away');
      renameSync(tokens, away);
      mkdirSync(tokens);
      try {
        await vi.waitFor(async () => expect((await ask(running)).status).toBe(503), {
          timeout: 20_000,
          interval: 50,
        });
        const refused = await ask(running);
        expect(refused.json).toMatchObject({ code: 14, message: 'error communicating with CA backend' });
        expect(refused.headers['retry-after']).toMatch(/^\d+$/);
        const ready = await send(running.url, '/readyz');
        expect([ready.status, ready.text]).toEqual([503, expect.stringContaining('"signer"')]);
      } finally {
        rmSync(tokens, { recursive: true });
        renameSync(away, tokens);
      }
      await vi.waitFor(async () => expect((await ask(running)).status).toBe(200), {
        timeout: 20_000,
        interval: 50,
      });
      expect((await send(running.url, '/readyz')).status).toBe(200);
    });

    test('a PIN that was changed is tried once by a worker that takes the place of another, and not again', {
      timeout: 60_000,
    }, async () => {
      const file = await configured('P-256');
      const words = ['--config', file, '--data', join(folder, 'workers'), '--workers', '2'];
      const running = await serve(words, { env: { SOFTHSM2_CONF: conf } });
      server = running;
      writeFileSync(join(folder, 'pin'), OTHER_PIN);
      const listed = execFileSync('ps', ['--ppid', String(running.child.pid), '-o', 'pid='], {
        encoding: 'utf8',
      });
      process.kill(Number.parseInt(listed, 10), 'SIGKILL');
      await running.saying(/cannot be started before a restart: the token would lock itself/);
      expect(running.output.stderr.match(/cannot be started/g)).toHaveLength(1);
      expect((await ask(running)).status).toBe(200); // by the other one
    });

    test('an offline root certifies a key of the token, and another in a rotation while it serves', {
      timeout: 60_000,
    }, async () => {
      const env = { SOFTHSM2_CONF: conf };
      const file = await configured('P-256');
      const [root, data, chain] = ['root', 'data', 'P-256.pem'].map((name) => join(folder, name));
      rmSync(chain ?? '');
      const command = async (...args: readonly string[]): Promise<Record<string, unknown>> => {
        const { code, stdout, stderr } = await run(['ca', ...args, '--json'], { env });
        expect([code, stderr, stdout]).toEqual([0, '', expect.any(String)]);
        return JSON.parse(stdout) as Record<string, unknown>;
      };
      await command('init', '--offline-root', root ?? '');
      const where = ['--config', file, '--data', data ?? ''];
      const certify = async (...more: readonly string[]): Promise<Record<string, unknown>> => {
        const [request, signed] = [join(folder, 'it.csr'), join(folder, 'it.pem')];
        await command('csr', ...where, '--out', request, ...more);
        await command('sign', request, '--root', root ?? '', '--out', signed);
        return command('import', signed, ...where);
      };
      expect(await certify()).toMatchObject({
        as: 'in-force',
        files: [chain],
        chain: [{ key: 'EC P-256' }, {}],
      });
      server = await serve(where, { env });
      const running = server;
      expect((await ask(running)).status).toBe(200);
      for (const [label, key] of [
        ['RSA', 'RSA 2048'],
        ['P-384', 'EC P-384'],
      ] as const) {
        expect(await certify('--key-label', label)).toMatchObject({ as: 'next', chain: [{ key }, {}] });
        await command('rotate', ...where, '--activate');
        await vi.waitFor(
          async () => {
            const { leaf, authority } = issuedBy(await ask(running));
            expect(spkis.get(label)).toEqual(
              new Uint8Array(authority.x509.publicKey.export({ type: 'spki', format: 'der' })),
            );
            expect(leaf.x509.verify(authority.x509.publicKey)).toBe(true);
          },
          { timeout: 20_000, interval: 50 },
        );
      }
      await running.stop();
      server = await serve(where, { env });
      const { publicKey } = issuedBy(await ask(server)).authority.x509;
      expect(publicKey.asymmetricKeyDetails?.namedCurve).toBe('secp384r1');
    });

    test('Ed25519 is told from what a token signs with', async () => {
      const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.alloc(32, 1)]);
      const place = { module: MODULE ?? '', token: 'mayfly', keyLabel: 'x', pin: PIN };
      await expect(openPkcs11Signer({ ...place, publicKey: new Uint8Array(spki) })).rejects.toThrow(
        /ECDSA or RSA/,
      );
    });
  });
});
