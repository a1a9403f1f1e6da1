// Listener schema: the keys of a configuration file that are about TLS and about how much a listener bears.

import * as z from 'zod';
import { duration, text } from './value-schema.ts';

const tls = z
  .strictObject({
    certificate: text.describe('PEM file: the certificate, with those that lead to its root.'),
    key: text.describe('PEM file: its private key.'),
    'client-ca': text
      .optional()
      .describe(
        'PEM file: CA certificates, of one of which a client has to show a certificate: in role log for submissions, in other roles for everything.',
      ),
  })
  .describe('Serves REST over TLS instead of in clear; HTTP/2 and HTTP/1.1 on the same port.');

const atLeastOne = z.int('takes a whole number').min(1, 'must be at least 1');
const limit = duration.refine((milliseconds) => milliseconds > 0, 'must be longer than 0s');

const pressure = z
  .strictObject({
    connections: atLeastOne
      .describe('Connections of a listener at once; those without a request make room for new ones.')
      .default(10_000),
    queue: atLeastOne
      .describe(
        'Issuances, or submissions to a log, under way at once; one more is answered with 503 and Retry-After at once.',
      )
      .default(2_000),
    'header-timeout': limit
      .describe('For the headers of a request, and for a TLS handshake.')
      .prefault('10s'),
    'request-timeout': limit.describe('For a whole request to arrive.').prefault('30s'),
    'idle-timeout': limit
      .describe("For a connection without a request; longer than that of a load balancer's pool.")
      .prefault('75s'),
  })
  .describe('How much the listeners of REST and gRPC bear.');

export const listener = {
  tls: tls.optional(),
  'grpc-tls-certificate': text
    .optional()
    .describe(
      'PEM file: the certificate of the gRPC listener, with those that lead to its root; in clear without.',
    ),
  'grpc-tls-key': text.optional().describe('PEM file: the private key of grpc-tls-certificate.'),
  'grpc-tls-client-ca': text
    .optional()
    .describe('PEM file: CA certificates, of one of which each gRPC client has to show a certificate.'),
  pressure: pressure.prefault({}),
};

export const listenerSchema = z.strictObject(listener);
