// AlgorithmIdentifier: which algorithm a key or a signature is for (RFC 5280 section 4.1.1.2).

import { DerError, type Element, oidOf, readAll, TAG } from '../encoding/der.ts';

export interface AlgorithmIdentifier {
  /** Dotted form. */
  readonly algorithm: string;
  readonly parameters: Element | undefined;
}

/** Throws a DerError. */
export function readAlgorithmIdentifier(element: Element): AlgorithmIdentifier {
  if (element.tag !== TAG.sequence)
    throw new DerError('algorithm identifier is not a SEQUENCE', element.start);
  const [algorithm, parameters, extra] = readAll(element.content);
  if (algorithm?.tag !== TAG.oid || extra !== undefined)
    throw new DerError('algorithm identifier is not OBJECT IDENTIFIER and parameters', element.start);
  return { algorithm: oidOf(algorithm.content), parameters };
}
