import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { readLeaf } from '../../../src/certificate/leaf.ts';
import { parseSettings, type Settings } from '../../../src/config/settings.ts';
import type { RemoteLogSettings } from '../../../src/config/transparency-settings.ts';
import { base64 } from '../../../src/encoding/bytes.ts';
import { encodePem } from '../../../src/encoding/pem.ts';
import { leafIndexOf } from '../../../src/log/entry.ts';
import { type KnownLog, LogClient, readLogDocument } from '../../../src/log/log-client.ts';
import { type LogService, startLogService } from '../../../src/node/log-service.ts';
import { type Service, startService } from '../../../src/node/service.ts';
import { silentLogger } from '../../../src/node/system/logger.ts';
import { nativeVerifier } from '../../../src/node/system/native-verifier.ts';
import { send } from '../../fakes/client.ts';
import { KINDS, startInstance } from '../../fakes/instance.ts';
import { type FakeIssuer, startIssuer } from '../../fakes/issuer.ts';
import { type Issued, issue } from '../../fakes/signing-client.ts';
import { startWitness, type WitnessedLogKey } from '../../fakes/witness.ts';
import { hierarchy, precertificate } from '../log/precertificates.ts';
import { sha256, temporaryFolder } from '../log/support.ts';

const TOKEN = 'a-token-for-submissions';
let issuer: FakeIssuer;
const running: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  issuer = await startIssuer();
});
afterAll(() => issuer.close());
afterEach(async () => {
  for (const service of running.splice(0).toReversed()) await service.close();
});

const settingsOf = (text: string): Settings =>
  parseSettings(text, { fileName: 'the test', kinds: KINDS }).settings;

async function startLog(settings: Partial<Settings>, data?: string): Promise<LogService> {
  const service = await startLogService({
    settings: {
      ...settingsOf(''),
      role: 'log',
      port: 0,
      metricsPort: 0,
      ...(data !== undefined && { data }),
      ...settings,
    },
    kind: 'serve',
    ephemeral: data === undefined,
    logger: silentLogger,
  });
  running.push(service);
  return service;
}

/** The CA of a data folder that has issued nothing yet; its root in PEM. */
async function newAuthority(): Promise<{ readonly data: string; readonly root: string }> {
  const data = `${temporaryFolder()}/data`;
  const instance = await startInstance({ settings: { role: 'ca', log: 'none' }, data });
  await instance.close();
  return { data, root: readFileSync(`${data}/ca/root.pem`, 'utf8') };
}

interface Ca extends Service {
  issue(email: string): Promise<Issued>;
}

async function startCa(data: string, ...logs: RemoteLogSettings[]): Promise<Ca> {
  const people = { 'issuer-url': issuer.url, audiences: ['sigstore'], type: 'email' };
  const service = await startService({
    settings: {
      ...settingsOf(stringify({ issuers: [people], 'rate-limits': 'off' })),
      role: 'ca',
      log: { kind: 'remote', logs },
      port: 0,
      grpcPort: 0,
      metricsPort: 0,
      data,
    },
    kind: 'serve',
    ephemeral: false,
    logger: silentLogger,
  });
  running.push(service);
  const token = (email: string): Promise<string> => issuer.sign({ email, email_verified: true });
  return { ...service, issue: async (email) => issue(service.url, { token: await token(email) }) };
}

async function logOf({ url }: LogService): Promise<KnownLog & { readonly monitoringUrl: string }> {
  const { text } = await send(url, '/.well-known/mayfly/log.json');
  const known = readLogDocument(text);
  if (known === undefined) throw new Error(text);
  return known;
}

describe('roles', () => {
  it('ca and log: the SCT verifies with the key of the log, and the entry is in its tree', async () => {
    const { data, root } = await newAuthority();
    const folder = `${temporaryFolder()}/data`;
    const log = await startLog({ logRoots: root, logBearers: [TOKEN] }, folder);
    const known = await logOf(log);
    expect(known.monitoringUrl).toBe(log.prefix);
    const publicKey = encodePem('PUBLIC KEY', known.publicKey);
    const stranger = await startCa(data, { url: log.prefix, publicKey });
    await expect(stranger.issue('early@example.com')).rejects.toThrow('503');
    await stranger.close();
    const ca = await startCa(data, { url: log.prefix, publicKey, bearer: TOKEN });
    const issued = await ca.issue('me@example.com');
    const leaf = readLeaf(new Uint8Array(issued.leaf.der));
    const [sct] = leaf.scts;
    if (sct === undefined) throw new Error('no SCT');
    const keyHash = sha256(issued.authority.x509.publicKey.export({ type: 'spki', format: 'der' }));
    const client = new LogClient({
      log: known,
      get: async (path) => {
        const response = await fetch(log.prefix + path);
        return response.ok ? new Uint8Array(await response.arrayBuffer()) : undefined;
      },
      sha256,
      verifier: nativeVerifier,
    });
    expect(await client.verifySct(sct, keyHash, leaf.precertTbs)).toBe(true);
    const index = leafIndexOf(sct.extensions) ?? -1;
    expect(index).toBe(0);
    await log.published(index);
    await client.verifyInclusion(await client.treeHead(), index, sct, keyHash, leaf.precertTbs);

    // Trust documents of the CA name the log, so that clients accept its SCTs.
    const trusted = (await send(ca.url, '/.well-known/mayfly/trusted_root.json')).text;
    expect(trusted).toContain(base64(known.publicKey));
    // The CA serves no log of its own.
    expect((await send(ca.url, '/log/checkpoint')).status).toBe(404);
    const { text } = await send(log.metricsUrl, '/metrics');
    expect(text).toContain('mayfly_log_tree_size 1');
    expect(text).toContain('mayfly_log_submissions_total{result="logged",reason=""} 1');
    expect(text).toContain('mayfly_log_submissions_total{result="refused",reason="SUBMITTER_UNKNOWN"} 1');
  });

  it('a log whose queue is full refuses at once', async () => {
    const { data, root } = await newAuthority();
    const pressure = { ...settingsOf('').pressure, queue: 0 };
    const log = await startLog({ logRoots: root, pressure });
    const ca = await startCa(data, { url: log.prefix, deadlineMs: 50 });
    await expect(ca.issue('me@example.com')).rejects.toThrow('503');
    const { text } = await send(log.metricsUrl, '/metrics');
    expect(text).toContain('mayfly_log_submissions_total{result="refused",reason="OVERLOADED"} 1');
    expect(text).toContain('mayfly_queue_refused_total 1');
  });

  it('one SCT comes from the first log that answers', async () => {
    const { data, root } = await newAuthority();
    const log = await startLog({ logRoots: root });
    const publicKey = encodePem('PUBLIC KEY', (await logOf(log)).publicKey);
    const ca = await startCa(
      data,
      { url: 'http://127.0.0.1:1', deadlineMs: 50 },
      { url: log.prefix, publicKey },
    );
    const issued = await ca.issue('me@example.com');
    expect(readLeaf(new Uint8Array(issued.leaf.der)).scts).toHaveLength(1);
  });

  it('the log goes on with its tree and its name where it is opened again, also beside a CA', async () => {
    const { data, root } = await newAuthority();
    const first = await startLog({ logRoots: root }, data);
    const known = await logOf(first);
    const ca = await startCa(`${data}-other`, { url: first.prefix });
    // It is not one of the log's CAs.
    await expect(ca.issue('me@example.com')).rejects.toThrow('503');
    await first.close();
    running.shift();
    const again = await startLog({ logRoots: root }, data);
    expect(await logOf(again)).toMatchObject({ origin: known.origin, publicKey: known.publicKey });
    const both = startInstance({ data });
    await expect(both).rejects.toThrow('in use by another process');
  });

  it.each<[string, Partial<Settings>, string]>([
    ['without CAs', {}, 'needs the CA certificates'],
    ['with a file that holds none', { logRoots: 'nothing' }, 'holds no CERTIFICATE'],
    ['with bytes that are no CA', { logRoots: encodePem('CERTIFICATE', Buffer.of(48, 0)) }, 'cannot be read'],
    ['with a log elsewhere', { log: { kind: 'none' }, logRoots: 'x' }, 'log has to stay builtin'],
  ])('log does not start %s', async (_, settings, message) => {
    await expect(startLog(settings)).rejects.toThrow(message);
  });

  it('ca does not start without a log, nor where it would be one', async () => {
    await expect(startInstance({ settings: { role: 'ca' } })).rejects.toThrow(
      'role ca needs to know the log',
    );
    await expect(startInstance({ settings: { role: 'log' } })).rejects.toThrow('issues no certificates');
  });

  it('log says that it is well, and serves nothing of a CA', async () => {
    const { root } = await newAuthority();
    const { url, metricsUrl } = await startLog({ logRoots: root });
    for (const path of ['/healthz', '/readyz'])
      expect(await send(new URL(metricsUrl).origin, path)).toMatchObject({ status: 200 });
    expect(await send(url, '/healthz')).toMatchObject({ status: 200, json: { status: 'SERVING' } });
    expect(await send(url, '/readyz', { headers: { 'x-request-id': 'one' } })).toMatchObject({
      status: 200,
      json: { status: 'READY' },
      headers: { 'x-request-id': 'one' },
    });
    for (const path of ['/', '/api/v2/trustBundle', '/ct/v1/get-sth'])
      expect(await send(url, path)).toMatchObject({ status: 404, json: { code: 5 } });
  });

  it('log has its checkpoints cosigned by the witnesses that are configured', async () => {
    const ca = hierarchy();
    const data = `${temporaryFolder()}/data`;
    const logs: WitnessedLogKey[] = [];
    const witness = await startWitness('witness.example/w1', logs);
    running.push(witness);
    const log = await startLog(
      {
        logRoots: encodePem('CERTIFICATE', ca.root.der),
        witnesses: [{ name: 'harbour', url: witness.url, key: witness.vkey }],
      },
      data,
    );
    const { origin } = await logOf(log);
    const noteKey = createPublicKey(readFileSync(`${data}/log/note.key`, 'utf8'));
    logs.push({ origin, ed25519: noteKey.export({ type: 'spki', format: 'der' }).subarray(-32) });
    const chain = [precertificate(ca.issuing).der, ...ca.chain].map(base64);
    const body = JSON.stringify({ chain });
    const headers = { 'content-type': 'application/json' };
    const answer = await send(log.url, '/log/ct/v1/add-pre-chain', { method: 'POST', body, headers });
    expect(answer.status).toBe(200);
    await log.published(0);
    expect(witness.hasCosigned((await send(log.url, '/log/checkpoint')).text)).toBe(true);
    const { text } = await send(log.metricsUrl, '/metrics');
    expect(text).toContain('mayfly_witness_requests_total{witness="harbour",result="cosigned"} 1');
    expect(text).toContain('mayfly_witness_cosigned_size{witness="harbour"} 1');
  });

  it('log does not start with a verifier key that is none', async () => {
    const { root } = await newAuthority();
    const witnesses = [{ name: 'w', url: 'http://127.0.0.1:1', key: 'w+00000000+BAAA' }];
    await expect(startLog({ logRoots: root, witnesses })).rejects.toThrow('only Ed25519 cosignatures');
  });
});
