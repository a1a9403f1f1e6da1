// Identity pattern: which signers are meant: a name in which each `*` stands for any run of characters, anchored at both ends.

export class IdentityPattern {
  readonly text: string;
  readonly #literals: readonly string[];

  constructor(text: string) {
    this.text = text;
    this.#literals = text.split('*');
  }

  /** Takes time in the product of the lengths at most, unlike a regular expression. */
  matches(name: string): boolean {
    const [first = '', ...rest] = this.#literals;
    const last = rest.pop();
    if (last === undefined) return name === first;
    if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last))
      return false;
    const end = name.length - last.length;
    let at = first.length;
    // The leftmost place for each literal leaves the most room for those behind it.
    for (const literal of rest) {
      const found = name.indexOf(literal, at);
      if (found < 0 || found + literal.length > end) return false;
      at = found + literal.length;
    }
    return true;
  }
}
