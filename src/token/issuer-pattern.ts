// Issuer pattern: a URL in which each `*` stands for [-_a-zA-Z0-9]+, anchored at both ends (GHSA-59jp-pj84-45mr).

/** What a `*` may stand for: never `/`, `.` or `:`, so it cannot leave its path segment, host label or port. */
function inStar(code: number): boolean {
  return (
    (code >= 97 && code <= 122) || // a-z
    (code >= 48 && code <= 57) || // 0-9
    (code >= 65 && code <= 90) || // A-Z
    code === 45 || // -
    code === 95 // _
  );
}

const STAR = 42;

/**
 * Whether `text` matches. Backtracks to the last `*` only, so the cost is at most the product of the lengths; a regular
 * expression of the same patterns can take far longer. (One `*` back suffices: up to the first character that a `*`
 * cannot stand for, the literal behind an earlier `*` fits at a single place, and without such a character the later
 * `*` can take what the earlier one would have.)
 */
export function matchesPattern(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1; // index in `pattern` of the last `*` passed
  let end = 0; // index in `text` up to which that `*` reaches
  while (t < text.length || p < pattern.length) {
    const wanted = pattern.charCodeAt(p); // NaN at the end
    if (wanted === STAR && t < text.length && inStar(text.charCodeAt(t))) {
      star = p;
      end = t + 1;
      p += 1;
      t = end;
    } else if (t < text.length && wanted !== STAR && wanted === text.charCodeAt(t)) {
      p += 1;
      t += 1;
    } else if (star >= 0 && end < text.length && inStar(text.charCodeAt(end))) {
      end += 1;
      p = star + 1;
      t = end;
    } else {
      return false;
    }
  }
  return true;
}

/** Whether some text matches both patterns. For load time: the cost is the product of the lengths. */
export function intersects(first: string, second: string): boolean {
  const width = second.length + 1;
  const seen = new Uint8Array((first.length + 1) * width);
  const open: number[] = [0];
  seen[0] = 1;
  // A state is a pair of positions; a `*` takes one character and stays, or takes one and moves on.
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    const i = Math.floor(state / width);
    const j = state % width;
    if (i === first.length && j === second.length) return true;
    if (i === first.length || j === second.length) continue;
    const a = first.charCodeAt(i);
    const b = second.charCodeAt(j);
    if (a !== b && !(a === STAR && inStar(b)) && !(b === STAR && inStar(a))) continue;
    const nextI = a === STAR ? [i, i + 1] : [i + 1];
    const nextJ = b === STAR ? [j, j + 1] : [j + 1];
    for (const x of nextI)
      for (const y of nextJ) {
        const next = x * width + y;
        if (seen[next] === 1) continue;
        seen[next] = 1;
        open.push(next);
      }
  }
  return false;
}

/** How specific a pattern is: its number of literal characters. */
export function specificity(pattern: string): number {
  return pattern.length - (pattern.split('*').length - 1);
}

/** Whether a `*` stands in the authority part, so that the text matched decides which host is asked. */
export function hasWildcardHost(pattern: string): boolean {
  const start = pattern.indexOf('://');
  const authority = start < 0 ? pattern : pattern.slice(start + 3);
  const end = authority.search(/[/?#\\]/);
  return (end < 0 ? authority : authority.slice(0, end)).includes('*');
}
