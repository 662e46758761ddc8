import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSourceLines } from '../../../parsers/addr2line.ts';

const place = (name: string | null, file: string | null, line: number | null) => ({
  function: name,
  file,
  line,
});
const OUTER = place('outer', '/src/chain.c', 11);

/** Output of `addr2line -a -f -i`, binutils 2.40. */
const BINUTILS = `\
0x0000000000001150
inner
/src/chain.c:3
middle
/src/chain.c:8 (discriminator 2)
outer
/src/chain.c:11
0x0000000000001168
inner
/src/chain.c:3
outer
/src/chain.c:11
0x0000000000000000
??
??:0
0x0000000000001060
_start
??:?
0x0000000000001179
outer
/src/chain.c:11
`;
/** The same from `llvm-symbolizer --output-style=GNU -a -f -i`, LLVM 14. It uses a symbol where binutils prints nothing. */
const LLVM = `\
0x1150
inner
/src/chain.c:3
middle
/src/chain.c:8
outer
/src/chain.c:11
0x1168
inner
/src/chain.c:3
outer
/src/chain.c:11
0x0
??
??:0
0x1060
_start
??:0
0x1179
outer
/src/chain.c:11
`;
const ASKED = [0x1150, 0x1168, 0, 0x1060, 0x1179];

test.each([
  ['binutils', BINUTILS],
  ["LLVM's tool in GNU's style", LLVM],
])('reads the output of %s, innermost function first', (_, text) => {
  expect(parseSourceLines(text, ASKED)).toEqual([
    [place('inner', '/src/chain.c', 3), place('middle', '/src/chain.c', 8), OUTER],
    [place('inner', '/src/chain.c', 3), OUTER],
    [],
    [place('_start', null, null)],
    [OUTER],
  ]);
});

describe('a place', () => {
  test.each([
    ['/src/a.c:3', '/src/a.c', 3],
    ['/src/a.c:3 (discriminator 17)', '/src/a.c', 3],
    ['a.c:?', 'a.c', null],
    ['a.c:0', 'a.c', null],
    ['??:0', null, null],
    ['??:?', null, null],
    ['C:\\src\\a.c:3', 'C:\\src\\a.c', 3],
    ['/src/a: b (1):7.c:3', '/src/a: b (1):7.c', 3],
    ['/größe/é.c:3', '/größe/é.c', 3],
    ['/src/(discriminator 2).c:3 (discriminator 2)', '/src/(discriminator 2).c', 3],
  ])('%j means file %j and line %j', (text, file, line) => {
    expect(parseSourceLines(`0x10\nf\n${text}\n`, [0x10])).toEqual([[place('f', file, line)]]);
  });

  test.each(['no place', ''])('%j after a name means that the whole answer cannot be read', (text) => {
    const answers = `0x10\nf\na.c:1\ng\n${text}\nb.c:2\n0x20\nh\na.c:3\n`;
    expect(parseSourceLines(answers, [0x10, 0x20])).toEqual([[], [place('h', 'a.c', 3)]]);
  });

  test('counts even without the name of a function', () => {
    expect(parseSourceLines('0x10\n??\n/src/a.c:3\n', [0x10])).toEqual([[place(null, '/src/a.c', 3)]]);
  });
});

describe('a function', () => {
  test.each(['two\nlines', 'three\nlines\nhere', 'b.c:1\nb.c:2'])(
    'has no answer if its name has line breaks: %j; those of other addresses stay right',
    (name) => {
      const text = `0x10\n${name}\na.c:1\nouter\na.c:2\n0x20\ng\na.c:3\n`;
      expect(parseSourceLines(text, [0x10, 0x20])).toEqual([[], [place('g', 'a.c', 3)]]);
    },
  );

  test.each(['operator new(unsigned long)', '_ZN2ns1fEi', 'größe', '0x12', '0x10'])(
    'may be called %j',
    (name) => {
      const text = `0x10\n${name}\na.c:1\nouter\na.c:2\n0x20\ng\na.c:3\n`;
      expect(parseSourceLines(text, [0x10, 0x20])).toEqual([
        [place(name, 'a.c', 1), place('outer', 'a.c', 2)],
        [place('g', 'a.c', 3)],
      ]);
    },
  );
});

describe('an address', () => {
  test('that occurs twice gets two answers', () => {
    const text = '0x10\nf\na.c:1\n0x10\nf\na.c:1\n0x20\ng\na.c:2\n';
    expect(parseSourceLines(text, [0x10, 0x10, 0x20])).toEqual([
      [place('f', 'a.c', 1)],
      [place('f', 'a.c', 1)],
      [place('g', 'a.c', 2)],
    ]);
  });

  test('may have capital letters', () => {
    expect(parseSourceLines('0xABC\nf\na.c:1\n', [0xabc])).toEqual([[place('f', 'a.c', 1)]]);
  });

  test('that was not requested is ignored', () => {
    expect(parseSourceLines('0x10\nf\na.c:1\n', [0x20])).toEqual([[]]);
  });

  test('has no lines if the output ends before it', () => {
    expect(parseSourceLines('0x10\nf\na.c:1\n', [0x10, 0x20, 0x30])).toEqual([
      [place('f', 'a.c', 1)],
      [],
      [],
    ]);
  });
});

test.each(['', '\n', '0x10', '0x10\n', 'not an address\n'])('%j has no answers', (text) => {
  expect(parseSourceLines(text, [0x10])).toEqual([[]]);
  expect(parseSourceLines(text, [])).toEqual([]);
});

test('truncated output gives the answers before the cut', () => {
  const whole = parseSourceLines(BINUTILS, ASKED);
  for (let length = 0; length < BINUTILS.length; length++) {
    const text = BINUTILS.slice(0, length);
    const last = Math.max(0, (text.match(/^0x\w{16}$/gm)?.length ?? 0) - 1);
    const found = parseSourceLines(text, ASKED);
    expect(found).toHaveLength(ASKED.length);
    expect(found.slice(0, last)).toEqual(whole.slice(0, last));
  }
});

test('any text is harmless: each address has an answer', () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '0x10',
      '0x20',
      '0x',
      '??',
      '??:?',
      '??:0',
      'f',
      'a.c:1',
      'a.c:1 (discriminator 2)',
      ':',
      '',
    ),
  );
  let answered = 0;
  fc.assert(
    fc.property(
      fc.array(line),
      fc.array(fc.constantFrom(0x10, 0x20, 0x30), { maxLength: 5 }),
      (lines, addresses) => {
        const found = parseSourceLines(lines.join('\n'), addresses);
        expect(found).toHaveLength(addresses.length);
        for (const one of found.flat()) expect([one.function, one.file, one.line]).not.toContain('??');
        answered += found.filter((one) => one.length > 0).length;
      },
    ),
    { numRuns: 5000 },
  );
  expect(answered).toBeGreaterThan(0);
});
