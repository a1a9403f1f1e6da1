// Claim text: a claim as the text that templates work with, printed as Go prints it; or why it has none.

import { Problem } from '../problem.ts';
import type { Claims, ClaimValue } from '../token/claims.ts';

export type ClaimText = string | Unprintable;

/** Reads one name; undefined where neither claims nor defaults have it. */
export type Reader = (claims: Claims) => ClaimText | undefined;

/** What the names in a template stand for. */
export interface Names {
  reader(name: string): Reader;
}

const DESCRIPTIONS = {
  absent: 'absent',
  null: 'null',
  list: 'a list',
  object: 'an object',
  huge: 'a number out of range',
} as const;

/** A claim that has no text. Fulcio prints `<nil>`, `[a b]` or `map[...]`; here none of those gets into a certificate. */
export class Unprintable {
  readonly claim: string;
  readonly is: keyof typeof DESCRIPTIONS;

  constructor(claim: string, is: keyof typeof DESCRIPTIONS) {
    this.claim = claim;
    this.is = is;
  }

  /** Stands for the empty text in conditions. */
  get empty(): boolean {
    return this.is === 'absent' || this.is === 'null';
  }

  /** `where` begins the message: the place in the template, or what was to be written. */
  refusal(where: string): Problem {
    const { claim } = this;
    return new Problem('identity_unencodable', {
      message: `${where}claim ${claim} is ${DESCRIPTIONS[this.is]} and cannot be written into a certificate`,
      field: claim,
      hint: `The claim ${claim} must be a string, a number or a boolean.`,
    });
  }
}

export function claimText(name: string, value: ClaimValue): ClaimText {
  if (typeof value === 'string') return value;
  if (typeof value === 'number')
    return Number.isFinite(value) ? numberText(value) : new Unprintable(name, 'huge');
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (value === null) return new Unprintable(name, 'null');
  return new Unprintable(name, Array.isArray(value) ? 'list' : 'object');
}

/** The fewest digits that read back as the same number, never with an exponent. */
export function numberText(value: number): string {
  if (Object.is(value, -0)) return '-0';
  const [, sign = '', first = '', rest = '', exponent = ''] =
    /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(String(value)) ?? [];
  if (first === '') return String(value);
  const digits = first + rest;
  const point = 1 + Number(exponent);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return sign + digits.padEnd(point, '0'); // an exponent of 21 or more leaves no digit after the point
}
