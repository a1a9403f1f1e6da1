// Claims: the payload of a token as a Map, so that `constructor` and `__proto__` are absent claims, not functions.

export type ClaimValue =
  | string
  | number
  | boolean
  | null
  | readonly ClaimValue[]
  | { readonly [name: string]: ClaimValue };

export type Claims = ReadonlyMap<string, ClaimValue>;

/** Own members only; nested objects stay as they were parsed, so read them with `member`. */
export function claimsOf(payload: object): Claims {
  const members = payload as Readonly<Record<string, ClaimValue>>; // what JSON.parse makes
  const claims = new Map<string, ClaimValue>();
  for (const name of Object.keys(members)) {
    const value = members[name];
    if (value !== undefined) claims.set(name, value);
  }
  return claims;
}

/** An own member of a nested claim, or undefined where `value` is no object or lacks it. */
export function member(value: ClaimValue | undefined, name: string): ClaimValue | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, name) ? (value as Readonly<Record<string, ClaimValue>>)[name] : undefined;
}

/** The claim when it is a string, otherwise undefined. */
export function stringClaim(claims: Claims, name: string): string | undefined {
  const value = claims.get(name);
  return typeof value === 'string' ? value : undefined;
}
