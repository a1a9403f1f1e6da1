// Shown log: what a log shows to the world, as a client gets it, with ways to have it show something else.

import { fromHex } from '../../src/encoding/bytes.ts';
import type { GetObject } from '../../src/log/log-client.ts';
import type { Reader } from '../../src/log/reader.ts';
import { parseTilePath } from '../../src/log/tile.ts';

type Object_ = Uint8Array<ArrayBuffer> | undefined;

export class ShownLog {
  reader: Reader;
  /** What is shown instead, by path; undefined where nothing is. */
  readonly lies = new Map<string, (truth: Object_) => Object_>();
  readonly asked: string[] = [];
  /** Shows what there was then, whatever comes. */
  #frozen: Uint8Array<ArrayBuffer> | undefined;

  constructor(reader: Reader) {
    this.reader = reader;
  }

  freeze(): void {
    this.#frozen = this.reader.checkpoint();
  }

  thaw(): void {
    this.#frozen = undefined;
  }

  readonly get: GetObject = async (path) => {
    this.asked.push(path);
    const truth = await this.#truth(path);
    const lie = this.lies.get(path);
    return lie === undefined ? truth : lie(truth);
  };

  async #truth(path: string): Promise<Object_> {
    if (path === 'checkpoint') return this.#frozen ?? this.reader.checkpoint();
    const address = parseTilePath(path);
    if (address !== undefined) return this.reader.tile(address);
    const issuer = /^issuer\/([0-9a-f]{64})$/.exec(path)?.[1];
    return issuer === undefined ? undefined : this.reader.issuer(fromHex(issuer));
  }
}

/** With one bit changed. */
export const flip =
  (at: number) =>
  (bytes: Object_): Object_ =>
    bytes?.with(at, (bytes[at] ?? 0) ^ 1);
