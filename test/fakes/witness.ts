// Witness: a tlog-witness on the loopback, written from c2sp.org/tlog-witness and tlog-cosignature with node:crypto alone.

import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Who signs the checkpoints of a log that the witness knows. */
export interface WitnessedLogKey {
  readonly origin: string;
  /** 32 bytes of an Ed25519 key, for note signatures of type 1. */
  readonly ed25519: Uint8Array;
}

export type WitnessBehaviour =
  | 'serve'
  /** Cosigns, but with a key that nobody knows. */
  | 'other-key'
  | { readonly status: number; readonly body?: string };

interface Seen {
  readonly size: number;
  readonly root: Buffer;
}

const sha256 = (...parts: readonly Uint8Array[]): Buffer =>
  createHash('sha256').update(Buffer.concat(parts)).digest();
const node = (left: Buffer, right: Buffer): Buffer => sha256(Buffer.of(1), left, right);

export class FakeWitness {
  behaviour: WitnessBehaviour = 'serve';
  /** `old` of each request, in order. */
  readonly requests: {
    readonly old: number;
    readonly size: number;
    readonly proof: number;
    readonly status: number;
  }[] = [];
  readonly keyName: string;
  readonly #logs: readonly WitnessedLogKey[];
  readonly #seen = new Map<string, Seen>();
  readonly #keys = generateKeyPairSync('ed25519');
  readonly #server: Server;
  #held: Promise<void> | undefined;
  #arrived: (() => void)[] = [];

  constructor(keyName: string, logs: readonly WitnessedLogKey[]) {
    this.keyName = keyName;
    this.#logs = logs;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/witness`;
  }

  /** name+hash+base64 */
  get vkey(): string {
    const material = Buffer.concat([Buffer.of(4), this.#publicBytes()]);
    return `${this.keyName}+${this.#keyId(4).toString('hex')}+${material.toString('base64')}`;
  }

  /** What it cosigned last. */
  seen(origin: string): Seen | undefined {
    return this.#seen.get(origin);
  }

  /** As if it had cosigned that before. */
  remember(origin: string, size: number, root: Uint8Array): void {
    this.#seen.set(origin, { size, root: Buffer.from(root) });
  }

  forget(): void {
    this.#seen.clear();
  }

  /** Answers nothing until the returned function is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held = promise;
    return () => {
      this.#held = undefined;
      resolve();
    };
  }

  /** Resolves when the next request has arrived, before it is answered. */
  nextRequest(): Promise<void> {
    return new Promise((resolve) => this.#arrived.push(resolve));
  }

  listen(): Promise<this> {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', () => resolve(this)));
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  /** Whether the checkpoint carries a good cosignature of this witness, by its text and line alone. */
  hasCosigned(checkpoint: string): boolean {
    const [text, lines] = splitNote(checkpoint);
    return lines.some(({ name, raw }) => {
      if (name !== this.keyName || !raw.subarray(0, 4).equals(this.#keyId(4)) || raw.length !== 76)
        return false;
      const message = `cosignature/v1\ntime ${raw.readBigUInt64BE(4)}\n${text}`;
      return verify(null, Buffer.from(message), this.#keys.publicKey, raw.subarray(12));
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    for (const arrived of this.#arrived.splice(0)) arrived();
    await this.#held;
    const body = Buffer.concat(parts).toString();
    const { status, text, type } = this.#answer(request, body);
    const [old, size] = [/^old (\d+)\n/.exec(body)?.[1], body.split('\n\n')[1]?.split('\n')[1]];
    const proof = (body.split('\n\n')[0]?.split('\n').length ?? 1) - 1;
    this.requests.push({ old: Number(old), size: Number(size), proof, status });
    response.writeHead(status, { 'content-type': type }).end(text);
  }

  #answer(request: IncomingMessage, body: string): { status: number; text: string; type: string } {
    const say = (status: number, text = '', type = 'text/plain') => ({ status, text, type });
    if (typeof this.behaviour === 'object') return say(this.behaviour.status, this.behaviour.body);
    if (request.method !== 'POST' || request.url !== '/witness/add-checkpoint') return say(404);
    const split = body.indexOf('\n\n');
    const [first = '', ...proofLines] = body.slice(0, split).split('\n');
    const old = /^old (0|[1-9]\d*)$/.exec(first)?.[1];
    if (split < 0 || old === undefined || proofLines.length > 63) return say(400);
    const proof = proofLines.map((line) => Buffer.from(line, 'base64'));
    const checkpoint = body.slice(split + 2);
    const [text, lines] = splitNote(checkpoint);
    const [origin = '', sizeText = '', rootText = ''] = text.split('\n');
    const log = this.#logs.find((known) => known.origin === origin);
    if (log === undefined) return say(404);
    if (!lines.some((line) => signedBy(log, text, line))) return say(403);
    const [oldSize, size, root] = [Number(old), Number(sizeText), Buffer.from(rootText, 'base64')];
    if (oldSize > size) return say(400);
    const seen = this.#seen.get(origin) ?? { size: 0, root: sha256() };
    if (seen.size !== oldSize) return say(409, `${seen.size}\n`, 'text/x.tlog.size');
    if (oldSize === size && this.#seen.has(origin) && !root.equals(seen.root))
      return say(409, `${seen.size}\n`, 'text/x.tlog.size');
    if (oldSize === 0 && proof.length > 0) return say(422);
    if (oldSize > 0 && !consistent(oldSize, size, seen.root, root, proof)) return say(422);
    this.#seen.set(origin, { size, root });
    return say(
      200,
      `${this.#lineOf('witness.example/other', 4, text)}${this.#lineOf(this.keyName, 4, text)}`,
    );
  }

  #lineOf(name: string, type: number, text: string): string {
    const other = this.behaviour === 'other-key' || name !== this.keyName;
    const key: KeyObject = other ? generateKeyPairSync('ed25519').privateKey : this.#keys.privateKey;
    const time = Buffer.alloc(8);
    const seconds = BigInt(Math.floor(Date.now() / 1000));
    time.writeBigUInt64BE(seconds);
    const signature = sign(null, Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`), key);
    return `\u2014 ${name} ${Buffer.concat([this.#keyId(type), time, signature]).toString('base64')}\n`;
  }

  #publicBytes(): Buffer {
    return this.#keys.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
  }

  #keyId(type: number): Buffer {
    return sha256(Buffer.from(`${this.keyName}\n`), Buffer.of(type), this.#publicBytes()).subarray(0, 4);
  }
}

export function startWitness(keyName: string, logs: readonly WitnessedLogKey[]): Promise<FakeWitness> {
  return new FakeWitness(keyName, logs).listen();
}

interface Line {
  readonly name: string;
  readonly raw: Buffer;
}

function splitNote(note: string): [text: string, lines: readonly Line[]] {
  const at = note.lastIndexOf('\n\n');
  const lines = note
    .slice(at + 2)
    .split('\n')
    .filter((line) => line.startsWith('\u2014 '))
    .map((line) => ({
      name: line.split(' ')[1] ?? '',
      raw: Buffer.from(line.split(' ')[2] ?? '', 'base64'),
    }));
  return [note.slice(0, at + 1), lines];
}

function signedBy({ origin, ed25519 }: WitnessedLogKey, text: string, { name, raw }: Line): boolean {
  const keyId = sha256(Buffer.from(`${origin}\n`), Buffer.of(1), ed25519).subarray(0, 4);
  if (name !== origin || !raw.subarray(0, 4).equals(keyId)) return false;
  const prefix = Buffer.from('302a300506032b6570032100', 'hex');
  const key = createPublicKey({ key: Buffer.concat([prefix, ed25519]), format: 'der', type: 'spki' });
  return verify(null, Buffer.from(text), key, raw.subarray(4));
}

/** RFC 9162 section 2.1.4.2, the verifying of RFC 6962's proof spelled out. */
function consistent(
  first: number,
  second: number,
  firstHash: Buffer,
  secondHash: Buffer,
  given: readonly Buffer[],
): boolean {
  if (first === second) return given.length === 0 && firstHash.equals(secondHash);
  if (given.length === 0) return false;
  const proof = Number.isInteger(Math.log2(first)) ? [firstHash, ...given] : [...given];
  let [fn, sn] = [BigInt(first) - 1n, BigInt(second) - 1n];
  while (fn & 1n) [fn, sn] = [fn >> 1n, sn >> 1n];
  const [start, ...rest] = proof;
  if (start === undefined) return false;
  let [fr, sr] = [start, start];
  for (const c of rest) {
    if (sn === 0n) return false;
    if (fn & 1n || fn === sn) {
      fr = node(c, fr);
      sr = node(c, sr);
      while (!(fn & 1n) && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else sr = node(sr, c);
    fn >>= 1n;
    sn >>= 1n;
  }
  return sn === 0n && fr.equals(firstHash) && sr.equals(secondHash);
}
