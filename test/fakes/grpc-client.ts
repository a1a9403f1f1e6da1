// gRPC client: @grpc/grpc-js, which shares no code with the server, bound to our messages; and the details of a status, read by hand.

import {
  create,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  type MessageInitShape,
  type MessageShape,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { type ChannelCredentials, Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import {
  ConfigurationSchema,
  type CreateSigningCertificateRequest,
  CreateSigningCertificateRequestSchema,
  GetConfigurationRequestSchema,
  type SigningCertificate,
  SigningCertificateSchema,
  TrustBundleSchema,
} from '../../src/grpc/generated/dev/sigstore/fulcio/v2/ca_pb.ts';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  LocalizedMessageSchema,
  RetryInfoSchema,
} from '../../src/grpc/generated/google/rpc/error_details_pb.ts';
import {
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
} from '../../src/grpc/generated/grpc/health/v1/health_pb.ts';
import { type Order, orderBody } from './signing-client.ts';

export const messageOf = (order: Order): CreateSigningCertificateRequest =>
  fromJson(CreateSigningCertificateRequestSchema, JSON.parse(JSON.stringify(orderBody(order))));

export const chainIn = ({ certificate }: SigningCertificate): readonly string[] =>
  certificate.value?.chain?.certificates ?? [];

export interface Refusal {
  readonly code: number;
  readonly message: string;
  /** As google.rpc.Status has them in JSON. */
  readonly details: readonly JsonValue[];
  readonly retryAfter: string | undefined;
}

const CA = '/dev.sigstore.fulcio.v2.CA';

export class GrpcClient {
  readonly #client: Client;

  /** `url` with http, or https and the PEM of a root, and of what the client shows of itself. */
  constructor(url: string, root?: string, own?: { readonly key: string; readonly cert: string }) {
    const [key, cert] = own === undefined ? [null, null] : [Buffer.from(own.key), Buffer.from(own.cert)];
    const channel: ChannelCredentials =
      root === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(root), key, cert);
    this.#client = new Client(new URL(url).host, channel);
  }

  sign(message: MessageInitShape<typeof CreateSigningCertificateRequestSchema>, metadata = {}) {
    const path = `${CA}/CreateSigningCertificate`;
    return this.call(
      path,
      CreateSigningCertificateRequestSchema,
      message,
      SigningCertificateSchema,
      metadata,
    );
  }

  trustBundle() {
    return this.call(`${CA}/GetTrustBundle`, GetConfigurationRequestSchema, {}, TrustBundleSchema);
  }

  configuration() {
    return this.call(`${CA}/GetConfiguration`, GetConfigurationRequestSchema, {}, ConfigurationSchema);
  }

  check(service = '') {
    const path = '/grpc.health.v1.Health/Check';
    return this.call(path, HealthCheckRequestSchema, { service }, HealthCheckResponseSchema);
  }

  /** Rejects with a ServiceError. */
  call<I extends DescMessage, O extends DescMessage>(
    path: string,
    input: I,
    message: MessageInitShape<I>,
    output: O,
    metadata: Readonly<Record<string, string | readonly string[]>> = {},
  ): Promise<MessageShape<O>> {
    return this.raw(path, toBinary(input, create(input, message)), metadata).then((bytes) =>
      fromBinary(output, bytes),
    );
  }

  raw(
    path: string,
    message: Uint8Array,
    metadata: Readonly<Record<string, string | readonly string[]>> = {},
  ): Promise<Uint8Array> {
    const sent = new Metadata();
    for (const [name, values] of Object.entries(metadata))
      for (const value of [values].flat()) sent.add(name, value);
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const asIs = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
    this.#client.makeUnaryRequest(
      path,
      asIs,
      (bytes: Buffer) => bytes,
      message,
      sent,
      (error, answer) => {
        if (error) reject(error);
        else resolve(answer ?? new Uint8Array());
      },
    );
    return promise;
  }

  close(): void {
    this.#client.close();
  }
}

/** What a call that must be refused is told. */
export async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  try {
    await call;
  } catch (error) {
    const { code, details, metadata } = error as ServiceError; // grpc-js rejects with nothing else
    const [status] = metadata.get('grpc-status-details-bin');
    const [retryAfter] = metadata.get('retry-after');
    return {
      code,
      message: details,
      details: Buffer.isBuffer(status) ? detailsIn(status, code, details) : [],
      retryAfter: retryAfter?.toString(),
    };
  }
  throw new Error('it was not refused');
}

const DETAILS = [ErrorInfoSchema, BadRequestSchema, LocalizedMessageSchema, RetryInfoSchema];

/** google.rpc.Status: code = 1, message = 2, repeated google.protobuf.Any details = 3; it says what the trailers say. */
function detailsIn(status: Uint8Array, code: number, message: string): JsonValue[] {
  const reader = new BinaryReader(status);
  const said: unknown[] = [];
  const details: JsonValue[] = [];
  while (reader.pos < reader.len) {
    const [field] = reader.tag();
    if (field === 1) said.push(reader.int32());
    else if (field === 2) said.push(reader.string());
    else if (field === 3) details.push(anyIn(reader.bytes()));
    else throw new Error(`google.rpc.Status has no field ${field}`);
  }
  if (said[0] !== code || said[1] !== message) throw new Error('the status and its details disagree');
  return details;
}

/** google.protobuf.Any: type_url = 1, value = 2. */
function anyIn(bytes: Uint8Array): JsonValue {
  const reader = new BinaryReader(bytes);
  let url = '';
  let value: Uint8Array = new Uint8Array();
  while (reader.pos < reader.len) {
    const [field] = reader.tag();
    if (field === 1) url = reader.string();
    else value = reader.bytes();
  }
  return detailJson(url.replace('type.googleapis.com/', ''), value);
}

/** As REST gives it. */
export function detailJson(typeName: string, value: Uint8Array): JsonValue {
  const schema: DescMessage | undefined = DETAILS.find((known) => known.typeName === typeName);
  if (schema === undefined) throw new Error(`a detail of another type: ${typeName}`);
  const json = toJson(schema, fromBinary(schema, value), { alwaysEmitImplicit: true });
  return { '@type': `type.googleapis.com/${typeName}`, ...(json as { [key: string]: JsonValue }) }; // a message is an object
}
