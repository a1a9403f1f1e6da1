// Promises: every certificate that an instance answered with, held against its chain, its SCT, and at the end the log itself.

import { X509Certificate } from 'node:crypto';
import { readLeaf } from '../../src/certificate/leaf.ts';
import { type Bytes, equal, hex } from '../../src/encoding/bytes.ts';
import { leafIndexOf, merkleTreeLeaf } from '../../src/log/entry.ts';
import { LogClient, readLogDocument, type VerifiedCheckpoint } from '../../src/log/log-client.ts';
import { EMPTY, type Frontier, grow, leafHash, rootOf } from '../../src/log/merkle.ts';
import { sctInput } from '../../src/log/sct.ts';
import { TILE_WIDTH } from '../../src/log/tile.ts';
import { sha256 } from '../../src/node/system/native-digest.ts';
import { nativeVerifier as verifier } from '../../src/node/system/native-verifier.ts';
import { fetchObjects } from '../../src/web/fetch-objects.ts';

interface Authority {
  readonly x509: X509Certificate;
  readonly keyHash: Bytes;
}

export class Promises {
  readonly #client: LogClient;
  readonly #authorities = new Map<string, Authority>();
  /** Hash of the leaf that was promised at an index. */
  readonly #promised = new Map<number, string>();

  private constructor(client: LogClient) {
    this.#client = client;
  }

  /** For the log that the instance at `url` has now. */
  static async of(url: string): Promise<Promises> {
    const log = readLogDocument(await (await fetch(`${url}/.well-known/mayfly/log.json`)).text());
    if (log === undefined) throw new Error('the instance tells of no log');
    return new Promises(new LogClient({ log, get: fetchObjects(log.monitoringUrl), sha256, verifier }));
  }

  /** Certificates that were answered with. */
  get size(): number {
    return this.#promised.size;
  }

  /** Chains that certificates came with. */
  get chains(): number {
    return this.#authorities.size;
  }

  /** PEM, leaf first and root last. Throws unless the chain and the SCT in the leaf verify. */
  async take(chain: readonly string[]): Promise<void> {
    const [leafPem = '', ...others] = chain;
    const key = others.join('');
    const authority = this.#authorities.get(key) ?? authorityOf(others);
    this.#authorities.set(key, authority);
    const leaf = new X509Certificate(leafPem);
    if (!leaf.checkIssued(authority.x509) || !leaf.verify(authority.x509.publicKey))
      throw new Error('a certificate is not signed by the authority that it came with');
    const { scts, precertTbs } = readLeaf(new Uint8Array(leaf.raw));
    const [sct, second] = scts;
    const index = sct && leafIndexOf(sct.extensions);
    if (sct === undefined || second !== undefined || index === undefined)
      throw new Error('a certificate has not exactly one SCT with an index');
    if (!(await this.#client.verifySct(sct, authority.keyHash, precertTbs)))
      throw new Error('an SCT is not signed by the log');
    const entry = { issuerKeyHash: authority.keyHash, tbs: precertTbs };
    if (this.#promised.has(index)) throw new Error(`index ${index} was promised twice`);
    this.#promised.set(index, hex(leafHash(sha256, sctInput(entry, sct))));
  }

  /** Throws unless the log, read from its first entry to its last, has the root that it signed and keeps every promise. Resolves its size. */
  async settle(patience = 30_000): Promise<number> {
    let last = -1;
    for (const index of this.#promised.keys()) last = Math.max(last, index); // too many for one call's arguments
    const head = await this.#covering(last, performance.now() + patience);
    let frontier: Frontier = EMPTY;
    for (let tile = 0; tile * TILE_WIDTH < head.size; tile++) {
      const width = Math.min(TILE_WIDTH, head.size - tile * TILE_WIDTH);
      const entries = await this.#client.entries(tile, width);
      const leaves = entries.map((entry) => leafHash(sha256, merkleTreeLeaf(entry)));
      for (const [i, leaf] of leaves.entries()) {
        const promised = this.#promised.get(tile * TILE_WIDTH + i);
        if (promised !== undefined && promised !== hex(leaf))
          throw new Error(`entry ${tile * TILE_WIDTH + i} is not the one that was promised`);
      }
      frontier = grow(sha256, frontier, leaves);
    }
    if (!equal(rootOf(sha256, frontier), head.root)) throw new Error('the log signed another tree');
    return head.size;
  }

  async #covering(index: number, deadline: number): Promise<VerifiedCheckpoint> {
    for (;;) {
      const head = await this.#client.treeHead();
      if (head.size > index) return head;
      if (performance.now() > deadline)
        throw new Error(`entry ${index} was promised, and the log shows ${head.size} entries`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** The chain has to lead to a root that signed itself. */
function authorityOf(chain: readonly string[]): Authority {
  const certificates = chain.map((pem) => new X509Certificate(pem));
  for (const [i, certificate] of certificates.entries()) {
    const issuer = certificates[i + 1] ?? certificate;
    if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey))
      throw new Error('a chain does not lead to its root');
  }
  const [x509] = certificates;
  if (x509 === undefined) throw new Error('a certificate came without its authority');
  const spki = x509.publicKey.export({ type: 'spki', format: 'der' });
  return { x509, keyHash: sha256(new Uint8Array(spki)) };
}
