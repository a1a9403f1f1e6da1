// Invocation: how this command line was called, for lines that a person can copy.

/** By npm from a clone, or by its own name. */
export function invocation(): string {
  const script = process.env['npm_lifecycle_event'];
  return script === 'mayfly' || script === 'start' ? 'npm run -s mayfly --' : 'mayfly';
}

/** One argument for a POSIX shell. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
