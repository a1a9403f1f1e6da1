// ProtoJSON: reading protobuf messages in their JSON form (protobuf.dev/programming-guides/json), unknown fields ignored.

import { type Bytes, fromBase64 } from '../encoding/bytes.ts';
import { Problem } from '../problem.ts';

/** One JSON object with the field look-ups of a protobuf message. */
export class Message {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #path: string;
  readonly #snakeCase: boolean;

  private constructor(fields: Readonly<Record<string, unknown>>, path: string, snakeCase: boolean) {
    this.#fields = fields;
    this.#path = path;
    this.#snakeCase = snakeCase;
  }

  /** An empty text is an empty message. `snakeCase` accepts proto field names beside lowerCamelCase ones. */
  static parse(text: string, { snakeCase }: { snakeCase: boolean }): Message {
    if (text.trim() === '') return new Message({}, '', snakeCase);
    const value = parseJson(text);
    if (!isObject(value)) throw malformed('syntax error: unexpected token where an object belongs', '');
    return new Message(value, '', snakeCase);
  }

  /** Whether the field is present and not null. */
  has(name: string): boolean {
    return this.#value(name) !== undefined;
  }

  message(name: string): Message | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    if (!isObject(value))
      throw malformed('syntax error: unexpected token where an object belongs', this.path(name));
    return new Message(value, this.path(name), this.#snakeCase);
  }

  /** '' when absent, as in proto3. */
  string(name: string): string {
    const value = this.#value(name) ?? '';
    if (typeof value !== 'string') throw malformed(`invalid value for string field ${name}`, this.path(name));
    return value;
  }

  /** Empty when absent; standard or URL-safe base64, padding optional. */
  bytes(name: string): Bytes {
    const value = this.#value(name) ?? '';
    if (value === '') return new Uint8Array();
    const bytes = typeof value === 'string' ? fromBase64(value) : undefined;
    if (bytes === undefined) {
      throw malformed(`invalid value for bytes field ${name}`, this.path(name), 'It must be base64 text.');
    }
    return bytes;
  }

  /** The value plays no part; only its JSON type is held to name or number. */
  enumeration(name: string): void {
    const value = this.#value(name) ?? 0;
    const fits = typeof value === 'string' || (Number.isInteger(value) && Math.abs(Number(value)) < 2 ** 31);
    if (!fits) throw malformed(`invalid value for enum field ${name}`, this.path(name));
  }

  path(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }

  #value(name: string): unknown {
    const camel = own(this.#fields, name);
    if (!this.#snakeCase) return camel;
    const proto = protoName(name);
    const snake = proto === name ? undefined : own(this.#fields, proto);
    if (camel !== undefined && snake !== undefined)
      throw malformed(`duplicate field "${name}"`, this.path(name));
    return camel ?? snake;
  }
}

const protoNames = new Map<string, string>();

/** oidcIdentityToken -> oidc_identity_token; the names are ours and few. */
function protoName(name: string): string {
  let proto = protoNames.get(name);
  if (proto === undefined) {
    proto = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    protoNames.set(name, proto);
  }
  return proto;
}

function own(fields: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(fields, name) ? (fields[name] ?? undefined) : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : '';
    const position = /at position (\d+)/.exec(reason)?.[1];
    const atEnd = /end of JSON|Unterminated/.test(reason) || Number(position) >= text.trimEnd().length;
    const where = position === undefined ? '' : ` at position ${position}`;
    throw new Problem('request_malformed', {
      message: atEnd ? 'unexpected EOF' : `syntax error: invalid JSON${where}`,
      hint: 'The body must be one JSON object.',
      cause,
    });
  }
}

function malformed(message: string, field: string, hint?: string): Problem {
  return new Problem('request_malformed', {
    message: `proto: ${message}`,
    ...(field === '' ? {} : { field }),
    ...(hint === undefined ? {} : { hint }),
  });
}
