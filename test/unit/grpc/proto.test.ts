// The wire contract: the field numbers that clients know, and generated code that belongs to our .proto files.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { DescFile, DescMessage } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import {
  CA,
  file_dev_sigstore_fulcio_v2_ca,
} from '../../../src/grpc/generated/dev/sigstore/fulcio/v2/ca_pb.ts';
import { file_google_rpc_error_details } from '../../../src/grpc/generated/google/rpc/error_details_pb.ts';
import { file_grpc_health_v1_health, Health } from '../../../src/grpc/generated/grpc/health/v1/health_pb.ts';

const FOLDER = new URL('../../../src/grpc/', import.meta.url);

test('generated code is that of the .proto files (else: npm run generate:proto)', () => {
  const files = ['proto', 'generated'].flatMap((folder) =>
    readdirSync(new URL(folder, FOLDER), { recursive: true, encoding: 'utf8' })
      .filter((path) => /(?:\.proto|_pb\.ts)$/.test(path))
      .map((path) => `${folder}/${path}`),
  );
  const sums = files.map((path) => {
    const digest = createHash('sha256').update(readFileSync(new URL(path, FOLDER)));
    return `${digest.digest('hex')}  ${path}`;
  });
  const recorded = readFileSync(new URL('generated/SHA256SUMS', FOLDER), 'utf8').trimEnd().split('\n');
  expect(sums.toSorted()).toEqual(recorded.toSorted());
});

/** `name=number type` of each field; a oneof, a list and a map are told. */
function fieldsOf({ fields }: DescMessage): string[] {
  return fields.map((field) => {
    const oneof = field.oneof === undefined ? '' : ` of ${field.oneof.name}`;
    return `${field.name}=${field.number} ${typeOf(field)}${oneof}`;
  });
}

function typeOf(field: DescMessage['fields'][number]): string {
  const name = field.proto.typeName.replace(/^\./, '').split('.').at(-1);
  const scalar = { 8: 'bool', 9: 'string', 12: 'bytes' }[Number(field.proto.type)];
  const kind = field.fieldKind === 'list' ? 'repeated ' : field.fieldKind === 'map' ? 'map ' : '';
  return kind + (name === '' ? scalar : name);
}

const contract = (file: DescFile): Record<string, string[]> =>
  Object.fromEntries(file.messages.map((message) => [message.name, fieldsOf(message)]));

describe('dev.sigstore.fulcio.v2', () => {
  test('messages', () => {
    expect(contract(file_dev_sigstore_fulcio_v2_ca)).toEqual({
      CreateSigningCertificateRequest: [
        'credentials=1 Credentials',
        'public_key_request=2 PublicKeyRequest of key',
        'certificate_signing_request=3 bytes of key',
      ],
      Credentials: ['oidc_identity_token=1 string'],
      PublicKeyRequest: ['public_key=1 PublicKey', 'proof_of_possession=2 bytes'],
      PublicKey: ['algorithm=1 PublicKeyAlgorithm', 'content=2 string'],
      SigningCertificate: [
        'signed_certificate_detached_sct=1 SigningCertificateDetachedSCT of certificate',
        'signed_certificate_embedded_sct=2 SigningCertificateEmbeddedSCT of certificate',
      ],
      SigningCertificateDetachedSCT: ['chain=1 CertificateChain', 'signed_certificate_timestamp=2 bytes'],
      SigningCertificateEmbeddedSCT: ['chain=1 CertificateChain'],
      CertificateChain: ['certificates=1 repeated string'],
      GetTrustBundleRequest: [],
      TrustBundle: ['chains=1 repeated CertificateChain'],
      GetConfigurationRequest: [],
      Configuration: ['issuers=1 repeated OIDCIssuer'],
      OIDCIssuer: [
        'issuer_url=1 string of issuer',
        'wildcard_issuer_url=2 string of issuer',
        'audience=3 string',
        'challenge_claim=4 string',
        'spiffe_trust_domain=5 string',
        'issuer_type=6 string',
        'subject_domain=7 string',
        'skip_email_verification=8 bool',
      ],
    });
  });

  test('methods, unary', () => {
    expect(CA.typeName).toBe('dev.sigstore.fulcio.v2.CA');
    const methods = CA.methods.map(({ name, methodKind, input, output }) => [
      name,
      methodKind,
      input.name,
      output.name,
    ]);
    expect(methods).toEqual([
      ['CreateSigningCertificate', 'unary', 'CreateSigningCertificateRequest', 'SigningCertificate'],
      ['GetTrustBundle', 'unary', 'GetTrustBundleRequest', 'TrustBundle'],
      ['GetConfiguration', 'unary', 'GetConfigurationRequest', 'Configuration'],
    ]);
  });

  test('algorithms', () => {
    const [algorithms] = file_dev_sigstore_fulcio_v2_ca.enums;
    expect(algorithms?.values.map(({ name, number }) => `${name}=${number}`)).toEqual([
      'PUBLIC_KEY_ALGORITHM_UNSPECIFIED=0',
      'RSA_PSS=1',
      'ECDSA=2',
      'ED25519=3',
    ]);
  });
});

test('grpc.health.v1', () => {
  expect(contract(file_grpc_health_v1_health)).toEqual({
    HealthCheckRequest: ['service=1 string'],
    HealthCheckResponse: ['status=1 ServingStatus'],
    HealthListRequest: [],
    HealthListResponse: ['statuses=1 map StatusesEntry'],
  });
  expect(Health.typeName).toBe('grpc.health.v1.Health');
  expect(Health.methods.map(({ name, methodKind }) => `${name} ${methodKind}`)).toEqual([
    'Check unary',
    'List unary',
    'Watch server_streaming',
  ]);
});

test('google.rpc error details', () => {
  expect(contract(file_google_rpc_error_details)).toEqual({
    ErrorInfo: ['reason=1 string', 'domain=2 string', 'metadata=3 map MetadataEntry'],
    BadRequest: ['field_violations=1 repeated FieldViolation'],
    LocalizedMessage: ['locale=1 string', 'message=2 string'],
    RetryInfo: ['retry_delay=1 Duration'],
  });
});
