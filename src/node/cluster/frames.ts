// Frames: what goes over a channel as bytes; all that one turn of the event loop has to say is laid out in one buffer.

import { type Bytes, writeUtf8 } from '../../encoding/bytes.ts';

/** u32 length of what follows, u8 kind, u32 number of the request. */
const LENGTH = 4;
const HEADER = LENGTH + 5;

const FIRST_SIZE = 2 ** 16;
/** A buffer that a big frame has made larger is let go of. */
const LARGEST_KEPT = 2 ** 20;

/** Bytes, or what writes them where they are to go. */
export type Payload = Uint8Array | ((out: FrameWriter) => void);

export class FrameWriter {
  #buffer = Buffer.allocUnsafeSlow(FIRST_SIZE);
  #end = 0;

  /** Whether there is nothing to send. */
  get empty(): boolean {
    return this.#end === 0;
  }

  /** A frame that cannot be written leaves nothing behind, and throws. */
  frame(kind: number, id: number, payload: Payload): void {
    const start = this.#end;
    try {
      this.#room(HEADER);
      this.#end = start + HEADER;
      if (payload instanceof Uint8Array) this.bytes(payload);
      else payload(this);
      this.#buffer.writeUInt32BE(this.#end - start - LENGTH, start);
      this.#buffer.writeUInt8(kind, start + LENGTH);
      this.#buffer.writeUInt32BE(id, start + LENGTH + 1);
    } catch (error) {
      this.#end = start;
      throw error;
    }
  }

  /** All that was written since the last time, as bytes of their own. */
  take(): Buffer<ArrayBuffer> {
    const frames = Buffer.from(this.#buffer.subarray(0, this.#end));
    if (this.#buffer.length > LARGEST_KEPT) this.#buffer = Buffer.allocUnsafeSlow(FIRST_SIZE);
    this.#end = 0;
    return frames;
  }

  byte(n: number): void {
    this.#room(1);
    this.#buffer[this.#end++] = n;
  }

  number(n: number): void {
    this.#room(8);
    this.#end = this.#buffer.writeDoubleBE(n, this.#end);
  }

  text(text: string): void {
    this.#room(4 + 3 * text.length); // UTF-8 takes no more of a UTF-16 unit
    const start = this.#end + 4;
    this.#end = writeUtf8(this.#buffer, start, text);
    this.#buffer.writeUInt32BE(this.#end - start, start - 4);
  }

  vector(content: Uint8Array): void {
    this.#room(4);
    this.#end = this.#buffer.writeUInt32BE(content.length, this.#end);
    this.bytes(content);
  }

  bytes(content: Uint8Array): void {
    this.#room(content.length);
    this.#buffer.set(content, this.#end);
    this.#end += content.length;
  }

  #room(size: number): void {
    const needed = this.#end + size;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#buffer.length));
    larger.set(this.#buffer.subarray(0, this.#end));
    this.#buffer = larger;
  }
}

/** Told of each frame; `payload` is a part of what was received, so what is kept of it for long has to be copied. */
export type OnFrame = (kind: number, id: number, payload: Bytes) => void;

export class FrameReader {
  readonly #onFrame: OnFrame;
  /** The beginning of a frame whose end has not come. */
  #begun: Buffer<ArrayBuffer> | undefined;

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame;
  }

  take(chunk: Buffer<ArrayBuffer>): void {
    const received = this.#begun === undefined ? chunk : Buffer.concat([this.#begun, chunk]);
    let at = 0;
    while (received.length - at >= LENGTH) {
      const end = at + LENGTH + received.readUInt32BE(at);
      if (received.length < end) break;
      const payload = new Uint8Array(received.buffer, received.byteOffset + at + HEADER, end - at - HEADER);
      this.#onFrame(received.readUInt8(at + LENGTH), received.readUInt32BE(at + LENGTH + 1), payload);
      at = end;
    }
    this.#begun = at === received.length ? undefined : received.subarray(at);
  }
}

/** Reads what a FrameWriter wrote, in the same order. */
export class PayloadReader {
  readonly #buffer: Buffer<ArrayBuffer>;
  #at = 0;

  constructor(payload: Bytes) {
    this.#buffer = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  }

  byte(): number {
    return this.#buffer.readUInt8(this.#at++);
  }

  number(): number {
    const n = this.#buffer.readDoubleBE(this.#at);
    this.#at += 8;
    return n;
  }

  text(): string {
    const start = this.#at + 4;
    this.#at = start + this.#buffer.readUInt32BE(this.#at);
    return this.#buffer.toString('utf8', start, this.#at);
  }

  /** A part of the payload. */
  vector(): Bytes {
    const start = this.#at + 4;
    const length = this.#buffer.readUInt32BE(this.#at);
    this.#at = start + length;
    return new Uint8Array(this.#buffer.buffer, this.#buffer.byteOffset + start, length);
  }
}
