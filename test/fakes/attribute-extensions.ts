// Attribute extensions: what the encoder writes for attributes alone, as bytes of their own.

import { attributesSize, writeAttributes } from '../../src/certificate/extension.ts';
import type { Bytes } from '../../src/encoding/bytes.ts';
import type { Attribute } from '../../src/identity/attribute.ts';

/** Throws when the encoder writes another number of bytes than it said. */
export function attributeExtensions(attributes: readonly Attribute[]): Bytes {
  const out = new Uint8Array(attributesSize(attributes));
  const end = writeAttributes(out, 0, attributes);
  if (end !== out.length) throw new Error(`${end} bytes were written, ${out.length} were announced`);
  return out;
}
