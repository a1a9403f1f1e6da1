import { describe, expect, it } from 'vitest';
import { readDocument } from '../../../src/config/document.ts';
import { locate, type Node, plain } from '../../../src/config/node.ts';

function root(text: string): Node {
  const result = readDocument(text);
  if ('mistakes' in result) throw new Error(JSON.stringify(result.mistakes));
  return result.document.root;
}

const data = (text: string): unknown => JSON.parse(JSON.stringify(plain(root(text))));

function mistakes(text: string): readonly (readonly [number | undefined, string, string])[] {
  const result = readDocument(text);
  const found = 'mistakes' in result ? result.mistakes : result.document.mistakes;
  return found.map(({ line, path, message }) => [line, path, message]);
}

describe('a document', () => {
  it.each([
    ['a: 1\nb: [x, {c: true}]\n', { a: 1, b: ['x', { c: true }] }],
    ['{"a":{"b":[1,"\\ud83d\\ude00"]}}', { a: { b: [1, '😀'] } }],
    ['{\n\t"a": {\n\t\t"b": null\n\t}\n}', { a: { b: null } }],
    ['---\na: 1\n...\n', { a: 1 }],
    ['---\na: 1\n---\n# nothing more\n', { a: 1 }],
    ['', null],
    ['# only a comment', null],
    ['a: |\n  *x:\n  &y\n', { a: '*x:\n&y\n' }],
  ])('%j', (text, expected) => {
    expect(data(text)).toEqual(expected);
  });

  it('reads an alias as a key in the spelling of Fulcio files, in block and flow maps', () => {
    const text = 'define:\n  - &gh "github-workflow"\nci:\n  *gh:\n    a: *gh\n  b: {*gh: 1, c: [*gh]}\n';
    expect(data(text)).toEqual({
      define: ['github-workflow'],
      ci: {
        'github-workflow': { a: 'github-workflow' },
        b: { 'github-workflow': 1, c: ['github-workflow'] },
      },
    });
  });

  it('reads an alias as a key in the spelling of YAML 1.2', () => {
    expect(data('- &k key\n- {*k : 1}\n- *k : 2\n')).toEqual(['key', { key: 1 }, { key: 2 }]);
  });

  it('merges as Go does: own keys win, then the earlier map', () => {
    const text = 'a: &a {p: 1, q: 1}\nb: &b {q: 2, r: 2}\nc: {<<: [*a, *b], p: 3}\nd:\n  <<: *b\n  s: 4\n';
    expect(data(text)).toMatchObject({ c: { p: 3, q: 1, r: 2 }, d: { q: 2, r: 2, s: 4 } });
  });

  it('keeps the text of a scalar, and numbers as keys', () => {
    const node = root('v: 1.10\n10: "x"\n');
    expect(node.kind === 'map' && node.members.get('v')?.value).toMatchObject({ value: 1.1, text: '1.10' });
    expect(data('10: "x"')).toEqual({ 10: 'x' });
  });

  it('knows whether it is JSON', () => {
    expect(readDocument('{"a": 1}')).toMatchObject({ document: { json: true } });
    expect(readDocument('{a: 1}')).toMatchObject({ document: { json: false } });
  });

  it('has no keys that are not in the text', () => {
    const read = plain(root('a: 1')) as Record<string, unknown>;
    expect(read['constructor']).toBeUndefined();
    expect('toString' in read).toBe(false);
  });

  it('finds the place of a path, or of what is nearest above it', () => {
    const node = root('a:\n  - b: 1\n    "c d": 2\n');
    expect(locate(node, ['a', 0, 'c d'])).toEqual({ path: 'a[0]["c d"]', place: { line: 3, column: 5 } });
    expect(locate(node, ['a', 0, 'missing'])).toEqual({
      path: 'a[0].missing',
      place: { line: 2, column: 5 },
    });
    expect(locate(node, ['z', 'y'])).toEqual({ path: 'z.y', place: { line: 1, column: 1 } });
  });
});

describe('a text that cannot be used', () => {
  it.each([
    ['a: 1\nb:\n  c: 1\n  c: 2\n', [[4, 'b.c', 'the key is already on line 3; each key may stand once']]],
    ['{"a": 1, "a": 2}', [[1, 'a', 'the key is already on line 1; each key may stand once']]],
    ['- &k x\n- {*k: 1, x: 2}', [[2, '[1].x', 'the key is already on line 2; each key may stand once']]],
    ['a: *b', [[1, 'a', 'the alias *b needs an anchor &b above it']]],
    ['a: &a [1, *a]', [[1, 'a[1]', 'the alias *a contains itself']]],
    ['a: 1\n---\nb: 2', [[2, '', 'holds more than one YAML document; only one can be used']]],
    ['? [x]\n: 1', [[1, '', 'a key must be text']]],
    ['a: {"__proto__": {}}', [[1, 'a.__proto__', 'is not a usable key']]],
    ['a: {<<: 3}', [[1, 'a', '<< takes an alias of a map, or a list of them']]],
    ['[', [[1, '', 'is not YAML: Flow sequence must end with a ]']]],
    ['a: b: c', [[1, '', 'is not YAML: Nested mappings are not allowed in compact mappings']]],
    ['a: !custom 1', [[1, '', 'is not YAML: Unresolved tag: !custom']]],
  ])('%j', (text, expected) => {
    expect(mistakes(text)).toEqual(expected);
  });

  it('may be neither deep nor long', () => {
    expect(mistakes('['.repeat(100))).toEqual([[1, '', 'is nested deeper than 64 levels']]);
    expect(mistakes('- '.repeat(100))).toEqual([[1, '', 'is nested deeper than 64 levels']]);
    expect(mistakes(' '.repeat((2 << 20) + 1))).toEqual([
      [undefined, '', 'is longer than 2097152 characters'],
    ]);
  });

  it('tells all mistakes of one kind at once', () => {
    expect(mistakes('a: *x\nb: *y\nc: 1\nc: 2\n').map(([line]) => line)).toEqual([1, 2, 4]);
  });

  it('does not grow with aliases of aliases', () => {
    const letters = 'abcdefghijklmnop'.split('');
    const bomb = letters.map((name, i) => {
      const items = new Array(9).fill(i === 0 ? 'x' : `*${letters[i - 1]}`);
      return `${name}: &${name} [${items.join(', ')}]`;
    });
    expect(mistakes(bomb.join('\n'))).toEqual([
      [5, 'e[5]', 'repeats too much: aliases may stand for 50000 values in all'],
    ]);
  });
});
