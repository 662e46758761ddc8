import { buildElf, type ElfClass, numbers, stringTable, symbolTable } from './elf-builder.ts';

/** A file for each machine, with one of everything that is read. */
export const FULL_FILES: readonly Buffer[] = [
  { wide: true, machine: 62 },
  { wide: true, machine: 183 },
  { wide: false, machine: 3 },
  { wide: false, machine: 40 },
].map(fullFile);

/** A file with one of everything that is read. */
function fullFile(format: { wide: boolean; machine: number }): Buffer {
  const { wide } = format;
  const functions = Array.from({ length: 12 }, (_, i) => ({
    name: i % 3 === 0 ? `_function${i}@@V1` : `f${i}`,
    value: 0x1000 + 8 * i,
    size: i % 4 === 0 ? 0 : 12 * i,
    type: i % 5 === 0 ? 0 : i === 7 ? 10 : 2,
    binding: i % 3,
    section: i === 3 ? 0xfff1 : 1,
  }));
  const imports = ['read', 'write'].map((name) => ({ name, value: 0, size: 0, section: 0 }));
  const [symbols, dynamic] = [
    symbolTable(format, functions),
    symbolTable(format, [...imports, ...functions.slice(0, 3)]),
  ];
  const relocation = (slot: number, symbol: number, addend: number) =>
    numbers(format, ['word', slot], ['word', symbol * (wide ? 2 ** 32 : 256) + 7], ['word', addend]);
  const plt = [
    ['ff25fadf0100 6800000000 e9e0ffffff', 'f30f1efa f2ff25eddf0100 0f1f440000'],
    ['f00000d0 110240f9 10020091 20021fd6', '5f2403d5 f00000d0 110640f9 10220091 20021fd6 1f2003d5'],
  ].flatMap((texts) => texts.map((text) => Buffer.from(text.replaceAll(' ', ''), 'hex')));
  const words = Array.from({ length: 24 }, (_, i) => (i === 0 ? 0x50000 : i === 22 ? 0x1000 : 0));
  return buildElf({
    ...format,
    type: 2,
    entry: 0x1000,
    sections: [
      { name: '.text', type: 1, flags: 6, addr: 0x1000, content: Buffer.alloc(256, 0xff) },
      { name: '.symtab', type: 2, content: symbols.rows, link: '.strtab', entsize: wide ? 24 : 16 },
      { name: '.strtab', type: 3, content: symbols.names },
      { name: '.dynsym', type: 11, content: dynamic.rows, link: '.dynstr', entsize: wide ? 24 : 16 },
      { name: '.dynstr', type: 3, content: dynamic.names },
      { name: '.plt', type: 1, flags: 6, addr: 0x22000, content: Buffer.concat(plt) },
      { name: '.plt.got', type: 1, flags: 6, addr: 0x22000, content: plt[0] as Buffer },
      { name: '.got.plt', type: 1, flags: 3, addr: 0x40000, content: Buffer.alloc(8) },
      {
        name: '.rela.plt',
        type: 4,
        content: Buffer.concat([relocation(0x40000, 1, 0), relocation(0x40008, 2, 0)]),
        link: '.dynsym',
      },
      { name: '.rela.dyn', type: 4, content: relocation(0x40004, 0, 0x1038), link: '.dynsym' },
      {
        name: '.note.gnu.build-id',
        type: 7,
        content: Buffer.concat([numbers(format, [4, 4], [4, 4], [4, 3]), Buffer.from('GNU\0abcd')]),
      },
      { name: '.gnu_debuglink', type: 1, content: Buffer.from('a.debug\0crc!') },
      { name: '.gopclntab', type: 1, flags: 2, addr: 0x50000, content: goTable(format) },
      {
        name: '.go.module',
        type: 1,
        content: Buffer.concat(words.map((word) => numbers(format, ['word', word]))),
      },
    ],
    segments: [
      { type: 1, flags: 5, section: '.text' },
      { type: 1, flags: 6, section: '.got.plt' },
      { type: 4, flags: 4, section: '.note.gnu.build-id' },
    ],
  });
}

function goTable(format: ElfClass): Buffer {
  const size = format.wide ? 8 : 4;
  const names = stringTable(['main.main', 'runtime.mcall']).bytes;
  const [header, records] = [8 + 8 * size, 8 + 8 * size + names.length];
  const words = [2, 0, 0, header, records, records, records, records];
  return Buffer.concat([
    numbers(
      format,
      [4, 0xfffffff1],
      [2, 0],
      [1, 1],
      [1, size],
      ...words.map((word) => ['word', word] as const),
    ),
    names,
    numbers(format, [4, 0], [4, 20], [4, 16], [4, 28], [4, 64]),
    numbers(format, [4, 0], [4, 1], [4, 16], [4, 11]),
  ]);
}
