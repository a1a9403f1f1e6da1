// Predicate type: the value of --type, a short name or a URI.

import { InvalidArgumentError } from 'commander';
import { PREDICATE_TYPES, predicateTypeOf } from '../client/statement.ts';

export function predicateType(text: string): string {
  const type = predicateTypeOf(text);
  if (type !== undefined) return type;
  throw new InvalidArgumentError(`a type is one of ${Object.keys(PREDICATE_TYPES).join(', ')}, or a URI`);
}
