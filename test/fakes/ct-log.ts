// CT log: a small RFC 6962 log that somebody else runs: it takes precertificates over HTTP, and can be told to misbehave.

import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fromBER, type Sequence } from 'asn1js';

export type LogBehaviour =
  | 'serve'
  /** An SCT by another key, under the log's own id. */
  | 'forge'
  | 'garbage'
  /** No answer, ever. */
  | 'hang'
  /** The connection is cut. */
  | 'down'
  | { readonly status: number };

export interface CtLog {
  /** With a path, as logs have it. */
  readonly url: string;
  /** PEM. */
  readonly publicKey: string;
  /** What was asked, in order: the chains that were submitted, DER. */
  readonly submissions: (readonly Buffer[])[];
  /** Requests whose client hung up before the answer. */
  readonly abandoned: () => number;
  behaviour: LogBehaviour;
  /** Answers nothing until the returned function is called. */
  hold(): () => void;
  close(): Promise<void>;
}

const POISON = '1.3.6.1.4.1.11129.2.4.3';

const newKey = (): { publicKey: KeyObject; privateKey: KeyObject } =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' });

export async function startCtLog(): Promise<CtLog> {
  const { publicKey, privateKey } = newKey();
  const { privateKey: forger } = newKey();
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const id = createHash('sha256').update(spki).digest();
  const submissions: (readonly Buffer[])[] = [];
  let abandoned = 0;
  let held: Promise<void> | undefined;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('close', () => {
      if (!response.writableFinished) abandoned += 1;
    });
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.method !== 'POST' || request.url !== '/2027/ct/v1/add-pre-chain') {
      response.writeHead(404).end();
      return;
    }
    const { chain } = JSON.parse(Buffer.concat(chunks).toString()) as { chain: string[] };
    submissions.push(chain.map((text) => Buffer.from(text, 'base64')));
    await held;
    const { behaviour } = log;
    if (behaviour === 'hang') return;
    if (behaviour === 'down') response.destroy();
    else if (behaviour === 'garbage') response.writeHead(200).end('{"sct_version":0}');
    else if (typeof behaviour === 'object') response.writeHead(behaviour.status).end('an inner secret');
    else {
      const sct = promise(submissions.at(-1) ?? [], id, behaviour === 'forge' ? forger : privateKey);
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(sct));
    }
  }

  const server = createServer(
    (request, response) => void answer(request, response).catch(() => response.destroy()),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const log: CtLog = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/2027`,
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    submissions,
    abandoned: () => abandoned,
    behaviour: 'serve',
    hold() {
      const { promise: until, resolve } = Promise.withResolvers<void>();
      held = until;
      return () => {
        held = undefined;
        resolve();
      };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return log;
}

/** SignedCertificateTimestamp as add-pre-chain answers it (sections 3.2 and 4.2). */
function promise([precertificate, issuer]: readonly Buffer[], id: Buffer, key: KeyObject): object {
  if (precertificate === undefined || issuer === undefined) throw new Error('half a chain');
  const timestamp = Buffer.alloc(8);
  timestamp.writeBigUInt64BE(BigInt(Date.now()));
  const tbs = withoutPoison(precertificate);
  const length = Buffer.alloc(3);
  length.writeUIntBE(tbs.length, 0, 3);
  const signed = Buffer.concat([
    Buffer.of(0, 0),
    timestamp,
    Buffer.of(0, 1),
    createHash('sha256').update(spkiOf(issuer)).digest(),
    length,
    tbs,
    Buffer.of(0, 0),
  ]);
  const signature = sign('sha256', signed, key);
  return {
    sct_version: 0,
    id: id.toString('base64'),
    timestamp: Number(timestamp.readBigUInt64BE()),
    extensions: '',
    signature: Buffer.concat([Buffer.of(4, 3, 0, signature.length), signature]).toString('base64'),
  };
}

const fieldsOf = (certificate: Buffer): { readonly tbs: Sequence; readonly fields: Sequence[] } => {
  const [tbs] = (fromBER(certificate).result as Sequence).valueBlock.value;
  return { tbs: tbs as Sequence, fields: (tbs as Sequence).valueBlock.value as Sequence[] };
};

function spkiOf(certificate: Buffer): Buffer {
  return Buffer.from(fieldsOf(certificate).fields[6]?.toBER() ?? new ArrayBuffer());
}

function withoutPoison(certificate: Buffer): Buffer {
  const { tbs, fields } = fieldsOf(certificate);
  const [list] = (fields.at(-1)?.valueBlock.value ?? []) as Sequence[];
  if (list === undefined) throw new Error('no extensions');
  const all = list.valueBlock.value as Sequence[];
  const kept = all.filter((one) => !String(one.valueBlock.value[0]).includes(POISON));
  if (kept.length !== all.length - 1) throw new Error('no precertificate');
  list.valueBlock.value = kept;
  return Buffer.from(tbs.toBER());
}
