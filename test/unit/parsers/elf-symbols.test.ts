import { describe, expect, test } from 'vitest';
import { readFunctions } from '../../../parsers/elf-symbols.ts';
import type { ElfFile } from '../../../parsers/elf-types.ts';
import type { SymbolTable } from '../../../parsers/symbol-table.ts';
import {
  buildElf,
  type ElfClass,
  type ElfParts,
  type Field,
  numbers,
  type SectionParts,
  type SymbolParts,
  symbolTable,
} from './elf-builder.ts';
import { elfOf, memorySource } from './elf-files.ts';

const FORMATS = [
  { name: '64 bits', wide: true },
  { name: '32 bits', wide: false },
];
const LOCAL = 0;
const GLOBAL = 1;
const WEAK = 2;
const NOTYPE = 0;
const OBJECT = 1;

/** Code at 0x1000 to 0x21000 and at 0x21000 to 0x21100, and data at 0x30000. */
function file(
  symbols: readonly SymbolParts[],
  parts: Partial<ElfParts> = {},
  dynamic: readonly SymbolParts[] = [],
) {
  const format = { wide: true, ...parts };
  const tables = (
    rows: readonly SymbolParts[],
    name: string,
    names: string,
    type: number,
  ): SectionParts[] => {
    if (rows.length === 0) return [];
    const table = symbolTable(format, rows);
    return [
      { name, type, content: table.rows, link: names },
      { name: names, type: 3, content: table.names },
    ];
  };
  return buildElf({
    ...format,
    sections: [
      { name: '.text', type: 1, flags: 6, addr: 0x1000, content: Buffer.alloc(0x20000) },
      { name: '.fini', type: 1, flags: 6, addr: 0x21000, content: Buffer.alloc(0x100) },
      { name: '.data', type: 1, flags: 3, addr: 0x30000, content: Buffer.alloc(0x100) },
      ...tables(symbols, '.symtab', '.strtab', 2),
      ...tables(dynamic, '.dynsym', '.dynstr', 11),
      ...(parts.sections ?? []),
    ],
  });
}

function functionsOf(bytes: Buffer): SymbolTable {
  const source = memorySource(bytes);
  return readFunctions(source, elfOf(source));
}

describe.each(FORMATS)('$name', (format) => {
  test('finds addresses within a function, but not after its end', () => {
    const table = functionsOf(
      file(
        [
          { name: 'second', value: 0x1100, size: 0x10 },
          { name: 'first', value: 0x1000, size: 0x20 },
        ],
        format,
      ),
    );
    expect(table.find(0x1000)).toEqual({ name: 'first', start: 0x1000, size: 0x20 });
    expect(table.find(0x101f)?.name).toBe('first');
    expect(table.find(0x1020)).toBeUndefined();
    expect(table.find(0x10ff)).toBeUndefined();
    expect(table.find(0x110f)).toEqual({ name: 'second', start: 0x1100, size: 0x10 });
    expect(table.find(0x1110)).toBeUndefined();
    expect(table.find(0xfff)).toBeUndefined();
    expect(table).toMatchObject({ size: 2, problems: [] });
  });

  test('uses .dynsym for functions that .symtab lacks', () => {
    const table = functionsOf(
      file([{ name: 'hidden', value: 0x1000, size: 16 }], format, [
        { name: 'exported', value: 0x1100, size: 16 },
      ]),
    );
    expect(table.find(0x1008)?.name).toBe('hidden');
    expect(table.find(0x1108)?.name).toBe('exported');
  });
});

describe('the symbols that count as functions', () => {
  test.each<[string, Partial<SymbolParts>, boolean]>([
    ['a function', {}, true],
    ['a function chosen at run time', { type: 10 }, true],
    ['a symbol without a type, in code', { type: NOTYPE }, true],
    ['one without a section', { section: 0xfff1 }, true],
    ['one with a wrong section', { section: 3 }, true],
    ['a symbol without a type, in data', { type: NOTYPE, section: 3 }, false],
    ['a constant', { type: NOTYPE, section: 0xfff1 }, false],
    ['an object', { type: OBJECT }, false],
    ['a section', { type: 3, name: '' }, false],
    ['a file', { type: 4, section: 0xfff1 }, false],
    ['an undefined function', { section: 0 }, false],
    ['a label of a compiler', { type: NOTYPE, name: '.annobin_init.c' }, false],
    ['a mark of ARM code', { type: NOTYPE, name: '$x' }, false],
  ])('%s: %o', (_, symbol, isFunction) => {
    const table = functionsOf(file([{ name: 'it', value: 0x1000, size: 16, ...symbol }]));
    expect(table.find(0x1008) !== undefined).toBe(isFunction);
    expect(table.problems).toEqual([]);
  });

  test('on ARM, the lowest bit of an address marks Thumb code', () => {
    const symbols = [
      { name: 'thumb', value: 0x1001, size: 8 },
      { name: 'label', value: 0x1011, size: 8, type: NOTYPE },
    ];
    const arm = functionsOf(file(symbols, { wide: false, machine: 40 }));
    expect(arm.find(0x1000)).toEqual({ name: 'thumb', start: 0x1000, size: 8 });
    expect(arm.find(0x1010)).toBeUndefined();
    expect(functionsOf(file(symbols)).find(0x1000)).toBeUndefined();
  });

  test('object files have no function addresses', () => {
    const table = functionsOf(file([{ name: 'it', value: 0x1000, size: 16 }], { type: 1 }));
    expect(table).toMatchObject({
      size: 0,
      problems: ['it is an object file, whose functions have no addresses yet'],
    });
  });
});

describe('a function without a size', () => {
  const unsized = (name: string, value: number): SymbolParts => ({ name, value, size: 0, type: NOTYPE });

  test('extends to the next one', () => {
    const table = functionsOf(file([unsized('_start', 0x1000), unsized('next', 0x1030)]));
    expect(table.find(0x102f)).toEqual({ name: '_start', start: 0x1000, size: 0x30 });
    expect(table.find(0x1030)?.name).toBe('next');
  });

  test('extends to the end of its section', () => {
    const table = functionsOf(file([unsized('last', 0x20f00)]));
    expect(table.find(0x20fff)).toEqual({ name: 'last', start: 0x20f00, size: 0x100 });
    expect(table.find(0x21000)).toBeUndefined();
  });

  test('extends over at most 64 KiB', () => {
    const table = functionsOf(file([unsized('far', 0x1000)]));
    expect(table.find(0x10fff)?.name).toBe('far');
    expect(table.find(0x11000)).toBeUndefined();
  });

  test('is only a label if it is inside a sized function', () => {
    const table = functionsOf(file([{ name: 'whole', value: 0x1000, size: 0x100 }, unsized('loop', 0x1080)]));
    expect(table.find(0x1080)).toEqual({ name: 'whole', start: 0x1000, size: 0x100 });
    expect(table.size).toBe(1);
  });

  describe('in a stripped file', () => {
    const starts = (format: ElfClass, ...offsets: number[]) =>
      numbers(
        format,
        [4, 0x3b031b01],
        [4, 0],
        [4, offsets.length],
        ...offsets.flatMap((at): Field[] => [
          [4, at],
          [4, 0],
        ]),
      );
    const index = (content: Buffer): Partial<ElfParts> => ({
      sections: [{ name: '.eh_frame_hdr', type: 1, flags: 2, addr: 0x2000, content }],
    });
    const exported = [unsized('fast', 0x1000)];

    test('extends to the first function with unwind information', () => {
      const content = starts({ wide: true }, -0x1000, -0xff0, -0xf00); // from 0x2000 on
      const table = functionsOf(file([], index(content), exported));
      expect(table.find(0x100f)).toEqual({ name: 'fast', start: 0x1000, size: 0x10 });
      expect(table.find(0x1010)).toBeUndefined();
    });

    test.each([
      ['without unwind information', {}],
      ['with an index of another form', index(Buffer.from('02ff', 'hex'))],
      ['with an index of no rows', index(starts({ wide: true }))],
    ])('has no name %s', (_, parts) => {
      expect(functionsOf(file([], parts, exported)).size).toBe(0);
    });

    test('has its name to the end of a broken index', () => {
      const content = starts({ wide: true }, -0xff0, -0xf00).subarray(0, 20);
      expect(functionsOf(file([], index(content), exported)).find(0x100f)?.name).toBe('fast');
    });
  });

  test('is ignored at the end of the code', () => {
    const table = functionsOf(file([unsized('_etext', 0x21000)]));
    expect(table).toMatchObject({ size: 0, problems: [] });
  });
});

describe('of overlapping functions', () => {
  test('the innermost one is found', () => {
    const table = functionsOf(
      file([
        { name: 'outer', value: 0x1000, size: 0x100 },
        { name: 'inner', value: 0x1040, size: 0x20 },
      ]),
    );
    expect([0x103f, 0x1040, 0x105f, 0x1060, 0x10ff].map((at) => table.find(at)?.name)).toEqual([
      'outer',
      'inner',
      'inner',
      'outer',
      'outer',
    ]);
    expect(table.find(0x1060)).toEqual({ name: 'outer', start: 0x1000, size: 0x100 });
  });

  test('a size beyond the section ends there', () => {
    const table = functionsOf(file([{ name: 'huge', value: 0x20ff0, size: 2 ** 40 }]));
    expect(table.find(0x20fff)).toEqual({ name: 'huge', start: 0x20ff0, size: 0x10 });
    expect(table.find(0x21000)).toBeUndefined();
  });
});

describe('of several names for an address, it prefers', () => {
  test.each<[string, Partial<SymbolParts>, Partial<SymbolParts>]>([
    ['a global one before a weak one', { name: '__long_name' }, { name: 'b', binding: WEAK }],
    ['a unique one like a global one', { binding: 10, name: 'a' }, { name: 'long' }],
    ['a weak one before a local one', { name: '__long_name', binding: WEAK }, { name: 'b', binding: LOCAL }],
    [
      'that of a function before a label without a type',
      { name: '__long_name', binding: LOCAL },
      { name: 'b', type: NOTYPE, size: 0 },
    ],
    ['one with a size', { name: '__long_name' }, { name: 'b', size: 0 }],
    ['one without underscores', { name: 'a_long_name' }, { name: '_b' }],
    ['one with fewer underscores', { name: '_a_long_name' }, { name: '__b' }],
    ['the shorter one', { name: 'short' }, { name: 'longer' }],
    ['the shorter one without its version', { name: 'short@@VERSION_1.2.3' }, { name: 'longer@V' }],
    ['the first one', { name: 'one' }, { name: 'two' }],
  ])('%s', (_, better, worse) => {
    const symbol = { value: 0x1000, size: 16, binding: GLOBAL };
    const [first, second] = [
      { ...symbol, name: '', ...better },
      { ...symbol, name: '', ...worse },
    ];
    const name = first.name.replace(/@.*/, '');
    expect(functionsOf(file([first, second])).find(0x1000)?.name).toBe(name);
    const reversed = functionsOf(file([second, first])).find(0x1000)?.name;
    expect(reversed).toBe(name === 'one' ? 'two' : name);
  });

  test('the next best name is used after the end of the best', () => {
    const table = functionsOf(
      file([
        { name: 'global', value: 0x1000, size: 0x10 },
        { name: 'local', value: 0x1000, size: 0x40, binding: LOCAL },
      ]),
    );
    expect(table.find(0x100f)).toEqual({ name: 'global', start: 0x1000, size: 0x10 });
    expect(table.find(0x1010)).toEqual({ name: 'local', start: 0x1000, size: 0x40 });
  });
});

describe('names', () => {
  const nameOf = (name: string, dynamic = false) => {
    const symbols = [{ name, value: 0x1000, size: 16 }];
    return functionsOf(dynamic ? file([], {}, symbols) : file(symbols)).find(0x1000)?.name;
  };

  test.each([
    ['memcpy@@GLIBC_2.14', 'memcpy'],
    ['memcpy@GLIBC_2.2.5', 'memcpy'],
    ['read@plt', 'read@plt'],
    ['@odd', '@odd'],
    ['_ZN3foo3barEi', '_ZN3foo3barEi'],
    ['größe', 'größe'],
  ])('%s is %s', (name, shown) => {
    expect(nameOf(name)).toBe(shown);
  });

  test('in .dynsym an @ belongs to the name', () => {
    expect(nameOf('foo@bar', true)).toBe('foo@bar');
  });

  test('names are cut to 4096 bytes, and a problem says so', () => {
    const table = functionsOf(
      file([
        { name: 'a'.repeat(4096), value: 0x1000, size: 16 },
        { name: 'b'.repeat(4097), value: 0x1010, size: 16 },
      ]),
    );
    expect(table.find(0x1000)?.name).toBe('a'.repeat(4096));
    expect(table.find(0x1010)?.name).toBe('b'.repeat(4096));
    expect(table.problems).toEqual(['.symtab: 1 functions have names cut at 4096 bytes']);
  });
});

describe('a problem names the defect', () => {
  const edit = (change: (bytes: Buffer, elf: ElfFile) => void) => {
    const bytes = file([{ name: 'it', value: 0x1000, size: 16 }]);
    change(bytes, elfOf(memorySource(bytes)));
    const table = functionsOf(bytes);
    expect(table.find(0x1000)).toBeUndefined();
    return table.problems;
  };
  const headerAt = (bytes: Buffer, elf: ElfFile, name: string) =>
    Number(bytes.readBigUInt64LE(40)) + 64 * elf.sections.findIndex((section) => section.name === name);
  const rowAt = (elf: ElfFile) => (elf.section('.symtab')?.offset ?? 0) + 24;

  test('a name outside of its string table', () => {
    expect(edit((bytes, elf) => void bytes.writeUInt32LE(1000, rowAt(elf)))).toEqual([
      '.symtab: 1 functions have no name',
    ]);
  });

  test.each([0x30000, 0x500, 2 ** 53, 2 ** 63])('a function at %d, outside of code', (address) => {
    expect(edit((bytes, elf) => void bytes.writeBigUInt64LE(BigInt(address), rowAt(elf) + 8))).toEqual([
      '.symtab: 1 functions are not in code',
    ]);
  });

  test('but not a mark without a size, such as the end of code in Go', () => {
    const symbols = [
      { name: 'it', value: 0x1000, size: 16 },
      { name: 'runtime.etext', value: 0x21100, size: 0 },
    ];
    expect(functionsOf(file(symbols))).toMatchObject({ size: 1, problems: [] });
  });

  test('a link to something other than a string table', () => {
    const link = (bytes: Buffer, elf: ElfFile) =>
      void bytes.writeUInt32LE(4, headerAt(bytes, elf, '.symtab') + 40);
    expect(edit(link)).toEqual(['.symtab: section 4, where its names should be, is not a string table']);
  });

  test('a section outside of the file', () => {
    const size = (bytes: Buffer, elf: ElfFile) =>
      void bytes.writeBigUInt64LE(2n ** 50n, headerAt(bytes, elf, '.symtab') + 32);
    expect(edit(size)).toEqual([expect.stringMatching(/^\.symtab: it reaches to 1125\d+, the file to \d+$/)]);
  });

  test('a compressed section', () => {
    const flags = (bytes: Buffer, elf: ElfFile) =>
      void bytes.writeBigUInt64LE(0x800n, headerAt(bytes, elf, '.symtab') + 8);
    expect(edit(flags)).toEqual(['.symtab: it is compressed']);
  });

  test('a file that has become unreadable', () => {
    const source = memorySource(file([{ name: 'it', value: 0x1000, size: 16 }]));
    const elf = elfOf(source);
    const read = () => {
      throw new Error('ESTALE: stale file handle, read');
    };
    expect(readFunctions({ ...source, read }, elf)).toMatchObject({
      size: 0,
      problems: ['.symtab: ESTALE: stale file handle, read'],
    });
  });

  test('symbols past the limits', () => {
    const most = 4_000_000;
    const small = memorySource(file([{ name: 'it', value: 0x1000, size: 16 }]));
    const elf = elfOf(small);
    const sections = elf.sections.map((section) =>
      section.name === '.symtab' ? { ...section, offset: 1e9, size: (most + 5) * 24 } : section,
    );
    const read = (offset: number, length: number) =>
      offset === 1e9 ? Buffer.alloc(length) : small.read(offset, length);
    const table = readFunctions({ size: 2e9, read }, { ...elf, sections });
    expect(table.problems).toEqual(['.symtab: 120 bytes after the first 96000000 are not read']);
  });
});

describe('the PLT', () => {
  /** Entries at 0x22000, which jump through slots at 0x40000 and 0x40008. */
  const ADDRESS = 0x22000;
  const machines = [
    {
      name: 'x86_64',
      machine: 62,
      code: ['ff25fadf0100 6800000000 e9e0ffffff', 'ff25f2df0100 6801000000 e9d0ffffff'],
    },
    {
      name: 'x86_64 with CET',
      machine: 62,
      code: ['f30f1efa ff25f6df0100 660f1f440000', 'f30f1efa f2ff25eddf0100 0f1f440000'],
    },
    {
      name: 'AArch64',
      machine: 183,
      code: ['f00000d0 110240f9 10020091 20021fd6', 'f00000d0 110640f9 10220091 20021fd6'],
    },
    {
      name: 'AArch64 with branch targets',
      machine: 183,
      code: [
        '5f2403d5 f00000d0 110240f9 10020091 20021fd6 1f2003d5',
        '5f2403d5 f00000d0 110640f9 10220091 20021fd6 1f2003d5',
      ],
    },
  ];

  const pltFile = (wide: boolean, machine: number, code: readonly string[]) => {
    const entries = code.map((text) => Buffer.from(text.replaceAll(' ', ''), 'hex'));
    const relocations = [1, 2].map((symbol) =>
      numbers(
        { wide: true },
        ['word', 0x40000 + 8 * (symbol - 1)],
        ['word', symbol * 2 ** 32 + 7],
        ['word', 0],
      ),
    );
    const imports = ['read', 'write'].map((name) => ({ name, value: 0, size: 0, section: 0 }));
    const table = functionsOf(
      file(
        [],
        {
          wide,
          machine,
          sections: [
            { name: '.plt', type: 1, flags: 6, addr: ADDRESS, content: Buffer.concat(entries) },
            { name: '.got.plt', type: 1, flags: 3, addr: 0x40000, content: Buffer.alloc(64) },
            { name: '.rela.plt', type: 4, content: Buffer.concat(relocations), link: '.dynsym' },
          ],
        },
        imports,
      ),
    );
    return { table, lengths: entries.map((entry) => entry.length) as [number, number] };
  };

  test.each(machines)('has names for entries of $name', ({ machine, code }) => {
    const {
      table,
      lengths: [first, second],
    } = pltFile(true, machine, code);
    expect(table.problems).toEqual([]);
    expect(table.find(ADDRESS)).toEqual({ name: 'read@plt', start: ADDRESS, size: first });
    expect(table.find(ADDRESS + first - 1)?.name).toBe('read@plt');
    expect(table.find(ADDRESS + first)).toEqual({ name: 'write@plt', start: ADDRESS + first, size: second });
    expect(table.find(ADDRESS + first + second)).toBeUndefined();
  });

  test('has no names in a 32-bit program', () => {
    const { table } = pltFile(false, 3, ['ff2500000400 6800000000 e9e0ffffff']);
    expect(table).toMatchObject({ size: 0, problems: [] });
  });
});
