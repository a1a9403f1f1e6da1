// POST /api/v1/signingCert: the older interface, a PEM chain for an answer.

import type { IssuanceRequest } from '../issuance.ts';
import { Problem } from '../problem.ts';
import { Message } from './protojson.ts';
import { tokenOf } from './signing-cert-v2.ts';

/** Throws Problems `request_malformed`, and `public_key_invalid` before any look at the token when no key is there. */
export function parseRequest(text: string, headers: Headers): IssuanceRequest {
  const body = Message.parse(text, { snakeCase: false });
  const token = tokenOf(headers);
  const csr = body.bytes('certificateSigningRequest');
  if (csr.length > 0) return { token, key: { kind: 'csr', pem: csr } };
  const key = body.message('publicKey');
  if (key === undefined) {
    throw new Problem('public_key_invalid', {
      field: 'publicKey',
      hint: 'Send publicKey with base64 content, or certificateSigningRequest.',
    });
  }
  key.string('algorithm');
  return {
    token,
    key: { kind: 'possession', publicKey: key.bytes('content'), signature: body.bytes('signedEmailAddress') },
  };
}
