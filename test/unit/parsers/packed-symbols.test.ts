import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readFunctions } from '../../../parsers/elf-symbols.ts';
import { packSymbols, unpackSymbols } from '../../../parsers/packed-symbols.ts';
import { addRow, newRows } from '../../../parsers/symbol-ranges.ts';
import { inOrder, newSymbolTable, type SymbolTable } from '../../../parsers/symbol-table.ts';
import { attempts, cases } from '../../effort.ts';
import { compile, elfOf, fileSource, library } from './elf-files.ts';

/** Where the first part begins, and its columns. */
const [PART, COLUMNS] = [32, 48];

/** Adjacent functions of 16 bytes. */
function tableOf(names: readonly (string | undefined)[], start = 0x1000): SymbolTable {
  const rows = newRows(names.length);
  for (const position of names.keys()) {
    const from = start + 16 * position;
    addRow(rows, { start: from, end: from + 16, sized: true, merit: 0, position });
  }
  return newSymbolTable(rows, () => ({ nameAt: (position) => names[position], bytes: 0 }), []);
}

function repacked(...tables: readonly SymbolTable[]): readonly SymbolTable[] {
  const unpacked = unpackSymbols(packSymbols(tables));
  if (!unpacked) throw new Error('it cannot be unpacked');
  return unpacked;
}

/** The first, the last and some other bytes of each range, adjacent addresses, and some far from all. */
function addressesIn({ parts }: SymbolTable): number[] {
  const near = parts.flatMap(({ ranges: { starts, lengths } }) =>
    [...starts].flatMap((start, i) => {
      const length = lengths[i] as number;
      return [-1, 0, 1, length >> 1, length - 1, length].map((offset) => start + offset);
    }),
  );
  return [-1, 0, 0.5, Number.NaN, 2 ** 40, 2 ** 53, Number.POSITIVE_INFINITY, ...near];
}

/** Number of addresses with names. */
function expectAlike(table: SymbolTable, other: SymbolTable | undefined): number {
  const addresses = addressesIn(table);
  const different = addresses.filter((at) => {
    const [one, two] = [table.find(at), other?.find(at)];
    return one?.name !== two?.name || one?.start !== two?.start || one?.size !== two?.size;
  });
  expect(different).toEqual([]);
  expect(other).toMatchObject({ size: table.size, problems: [] });
  return addresses.filter((at) => table.find(at)).length;
}

/** Undefined, or a usable table. */
function expectHarmless(bytes: Buffer): void {
  for (const table of unpackSymbols(bytes) ?? []) for (const at of [0, 0x1008, 2 ** 60]) table.find(at);
}

describe('functions of a real file', () => {
  const C = 'static int copy(int n) { return n; } int main(void) { return copy(0); }';
  const files = cases<[string, () => string]>(
    [
      ['a program', () => compile(C)],
      ['a program with its libraries', () => compile(C, ['-static'])],
      ['the C library', () => library(compile(C), 'libc\\.')],
    ],
    [['Node.js', () => process.execPath]],
  );

  test.each(files)('in %s are found as before packing, and no others', { timeout: 60_000 }, (_, path) => {
    const source = fileSource(path());
    const table = readFunctions(source, elfOf(source));
    expect(table.problems).toEqual([]);
    expect(expectAlike(table, repacked(table)[0])).toBeGreaterThan(10);
  });
});

describe('an unpacked result', () => {
  const finds = (tables: readonly SymbolTable[]) => tables.map((table) => table.find(0x1008)?.name);

  test('has the tables in their order', () => {
    expect(finds(repacked(...['first', 'second', 'third'].map((name) => tableOf([name]))))).toEqual([
      'first',
      'second',
      'third',
    ]);
  });

  test('has the parts in their order, and searches earlier ones first', () => {
    const parts = [tableOf(['a'], 0x2000), tableOf(['b']), tableOf(['c', 'd', 'e'])];
    const [table, other] = repacked(inOrder(parts), tableOf(['other']));
    expect([0x1008, 0x1018, 0x2008].map((at) => table?.find(at)?.name)).toEqual(['b', 'd', 'a']);
    expect(table).toMatchObject({ size: 5, problems: [] });
    expect(table?.parts.map(({ ranges }) => ranges.starts.length)).toEqual([1, 1, 3]);
    expect(other?.find(0x1008)?.name).toBe('other');
  });

  test('has the start and size of the whole function in each of its ranges', () => {
    const rows = newRows(2);
    addRow(rows, { start: 0, end: 64, sized: true, merit: 0, position: 0 });
    addRow(rows, { start: 16, end: 32, sized: true, merit: 0, position: 1 });
    const [table] = repacked(newSymbolTable(rows, () => ({ nameAt: String, bytes: 0 }), []));
    expect(table?.find(40)).toEqual({ name: '0', start: 0, size: 64 });
    expect(table?.find(20)).toEqual({ name: '1', start: 16, size: 16 });
    expect(table?.size).toBe(3);
  });

  test('may have empty tables', () => {
    expect(repacked()).toEqual([]);
    expect(repacked(tableOf([]), tableOf(['f']), tableOf([])).map(({ size }) => size)).toEqual([0, 1, 0]);
  });

  test.each([
    ['beyond ASCII', 'größe_函数_🙂'],
    ['with other characters', 'a b\n\t"\\\u0001'],
    ['of 4095 bytes', 'x'.repeat(4095)],
    ['of 4096 bytes', 'é'.repeat(2048)],
  ])('has names %s', (_, name) => {
    const [table] = repacked(tableOf(['before', name, 'behind']));
    expect([0x1000, 0x1010, 0x1020].map((at) => table?.find(at)?.name)).toEqual(['before', name, 'behind']);
  });

  test('has no name if the file had none', () => {
    const [table] = repacked(tableOf(['f', undefined, 'g']));
    expect([0x1000, 0x1010, 0x1020].map((at) => table?.find(at)?.name)).toEqual(['f', undefined, 'g']);
    expect(table?.size).toBe(3);
  });

  test('has addresses up to 2^53', () => {
    const [table] = repacked(tableOf(['high'], 2 ** 53 - 32));
    expect(table?.find(2 ** 53 - 32)).toEqual({ name: 'high', start: 2 ** 53 - 32, size: 16 });
  });

  test('is the same at any alignment of the bytes', () => {
    const packed = packSymbols([tableOf(['f'])]);
    for (let shift = 0; shift < 8; shift++) {
      const moved = Buffer.concat([Buffer.alloc(shift), packed]).subarray(shift);
      expect(finds(unpackSymbols(moved) ?? [])).toEqual(['f']);
    }
  });

  test('is a copy: the bytes may change afterwards', () => {
    const packed = packSymbols([tableOf(['f'])]);
    const tables = unpackSymbols(packed) ?? [];
    packed.fill(0);
    expect(finds(tables)).toEqual(['f']);
  });
});

test('a name shared by many ranges is packed once', () => {
  const rows = newRows(100);
  for (let i = 0; i < 100; i++)
    addRow(rows, { start: 16 * i, end: 16 * i + 8, sized: true, merit: 0, position: 7 });
  const table = newSymbolTable(rows, () => ({ nameAt: () => 'x'.repeat(1000), bytes: 0 }), []);
  expect(packSymbols([table]).length).toBeLessThan(100 * 24 + 2000);
  expect(repacked(table)[0]?.find(16 * 99)?.name).toHaveLength(1000);
});

describe('damaged bytes', () => {
  const packed = packSymbols([tableOf(['f', 'größe']), inOrder([tableOf(['g']), tableOf(['h'])])]);
  const changed = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from(packed);
    change(bytes);
    return bytes;
  };

  test('that end early are rejected', () => {
    const whole = packed.keys();
    expect([...whole].filter((length) => unpackSymbols(packed.subarray(0, length)))).toEqual([]);
  });

  test('with more bytes after them are rejected', () => {
    for (const more of [1, 8, 16, 40])
      expect(unpackSymbols(Buffer.concat([packed, Buffer.alloc(more)]))).toBeUndefined();
  });

  test.each(['btprof symbols 1\n', 'btprof symbols\n\n\n', '\0'])(
    'that begin with %j are rejected',
    (magic) => {
      expect(unpackSymbols(changed((bytes) => bytes.write(magic)))).toBeUndefined();
    },
  );

  test.each([0, 1, 2, 4, 2 ** 32 - 1])('with %i parts instead of 3 are rejected', (parts) => {
    expect(unpackSymbols(changed((bytes) => bytes.writeUInt32LE(parts, PART - 4)))).toBeUndefined();
  });

  test.each([
    ['a table that starts too early', 0, 1],
    ['a table with a huge number', 0, 2 ** 32 - 1],
    ['more ranges', 4, 3],
    ['the largest possible number of ranges', 4, 2 ** 32 - 1],
    ['longer names', 8, 24],
    ['names that are not whole words', 8, 15],
    ['the largest possible names', 8, 2 ** 32 - 8],
  ])('with %s are rejected', (_, at, value) => {
    expect(unpackSymbols(changed((bytes) => bytes.writeUInt32LE(value, PART + at)))).toBeUndefined();
  });

  test('with one wrong bit are harmless', () => {
    for (let bit = 0; bit < 8 * packed.length; bit++)
      expectHarmless(
        changed((bytes) => {
          bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
        }),
      );
  });

  test('with wrong positions of names have no names', () => {
    const positions = COLUMNS + 2 * (8 + 3 * 4);
    const [table] = unpackSymbols(changed((bytes) => bytes.fill(0xff, positions, positions + 8))) ?? [];
    expect(table?.size).toBe(2);
    expect(table?.find(0x1008)).toBeUndefined();
  });

  test('of any kind are harmless', { timeout: 60_000 }, () => {
    const head = packed.subarray(0, PART);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(3), fc.nat(packed.length), (noise, parts, at) => {
        const begun = Buffer.concat([head, noise]);
        begun.writeUInt32LE(parts, PART - 4);
        for (const bytes of [
          Buffer.from(noise),
          begun,
          changed((whole) => whole.set(noise.slice(0, packed.length - at), at)),
        ])
          expectHarmless(bytes);
      }),
      { numRuns: attempts(1000, 20_000) },
    );
  });
});

test('random functions are found as before packing', { timeout: 60_000 }, () => {
  const anyName = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 9 })
    .filter((name) => !name.includes('\0'));
  fc.assert(
    fc.property(fc.array(fc.array(anyName, { maxLength: 6 }), { maxLength: 4 }), (names) => {
      const tables = names.map((name) => tableOf(name));
      const unpacked = repacked(...tables);
      expect(unpacked).toHaveLength(tables.length);
      for (const [i, table] of tables.entries()) expectAlike(table, unpacked[i]);
    }),
    { numRuns: attempts(200, 2000) },
  );
});
