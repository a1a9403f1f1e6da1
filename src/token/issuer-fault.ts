// Issuer fault: why an issuer's keys could not be had, in words for its operator and for the client.

import { Problem } from '../problem.ts';
import { FetchError, type FetchErrorCode } from './fetcher.ts';

export type IssuerFaultCode =
  | FetchErrorCode
  | 'insecure_url'
  | 'status_not_ok'
  | 'document_malformed'
  | 'issuer_differs'
  | 'budget_exhausted'
  | 'busy';

export type IssuerDocument = 'discovery document' | 'key set';

/** The message may name hosts, addresses and text of the document: for logs only. */
export class IssuerFault extends Error {
  override readonly name = 'IssuerFault';
  readonly code: IssuerFaultCode;
  readonly document: IssuerDocument;

  constructor(code: IssuerFaultCode, document: IssuerDocument, message: string, cause?: unknown) {
    super(`${document}: ${message}`, { cause });
    this.code = code;
    this.document = document;
  }

  static from(error: unknown, document: IssuerDocument): IssuerFault {
    if (error instanceof IssuerFault) return error;
    if (error instanceof FetchError) return new IssuerFault(error.code, document, error.message, error);
    return new IssuerFault('connection_failed', document, 'unexpected failure', error);
  }
}

/** No difference between a closed port, a dead name and a refused address: a client must not map a network with us. */
const unreached = 'could not be reached';

const sentences: Readonly<Record<IssuerFaultCode, string>> = {
  invalid_url: unreached,
  insecure_url: unreached,
  name_unresolved: unreached,
  address_refused: unreached,
  connection_failed: unreached,
  tls_failed: unreached,
  unsupported: unreached,
  timed_out: 'did not arrive in time',
  too_large: 'is larger than this server accepts',
  redirect_refused: 'is behind a redirect that this server does not follow',
  status_not_ok: 'is not there (an HTTP status other than 200)',
  document_malformed: 'is not what OpenID Connect Discovery and RFC 7517 describe',
  issuer_differs: "names another issuer than the token's iss",
  budget_exhausted: 'was not fetched: too many new issuers of this kind in the last minute',
  busy: 'is being fetched, and too many requests wait for it already',
};

/** What the client gets to see; the fault itself stays in the cause. */
export function unreachable(fault: IssuerFault): Problem {
  return new Problem('issuer_unreachable', {
    field: 'iss',
    hint: `The issuer's ${fault.document} ${sentences[fault.code]}; try again shortly.`,
    cause: fault,
  });
}
