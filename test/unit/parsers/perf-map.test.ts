import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PerfMap, parsePerfMap } from '../../../parsers/perf-map.ts';
import { attempts, cases } from '../../effort.ts';

const mapOf = (text: string) => parsePerfMap(Buffer.from(text));
const nameIn = (map: PerfMap, address: number) => map.find(address)?.name;

/** Rows as written by Node.js, Java and Python. */
const MAP = mapOf(`\
7f1c40a01000 1c0 JS:*wait /srv/app.js:12:3
0x00007f1c40a02000 0x00000140 Ljava/lang/Object;::wait
7f1c40a03000 A0 py::f é:/srv/größe.py
`);

describe('a perf map', () => {
  test.each([
    ['at its start', 0x7f1c40a01000, 'JS:*wait /srv/app.js:12:3', 0x7f1c40a01000, 0x1c0],
    ['at its last byte', 0x7f1c40a011bf, 'JS:*wait /srv/app.js:12:3', 0x7f1c40a01000, 0x1c0],
    ['in a map written by Java', 0x7f1c40a02001, 'Ljava/lang/Object;::wait', 0x7f1c40a02000, 0x140],
    ['with letters of any language', 0x7f1c40a03010, 'py::f é:/srv/größe.py', 0x7f1c40a03000, 0xa0],
  ])('finds the function that contains an address %s', (_, address, name, start, size) => {
    expect(MAP.find(address)).toEqual({ name, start, size });
  });

  test.each([
    ['before all functions', 0x7f1c40a00fff],
    ['after the end of one', 0x7f1c40a011c0],
    ['after all functions', 0x7f1c40a030a0],
    ['at 0', 0],
    ['in the kernel', 2 ** 64 - 2 ** 31],
  ])('finds no function %s', (_, address) => {
    expect(MAP.find(address)).toBeUndefined();
  });

  test('cuts names to 4096 bytes', () => {
    const map = mapOf(`10 10 ${'x'.repeat(4095)}yz\n20 10 next\n`);
    expect(nameIn(map, 0x10)).toBe(`${'x'.repeat(4095)}y`);
    expect(nameIn(map, 0x20)).toBe('next');
  });

  test('accepts rows in any order', () => {
    const map = mapOf('3000 10 c\n1000 10 a\n2000 10 b\n');
    expect([0x1008, 0x2008, 0x3008].map((address) => nameIn(map, address))).toEqual(['a', 'b', 'c']);
  });
});

describe('of overlapping functions, finds the one written last', () => {
  test.each([
    ['at the same place', '1000 100 old\n1000 100 new\n', 'new', 'new'],
    ['even if it starts before', '1040 40 old\n1000 100 new\n', 'new', 'new'],
    ['even if it starts after', '1000 100 old\n1040 40 new\n', 'new', 'old'],
    ['even if it is between other rows', '1000 100 old\n1040 40 new\n1048 8 small\n', 'new', 'old'],
  ])('%s', (_, text, at1050, at10f0) => {
    const map = mapOf(text);
    expect([nameIn(map, 0x1050), nameIn(map, 0x10f0)]).toEqual([at1050, at10f0]);
  });

  test('gives the same result as a search through all rows', () => {
    const row = fc.record({ start: fc.nat(60), size: fc.integer({ min: 1, max: 40 }) });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 40 }), (rows) => {
        const text = rows.map(({ start, size }, i) => `${start.toString(16)} ${size.toString(16)} f${i}\n`);
        const map = mapOf(text.join(''));
        for (let address = 0; address < 110; address++) {
          const last = rows.findLastIndex(({ start, size }) => start <= address && address < start + size);
          expect(nameIn(map, address)).toBe(last < 0 ? undefined : `f${last}`);
        }
      }),
      { numRuns: attempts(50, 500) },
    );
  });
});

describe('counts rows that are not functions', () => {
  test.each([
    ['empty', ''],
    ['text', 'no function'],
    ['without a size', '1000 name'],
    ['without a name', '1000 10 '],
    ['without a size and a name', '1000'],
    ['of size 0', '1000 0 empty'],
    ['with a negative size', '1000 -10 negative'],
    ['of a size past 2^53', '1000 20000000000000 huge'],
    ['of a size with more digits than an address', '1000 00000000000000010 long'],
    ['that start past 2^53', 'ffffffff81000000 10 kernel'],
    ['that are indented', ' 1000 10 indented'],
  ])('%s', (_, row) => {
    const map = mapOf(`2000 10 first\n${row}\n2010 10 last\n`);
    expect(map).toMatchObject({ size: 2, skipped: 1 });
    expect([0x1000, 0x2000, 0x2010].map((at) => nameIn(map, at))).toEqual([undefined, 'first', 'last']);
  });

  test('functions past 2^18', () => {
    const rows = Array.from({ length: 2 ** 18 + 7 }, (_, i) => `${(16 * i).toString(16)} 10 f${i}\n`);
    const map = mapOf(rows.join(''));
    expect(map).toMatchObject({ size: 2 ** 18, skipped: 7 });
    expect(nameIn(map, 16 * 2 ** 18 - 1)).toBe(`f${2 ** 18 - 1}`);
    expect(nameIn(map, 16 * 2 ** 18)).toBeUndefined();
  });
});

test('ignores an incomplete last row, and does not count it', () => {
  const map = mapOf('1000 10 whole\n2000 10 ha');
  expect(map).toMatchObject({ size: 1, skipped: 0 });
  expect([0x1000, 0x2000].map((at) => nameIn(map, at))).toEqual(['whole', undefined]);
});

test.each(['', '1000 10 begun'])('%j has no functions', (text) => {
  const map = mapOf(text);
  expect(map).toMatchObject({ size: 0, skipped: 0 });
  expect(map.find(0x1000)).toBeUndefined();
});

test('random bytes are harmless: each row is a function or is counted', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
    fc
      .constantFrom('1000 10 f\n', '\n', ' ', '0x', '1000 ', '10 ', 'ffffffffffffffff ', 'f\n', '\0', '\r\n')
      .map(Buffer.from),
  );
  let functions = 0;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const bytes = Buffer.concat(pieces);
      const map = parsePerfMap(bytes);
      expect(map.size + map.skipped).toBe(bytes.filter((byte) => byte === 0x0a).length);
      for (const address of [-1, 0, 0x1000, 0x1010, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])
        map.find(address);
      functions += map.size;
    }),
    { numRuns: attempts(2000, 5000) },
  );
  expect(functions).toBeGreaterThan(100);
});

test.each(cases([100_000], [1_000_000]))('%i functions around one address are harmless', (count) => {
  const rows = Array.from({ length: count }, (_, i) => `${(i % 4099).toString(16)} fffff f${i}\n`);
  const map = mapOf(rows.join(''));
  for (let address = 5000; address < 5997; address++) expect(map.find(address)?.size).toBe(0xfffff);
});
