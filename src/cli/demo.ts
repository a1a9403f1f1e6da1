// demo: one whole issuance, told in plain words and checked from outside.

import { generateKeyPairSync, sign } from 'node:crypto';
import { Command } from 'commander';
import { readCaCertificate } from '../certificate/ca-reader.ts';
import { type Leaf, readLeaf } from '../certificate/leaf.ts';
import { describeLeaf } from '../certificate/plain-words.ts';
import { type Bytes, hex } from '../encoding/bytes.ts';
import { decodePem } from '../encoding/pem.ts';
import { leafIndexOf } from '../log/entry.ts';
import type { Sct } from '../log/log.ts';
import { LogClient, readLogDocument } from '../log/log-client.ts';
import { devIssuers, startDevIssuer } from '../node/dev-issuer.ts';
import { startService } from '../node/service.ts';
import { loadKinds } from '../node/settings/shipped-configuration.ts';
import { silentLogger } from '../node/system/logger.ts';
import { sha256 } from '../node/system/native-digest.ts';
import { nativeVerifier } from '../node/system/native-verifier.ts';
import { fetchDevToken } from './dev.ts';
import { loadSettings } from './options.ts';
import { addOutcome, type JsonFlag, type Outcome, patiently, tell } from './outcome.ts';

interface DemoFlags extends JsonFlag {
  instance?: string;
  issuer: string;
  pem?: boolean;
}

export function demoCommand(): Command {
  const command = new Command('demo')
    .description('run one whole issuance and explain what came of it')
    .option('--instance <url>', 'a running development instance (default: a throw-away one)')
    .option('--issuer <url>', 'its development issuer', 'http://127.0.0.1:5556')
    .option('--pem', 'print the certificate itself as well');
  return addOutcome(command, 'issued, and its log entry proven', 'not used').action((flags: DemoFlags) =>
    tell(flags, () => patiently('issuing a certificate', demo(flags))),
  );
}

async function demo(flags: DemoFlags): Promise<Outcome> {
  if (flags.instance !== undefined)
    return run(flags.instance.replace(/\/$/, ''), flags.issuer.replace(/\/$/, ''), flags.pem === true);
  const kinds = loadKinds();
  const issuer = await startDevIssuer(0);
  const { settings } = loadSettings({ port: 0, grpcPort: 0, metricsPort: 0, log: 'builtin' }, kinds);
  const service = await startService({
    settings: { ...settings, host: '127.0.0.1', issuers: devIssuers(issuer.url, kinds) },
    kind: 'dev',
    ephemeral: true,
    logger: silentLogger,
  });
  try {
    return await run(service.url, issuer.url, flags.pem === true);
  } finally {
    await service.close();
    await issuer.server.close();
  }
}

async function run(instance: string, issuer: string, pem: boolean): Promise<Outcome> {
  const token = await fetchDevToken(issuer, 'github');
  const chain = await requestCertificate(instance, token);
  const [leafPem = ''] = chain;
  const [leafDer, authorityDer] = chain.map((text) => decodePem(text)[0]?.der);
  if (leafDer === undefined || authorityDer === undefined)
    throw new Error('the answer holds no certificate chain');
  const leaf = readLeaf(leafDer);
  const [sct] = leaf.scts;
  const log = sct && (await checkLog(instance, leaf, sct, authorityDer));
  return {
    lines: [
      'A GitHub-shaped token and a fresh P-256 key went in; this came out:',
      '',
      ...describeLeaf(leaf),
      '',
      ...(log?.lines ?? ['This instance runs without a log, so the certificate carries no SCT.']),
      ...(pem ? ['', leafPem] : []),
    ],
    object: { ok: true, certificates: chain, ...(log !== undefined && { log: log.facts }) },
  };
}

/** The chain as PEM, leaf first. */
async function requestCertificate(instance: string, token: string): Promise<readonly string[]> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    sub: string;
  };
  const response = await reach(`${instance}/api/v2/signingCert`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      credentials: { oidcIdentityToken: token },
      publicKeyRequest: {
        publicKey: { algorithm: 'ECDSA', content: publicKey.export({ type: 'spki', format: 'pem' }) },
        proofOfPossession: sign('sha256', Buffer.from(claims.sub), privateKey).toString('base64'),
      },
    }),
  });
  const body = (await response.json()) as Answer;
  const answer = body.signedCertificateEmbeddedSct ?? body.signedCertificateDetachedSct;
  if (answer === undefined) throw new Error(`${instance} refused: ${body.message ?? response.status}`);
  return answer.chain.certificates;
}

async function reach(url: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(url, request);
  } catch (cause) {
    throw new Error(`no instance answers at ${new URL(url).origin}; start one with: npm start`, { cause });
  }
}

interface Answer {
  readonly signedCertificateEmbeddedSct?: { readonly chain: { readonly certificates: readonly string[] } };
  readonly signedCertificateDetachedSct?: { readonly chain: { readonly certificates: readonly string[] } };
  readonly message?: string;
}

interface CheckedLog {
  readonly lines: readonly string[];
  readonly facts: { readonly origin: string; readonly index: number; readonly treeSize: number };
}

/** What SCT and inclusion proof say. Throws when either does not hold. */
async function checkLog(instance: string, leaf: Leaf, sct: Sct, authority: Bytes): Promise<CheckedLog> {
  const text = await (await fetch(`${instance}/.well-known/mayfly/log.json`)).text();
  const log = readLogDocument(text);
  const index = leafIndexOf(sct.extensions);
  if (log === undefined || index === undefined) throw new Error('the certificate was logged elsewhere');
  const client = new LogClient({
    log,
    get: (path) => getObject(log.monitoringUrl + path),
    sha256,
    verifier: nativeVerifier,
  });
  const keyHash = sha256(readCaCertificate(authority).spki);
  if (!(await client.verifySct(sct, keyHash, leaf.precertTbs)))
    throw new Error("the SCT's signature does not verify");
  const lines = [
    `The log ${log.origin} promised on ${new Date(sct.timestamp).toISOString()} to hold it at index ${index};`,
    `  its signature verifies with the log key ${hex(sct.logId).slice(0, 16)}…`,
  ];
  let head = await client.treeHead();
  for (let i = 0; head.size <= index && i < PUBLICATION_TRIES; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    head = await client.treeHead();
  }
  if (head.size <= index) throw new Error('the log has not published the entry within five seconds');
  const hashes = await client.verifyInclusion(head, index, sct, keyHash, leaf.precertTbs);
  lines.push(
    `  and it is there: recomputed from its tiles with ${hashes} hashes, in the signed tree of ${head.size}.`,
  );
  return { lines, facts: { origin: log.origin, index, treeSize: head.size } };
}

const PUBLICATION_TRIES = 100;

async function getObject(url: string): Promise<Bytes | undefined> {
  const response = await fetch(url);
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
