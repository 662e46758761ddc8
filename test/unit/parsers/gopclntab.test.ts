import { describe, expect, test } from 'vitest';
import { readFunctions } from '../../../parsers/elf-symbols.ts';
import { readGoFunctions } from '../../../parsers/gopclntab.ts';
import type { SymbolTable } from '../../../parsers/symbol-table.ts';
import { buildElf, type ElfClass, numbers, type SectionParts, stringTable } from './elf-builder.ts';
import { elfOf, fileSource, memorySource } from './elf-files.ts';

const TEXT = 0x401000;
const TABLE = 0x500000;
const FUNCTIONS = [
  { name: 'go:buildid', at: 0x40 },
  { name: '_rt0_amd64_linux', at: 0x80 },
  { name: 'main.(*Größe).Add', at: 0xa0 },
];
const END = 0x100;
const FORMS = [
  { name: 'Go 1.2', magic: 0xfffffffb },
  { name: 'Go 1.16', magic: 0xfffffffa },
  { name: 'Go 1.18', magic: 0xfffffff0 },
  { name: 'Go 1.20', magic: 0xfffffff1 },
];
const FORMATS = [
  { bits: '64 bits', wide: true },
  { bits: '32 bits', wide: false },
];

/** A table in one of the formats. Up to Go 1.16 its addresses are absolute; later they are relative to `text`. */
function goTable(format: ElfClass, magic: number, text: number): Buffer {
  const size = format.wide ? 8 : 4;
  const relative = magic === 0xfffffff0 || magic === 0xfffffff1;
  const [cell, base] = relative ? [4 as const, 0] : ['word' as const, TEXT];
  const width = relative ? 4 : size;
  const names = stringTable(FUNCTIONS.map((f) => f.name));
  const start = Buffer.concat([
    numbers(format, [4, magic], [1, 0], [1, 0], [1, 1], [1, size], ['word', FUNCTIONS.length]),
  ]);
  const header = 8 + (magic === 0xfffffffb ? 1 : relative ? 8 : 7) * size;
  const old = magic === 0xfffffffb;
  const recordsAt = header + (old ? 0 : names.bytes.length);
  const rowsSize = (2 * FUNCTIONS.length + 1) * width;
  const namesAt = old ? recordsAt + rowsSize + FUNCTIONS.length * (width + 4) : header;
  const recordBase = old ? 0 : recordsAt;
  const rows = FUNCTIONS.map((f, i) =>
    numbers(format, [cell, base + f.at], [cell, recordsAt - recordBase + rowsSize + i * (width + 4)]),
  );
  const records = FUNCTIONS.map((f) =>
    numbers(format, [cell, base + f.at], [4, names.at(f.name) + (old ? namesAt : 0)]),
  );
  const table = Buffer.concat([...rows, numbers(format, [cell, base + END]), ...records]);
  if (old) return Buffer.concat([start, table, names.bytes, Buffer.alloc(64)]);
  const offsets = [0, ...(relative ? [text] : []), namesAt, recordsAt, recordsAt, recordsAt, recordsAt];
  return Buffer.concat([
    start,
    ...offsets.map((value) => numbers(format, ['word', value])),
    names.bytes,
    table,
  ]);
}

function read(
  format: ElfClass,
  content: Buffer,
  {
    name = '.gopclntab',
    entry = 0,
    more = [],
  }: { name?: string; entry?: number; more?: SectionParts[] } = {},
): SymbolTable {
  const source = memorySource(
    buildElf({
      ...format,
      entry,
      sections: [
        { name: '.text', type: 1, flags: 6, addr: TEXT, content: Buffer.alloc(0x200) },
        { name, type: 1, flags: 2, addr: TABLE, content },
        ...more,
      ],
    }),
  );
  return readGoFunctions(source, elfOf(source));
}

describe.each(FORMS)('$name', ({ magic }) => {
  test.each(FORMATS)('$bits', (format) => {
    const table = read(format, goTable(format, magic, TEXT));
    expect(table).toMatchObject({ problems: [], size: 3 });
    const [first, second, third] = FUNCTIONS.map(({ name, at }) => ({ name, start: TEXT + at }));
    expect(table.find(TEXT + 0x3f)).toBeUndefined();
    expect(table.find(TEXT + 0x40)).toEqual({ ...first, size: 0x40 });
    expect(table.find(TEXT + 0x9f)).toEqual({ ...second, size: 0x20 });
    expect(table.find(TEXT + 0xff)).toEqual({ ...third, size: 0x60 });
    expect(table.find(TEXT + 0x100)).toBeUndefined();
  });
});

describe('the start of code', () => {
  const format = { wide: true };

  test('is in the header', () => {
    const table = read(format, goTable(format, 0xfffffff1, TEXT + 0x100));
    expect(table.find(TEXT + 0x140)?.name).toBe('go:buildid');
  });

  test('is in the data of the module, if it is not in the header', () => {
    const words = Array.from({ length: 30 }, (_, i) => (i === 0 ? TABLE : i === 22 ? TEXT + 0x80 : 0));
    const content = Buffer.concat(words.map((word) => numbers(format, ['word', word])));
    const table = read(format, goTable(format, 0xfffffff1, 0), {
      more: [{ name: '.go.module', type: 1, content }],
    });
    expect(table.find(TEXT + 0xc0)?.name).toBe('go:buildid');
  });

  test('is the start of .text, if that puts a function at the entry point', () => {
    const table = read(format, goTable(format, 0xfffffff1, 0), { entry: TEXT + 0x80 });
    expect(table.find(TEXT + 0x40)?.name).toBe('go:buildid');
  });

  test('may be unknown, in which case nothing is named', () => {
    expect(read(format, goTable(format, 0xfffffff1, 0), { entry: TEXT + 0x81 })).toMatchObject({
      size: 0,
      problems: ['.gopclntab: the start of its code is unknown'],
    });
  });
});

describe('a problem names the defect', () => {
  const format = { wide: true };
  const whole = () => goTable(format, 0xfffffff1, TEXT);

  test('a missing header', () => {
    expect(read(format, whole().subarray(0, 70)).problems).toEqual(['.gopclntab: its header is incomplete']);
  });

  test('an unknown form', () => {
    const bytes = whole();
    bytes.writeUInt32LE(0xfffffff7);
    expect(read(format, bytes).problems).toEqual(['.gopclntab: its magic number 0xfffffff7 is unknown']);
  });

  test('a table that ends early', () => {
    const bytes = whole();
    bytes.writeBigUInt64LE(2n ** 40n, 8);
    expect(read(format, bytes).problems).toEqual([
      `.gopclntab: 1099511627776 functions do not fit in its ${bytes.length} bytes`,
    ]);
  });

  test('functions without names', () => {
    const bytes = whole();
    bytes.writeUInt32LE(0xffffffff, bytes.length - 4);
    const table = read(format, bytes);
    expect(table).toMatchObject({ size: 2, problems: ['.gopclntab: 1 functions are broken'] });
  });
});

test('position-independent programs have the table in another section', () => {
  const format = { wide: true };
  const table = read(format, goTable(format, 0xfffffff0, TEXT), { name: '.data.rel.ro.gopclntab' });
  expect(table.size).toBe(3);
});

describe('a position-independent program that a C linker made', () => {
  const format = { wide: true };
  const RELATIVE = 8;
  const NAME = '.data.rel.ro';
  const buildinfo = { name: '.go.buildinfo', type: 1, content: Buffer.alloc(16) };
  const merged = Buffer.concat([Buffer.alloc(0x40, 0xf1), goTable(format, 0xfffffff1, 0)]);
  /** The table begins at TABLE + 0x40. */
  const relocations = (...rows: [place: number, addend: number][]) => ({
    name: '.rela.dyn',
    type: 4,
    content: Buffer.concat(
      rows.map(([place, addend]) => numbers(format, ['word', place], ['word', RELATIVE], ['word', addend])),
    ),
  });

  test.each([
    ['the header of the table', relocations([TABLE + 0x58, TEXT])],
    ['the data of the module', relocations([0x600000, TABLE + 0x40], [0x6000b0, TEXT])],
  ])('has the table in a section with other data, and the start of code in %s', (_, rows) => {
    const table = read(format, merged, { name: NAME, more: [buildinfo, rows] });
    expect(table).toMatchObject({ problems: [], size: 3 });
    expect(table.find(TEXT + 0xa0)?.name).toBe('main.(*Größe).Add');
  });

  test.each([
    ['no table', Buffer.alloc(0x100, 0xf1)],
    ['the beginning of a table', merged.subarray(0, 0x60)],
  ])('has no functions with %s', (_, content) => {
    expect(read(format, content, { name: NAME, more: [buildinfo] })).toMatchObject({ size: 0, problems: [] });
  });

  test('is not searched for a table if it is not of Go', () => {
    expect(read(format, merged, { name: NAME }).size).toBe(0);
  });
});

test('programs in other languages have no functions', () => {
  expect(read({ wide: true }, Buffer.alloc(8), { name: '.data' })).toMatchObject({
    size: 0,
    problems: [],
  });
});

/** esbuild is written in Go and has no symbols. */
const ESBUILD = `node_modules/@esbuild/linux-${process.arch}/bin/esbuild`;

test.skipIf(process.platform !== 'linux')('esbuild', () => {
  const source = fileSource(ESBUILD);
  const elf = elfOf(source);
  expect(readFunctions(source, elf).size).toBe(0);
  const began = performance.now();
  const table = readGoFunctions(source, elf);
  console.info(
    `${ESBUILD}: ${source.size} bytes; ${table.size} functions in ${table.bytes} bytes of memory,`,
    `after ${(performance.now() - began).toFixed(0)} ms`,
  );
  expect(table.find(elf.entry)).toMatchObject({
    name: expect.stringMatching(/^_rt0_\w+_linux$/),
    start: elf.entry,
  });
  const text = elf.section('.text') as { addr: number; size: number };
  const names = new Set(
    Array.from({ length: text.size / 16 }, (_, i) => table.find(text.addr + 16 * i)?.name).filter(Boolean),
  );
  expect([...names]).toEqual(
    expect.arrayContaining([
      'main.main',
      'runtime.mcall',
      'runtime.futex',
      'os.(*File).Write',
      'fmt.Fprintf',
    ]),
  );
  expect(table.problems).toEqual([]);
});
