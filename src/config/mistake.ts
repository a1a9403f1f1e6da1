// Mistake: one thing wrong in a configuration file, with its place and what would be accepted instead.

export type Path = readonly (string | number)[];

export interface Mistake {
  /** `issuers[2].audiences`, a key that is no plain word in brackets and quotes; empty for the file as a whole. */
  readonly path: string;
  /** Both from 1; absent where no place in the text is at fault. */
  readonly line?: number;
  readonly column?: number;
  /** Names what would be accepted. */
  readonly message: string;
  readonly severity: 'error' | 'warning';
}

/** A configuration that cannot be used, with all of its mistakes. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly mistakes: readonly Mistake[];
  readonly fileName: string;

  constructor(mistakes: readonly Mistake[], fileName: string) {
    super(format(mistakes, fileName));
    this.mistakes = mistakes;
    this.fileName = fileName;
  }
}

/** One line for each mistake, in the order of the file: `mayfly.yaml:12: issuers[0].type: ...`. */
export function format(mistakes: readonly Mistake[], fileName: string): string {
  return [...mistakes]
    .sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0))
    .map((mistake) => {
      const place = mistake.line === undefined ? fileName : `${fileName}:${mistake.line}`;
      const severity = mistake.severity === 'warning' ? ['warning'] : [];
      const path = mistake.path === '' ? [] : [mistake.path];
      return [place, ...severity, ...path, mistake.message].join(': ');
    })
    .join('\n');
}

const WORD = /^[A-Za-z_][A-Za-z0-9_-]*$/;

export function formatPath(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    if (!WORD.test(part)) return `${text}[${JSON.stringify(part)}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}
