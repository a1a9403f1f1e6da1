// Rekor: a signature log with the write interface of Rekor v2, in memory, so that clients that demand one can be run.

import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** Checkpoint origin and key name: the host name of the base URL, without its port. */
const ORIGIN = '127.0.0.1';

interface Service {
  readonly url: string;
  readonly majorApiVersion: number;
  readonly validFor: { readonly start: string };
  readonly operator: string;
}

interface HashedRekord {
  readonly digest: string;
  readonly signature: { readonly content: string; readonly verifier: Verifier };
}

interface Verifier {
  readonly keyDetails: string;
  readonly x509Certificate: { readonly rawBytes: string };
}

interface Dsse {
  readonly envelope: {
    readonly payload: string;
    readonly payloadType: string;
    readonly signatures: readonly [{ readonly sig: string }];
  };
  readonly verifiers: readonly [Verifier];
}

interface Request {
  readonly hashedRekordRequestV002?: HashedRekord;
  readonly dsseRequestV002?: Dsse;
}

export class FakeRekor {
  readonly #server: Server;
  readonly #keys = generateKeyPairSync('ed25519');
  /** Leaf hashes; the first is of no entry, as sigstore-js leaves an index of 0 out and sigstore-python misses it. */
  readonly #leaves: Buffer[] = [hash(0, Buffer.from('not an entry'))];

  private constructor() {
    this.#server = createServer((request, response) => {
      void text(request).then((body) => {
        const found = request.method === 'POST' && request.url === '/api/v2/log/entries';
        response.writeHead(found ? 201 : 404, { 'content-type': 'application/json' });
        response.end(JSON.stringify(found ? this.#append(JSON.parse(body) as Request) : {}));
      });
    });
  }

  static async start(): Promise<FakeRekor> {
    const rekor = new FakeRekor();
    await new Promise<void>((listening) => rekor.#server.listen(0, '127.0.0.1', listening));
    return rekor;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo; // listening on a port, not on a pipe
    return `http://127.0.0.1:${port}`;
  }

  /** An element of `tlogs` in a trusted root. */
  get trusted(): object {
    return {
      baseUrl: this.url,
      hashAlgorithm: 'SHA2_256',
      publicKey: {
        rawBytes: this.#spki.toString('base64'),
        keyDetails: 'PKIX_ED25519',
        validFor: { start: '2024-01-01T00:00:00Z' },
      },
      logId: { keyId: this.#logId.toString('base64') },
    };
  }

  /** An element of `rekorTlogUrls` in a signing configuration. */
  get service(): Service {
    return {
      url: this.url,
      majorApiVersion: 2,
      validFor: { start: '2024-01-01T00:00:00Z' },
      operator: 'test',
    };
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  get #spki(): Buffer {
    return this.#keys.publicKey.export({ type: 'spki', format: 'der' });
  }

  get #logId(): Buffer {
    const raw = this.#spki.subarray(-32);
    return createHash('sha256')
      .update(Buffer.concat([Buffer.from(`${ORIGIN}\n\x01`), raw]))
      .digest();
  }

  #append(request: Request): object {
    const body = Buffer.from(JSON.stringify(entryOf(request)));
    const index = this.#leaves.push(hash(0, body)) - 1;
    const size = this.#leaves.length;
    const root = rootOf(this.#leaves);
    return {
      logIndex: String(index),
      logId: { keyId: this.#logId.toString('base64') },
      kindVersion: { kind: 'hashedrekord', version: '0.0.2' },
      inclusionProof: {
        logIndex: String(index),
        rootHash: root.toString('base64'),
        treeSize: String(size),
        hashes: pathTo(index, this.#leaves).map((one) => one.toString('base64')),
        checkpoint: { envelope: this.#checkpoint(size, root) },
      },
      canonicalizedBody: body.toString('base64'),
    };
  }

  #checkpoint(size: number, root: Buffer): string {
    const note = `${ORIGIN}\n${size}\n${root.toString('base64')}\n`;
    const signature = sign(null, Buffer.from(note), this.#keys.privateKey);
    const line = Buffer.concat([this.#logId.subarray(0, 4), signature]).toString('base64');
    return `${note}\n\u2014 ${ORIGIN} ${line}\n`;
  }
}

/** Members in the order of canonical JSON. Rekor v2 keeps an envelope as the hash of what its signature is over. */
function entryOf({ hashedRekordRequestV002: plain, dsseRequestV002: dsse }: Request): object {
  const { digest, content, verifier } =
    plain === undefined
      ? ofEnvelope(dsse)
      : { digest: plain.digest, content: plain.signature.content, verifier: plain.signature.verifier };
  const { keyDetails, x509Certificate } = verifier;
  const signature = { content, verifier: { keyDetails, x509Certificate } };
  const hashedRekordV002 = { data: { algorithm: 'SHA2_256', digest }, signature };
  return { apiVersion: '0.0.2', kind: 'hashedrekord', spec: { hashedRekordV002 } };
}

function ofEnvelope(dsse: Dsse | undefined): { digest: string; content: string; verifier: Verifier } {
  if (dsse === undefined) throw new Error('neither kind of entry');
  const { payload, payloadType, signatures } = dsse.envelope;
  const data = Buffer.from(payload, 'base64');
  const head = `DSSEv1 ${payloadType.length} ${payloadType} ${data.length} `;
  const digest = createHash('sha256').update(head).update(data).digest('base64');
  return { digest, content: signatures[0].sig, verifier: dsse.verifiers[0] };
}

function hash(prefix: number, ...parts: readonly Buffer[]): Buffer {
  return createHash('sha256')
    .update(Buffer.concat([Buffer.of(prefix), ...parts]))
    .digest();
}

/** RFC 6962 section 2.1. */
function rootOf(leaves: readonly Buffer[]): Buffer {
  const [only] = leaves;
  if (leaves.length === 1 && only !== undefined) return only;
  const k = splitOf(leaves.length);
  return hash(1, rootOf(leaves.slice(0, k)), rootOf(leaves.slice(k)));
}

/** RFC 6962 section 2.1.1. */
function pathTo(index: number, leaves: readonly Buffer[]): Buffer[] {
  if (leaves.length <= 1) return [];
  const k = splitOf(leaves.length);
  return index < k
    ? [...pathTo(index, leaves.slice(0, k)), rootOf(leaves.slice(k))]
    : [...pathTo(index - k, leaves.slice(k)), rootOf(leaves.slice(0, k))];
}

/** The largest power of two below `size`. */
function splitOf(size: number): number {
  let k = 1;
  while (k * 2 < size) k *= 2;
  return k;
}
