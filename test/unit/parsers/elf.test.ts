import { describe, expect, test } from 'vitest';
import { ET_EXEC, fileOffsetToVaddr, readElf } from '../../../parsers/elf.ts';
import type { ElfFile } from '../../../parsers/elf-types.ts';
import { buildElf, type ElfClass, type ElfParts, numbers } from './elf-builder.ts';
import { elfOf, memorySource } from './elf-files.ts';

const FORMATS = [
  { name: '64 bits', wide: true },
  { name: '32 bits', wide: false },
];

describe.each(FORMATS)('$name', (format) => {
  const parts: ElfParts = {
    ...format,
    type: ET_EXEC,
    machine: 183,
    entry: 0x10010,
    sections: [
      { name: '.text', type: 1, flags: 6, addr: 0x10000, content: Buffer.alloc(64) },
      { name: '.symtab', type: 2, content: Buffer.alloc(48), link: '.strtab', entsize: 24 },
      { name: '.strtab', type: 3, content: Buffer.from('\0main\0') },
      { name: '.note.gnu.build-id', type: 7, content: buildIdNote(format), align: 4 },
      { name: '.gnu_debuglink', type: 1, content: debugLink(format, 'prog.debug') },
    ],
    segments: [
      { type: 1, flags: 5, section: '.text' },
      { type: 1, flags: 4, section: '.strtab' },
      { type: 4, flags: 4, section: '.note.gnu.build-id' },
    ],
  };

  test('reads the headers', () => {
    const elf = elfOf(memorySource(buildElf(parts)));
    expect(elf).toMatchObject({
      wide: format.wide,
      type: ET_EXEC,
      machine: 183,
      entry: 0x10010,
    });
    expect(elf.problems).toEqual([]);
    expect(elf.sections.map((section) => section.name)).toEqual([
      '',
      ...(parts.sections ?? []).map((section) => section.name),
      '.shstrtab',
    ]);
    expect(elf.section('.text')).toMatchObject({ type: 1, flags: 6, addr: 0x10000, size: 64, link: 0 });
    expect(elf.section('.symtab')).toMatchObject({ type: 2, size: 48, link: 3, entsize: 24 });
    expect(elf.section('.data')).toBeUndefined();
  });

  test('reads the segments, and converts a file offset to an address', () => {
    const elf = elfOf(memorySource(buildElf(parts)));
    const { offset } = elf.section('.text') as { offset: number };
    expect(elf.segments).toEqual([
      { fileOffset: offset, fileSize: 64, vaddr: 0x10000, memSize: 64, executable: true },
      expect.objectContaining({ executable: false }),
    ]);
    expect(fileOffsetToVaddr(elf, offset)).toBe(0x10000);
    expect(fileOffsetToVaddr(elf, offset + 63)).toBe(0x1003f);
    expect(fileOffsetToVaddr(elf, offset + 64)).toBeUndefined();
    expect(fileOffsetToVaddr(elf, offset - 1)).toBeUndefined();
    expect(fileOffsetToVaddr(elf, elf.section('.strtab')?.offset ?? 0)).toBeUndefined();
  });

  test('reads the build ID and the debug link', () => {
    const elf = elfOf(memorySource(buildElf(parts)));
    expect(elf.buildId).toBe('0123456789abcdef');
    expect(elf.debugLink).toEqual({ name: 'prog.debug', crc: 0x12345678 });
  });

  test('finds the build ID without sections', () => {
    const file = buildElf(parts);
    const offsetOfSections = format.wide ? 40 : 32;
    file.fill(0, offsetOfSections, offsetOfSections + (format.wide ? 8 : 4));
    const elf = elfOf(memorySource(file));
    expect(elf).toMatchObject({ sections: [], problems: [], buildId: '0123456789abcdef' });
  });

  test('reads large counts from section 0', () => {
    const [plain, extended] = [parts, { ...parts, extended: true }].map((p) =>
      elfOf(memorySource(buildElf(p))),
    ) as [ElfFile, ElfFile];
    expect(extended.problems).toEqual([]);
    expect(extended.sections.slice(1)).toEqual(plain.sections.slice(1));
    expect(extended.segments).toEqual(plain.segments);
  });

  test('reports a truncated table', () => {
    const file = buildElf(parts);
    const elf = elfOf(memorySource(file.subarray(0, file.length - 1)));
    expect(elf.problems).toEqual([
      expect.stringMatching(/^section headers: bytes \d+ to \d+ are not in its \d+ bytes$/),
    ]);
    expect(elf).toMatchObject({ sections: [], buildId: '0123456789abcdef' });
    expect(elf.segments).toHaveLength(2);
  });
});

describe('a debug link', () => {
  const wide = { wide: true };
  const linkOf = (content: Buffer) =>
    elfOf(memorySource(buildElf({ ...wide, sections: [{ name: '.gnu_debuglink', type: 1, content }] })))
      .debugLink;

  test.each(['../secret', '/etc/passwd', '.', '..', '', 'a'.repeat(256)])(
    'the name %j is ignored',
    (name) => {
      expect(linkOf(debugLink(wide, name))).toBeUndefined();
    },
  );

  test.each([0, 3, 10, 11])('is ignored if truncated after %i bytes', (length) => {
    expect(linkOf(debugLink(wide, 'a.debug').subarray(0, length))).toBeUndefined();
  });
});

describe('a build ID', () => {
  const wide = { wide: true };
  const idOf = (content: Buffer, align = 4) =>
    elfOf(
      memorySource(
        buildElf({ ...wide, sections: [{ name: '.note.gnu.build-id', type: 7, content, align }] }),
      ),
    ).buildId;
  const note = (name: string, type: number, content: Buffer, unit = 4) =>
    Buffer.concat([
      numbers(wide, [4, name.length], [4, content.length], [4, type]),
      padded(Buffer.from(name), unit, 12),
      padded(content, unit),
    ]);
  const id = Buffer.from('cafe', 'hex');

  test('is found after other notes', () => {
    const other = note('stapsdt\0', 3, Buffer.from('12345'));
    expect(idOf(Buffer.concat([other, note('GNU\0', 1, Buffer.alloc(16)), note('GNU\0', 3, id)]))).toBe(
      'cafe',
    );
  });

  test('is found if notes are aligned to 8 bytes', () => {
    const other = note('GNU\0', 5, Buffer.alloc(4), 8);
    expect(idOf(Buffer.concat([other, note('GNU\0', 3, id, 8)]), 8)).toBe('cafe');
  });

  test.each([
    ['cut off', note('GNU\0', 3, id).subarray(0, 17)],
    ['of another name', note('FOO\0', 3, id)],
    ['empty', note('GNU\0', 3, Buffer.alloc(0))],
    ['too long', note('GNU\0', 3, Buffer.alloc(65))],
    ['of a huge size', numbers(wide, [4, 0xffffffff], [4, 0xffffffff], [4, 3])],
  ])('that is %s is ignored', (_, bytes) => {
    expect(idOf(bytes)).toBeUndefined();
  });
});

describe('a file without a readable ELF header', () => {
  test.each([
    ['', 'it does not begin with \\x7fELF'],
    [
      '#!/bin/sh\necho this is a script, which is no ELF file at all, of course\n',
      'it does not begin with \\x7fELF',
    ],
    ['\x7fELF', 'its ELF class undefined or byte order undefined is unknown'],
    ['\x7fELF\x03\x01', 'its ELF class 3 or byte order 1 is unknown'],
    ['\x7fELF\x02\x01', 'its ELF header is cut off'],
  ])('%j', (text, problem) => {
    expect(readElf(memorySource(Buffer.from(text, 'latin1')))).toEqual({ problem });
  });

  test('big-endian files have no headers, and a problem says why', () => {
    const bytes = buildElf({ wide: true });
    bytes[5] = 2;
    expect(readElf(memorySource(bytes))).toEqual({ problem: 'it is big-endian' });
  });

  test('an unreadable file is reported', () => {
    const read = () => {
      throw new Error('EIO: i/o error, read');
    };
    expect(readElf({ size: 1000, read })).toEqual({ problem: 'EIO: i/o error, read' });
  });

  test('a file that became shorter is reported', () => {
    expect(readElf({ size: 1000, read: () => Buffer.alloc(10) })).toEqual({
      problem: 'it ends at 10 and not at 1000',
    });
  });
});

describe('huge numbers', () => {
  const file = () => buildElf({ wide: true, sections: [{ name: '.a', type: 1, content: Buffer.alloc(8) }] });

  test('a table with a huge count is not read', () => {
    const bytes = file();
    bytes.writeUInt16LE(0, 60);
    bytes.writeBigUInt64LE(2n ** 63n, Number(bytes.readBigUInt64LE(40)) + 32);
    const source = memorySource(bytes);
    expect(elfOf(source)).toMatchObject({
      sections: [],
      problems: ['section headers: 9223372036854776000 rows; up to 65536 are read'],
    });
    expect(source.reads.bytes).toBeLessThan(200);
  });

  test('a segment past 2^53 is omitted', () => {
    const section = { name: '.text', type: 1, flags: 6, addr: 2 ** 60, content: Buffer.alloc(8) };
    const segments = [{ type: 1, flags: 5, section: '.text' }];
    const elf = elfOf(memorySource(buildElf({ wide: true, sections: [section], segments })));
    expect(elf).toMatchObject({ segments: [], problems: ['program headers: 1 segments lie beyond 2^53'] });
  });
});

function buildIdNote(format: ElfClass): Buffer {
  return Buffer.concat([
    numbers(format, [4, 4], [4, 8], [4, 3]),
    Buffer.from('GNU\0'),
    Buffer.from('0123456789abcdef', 'hex'),
  ]);
}

function debugLink(format: ElfClass, name: string): Buffer {
  return Buffer.concat([padded(Buffer.from(`${name}\0`), 4), numbers(format, [4, 0x12345678])]);
}

/** @param before number of bytes before it */
function padded(bytes: Buffer, unit: number, before = 0): Buffer {
  const length = Math.ceil((before + bytes.length) / unit) * unit - before;
  return Buffer.concat([bytes, Buffer.alloc(length - bytes.length)]);
}
