import { bytesAt, type Fields, fieldsOf, sectionBytes, textAt } from './elf-bytes.ts';
import type { ByteSource, ElfProblem, ElfSection, ElfSegment } from './elf-types.ts';

/** The ELF header: `Elf64_Ehdr` or `Elf32_Ehdr` of elf(5). */
export interface ElfHeader {
  /** Whether its addresses have 64 bits, and not 32. */
  readonly wide: boolean;
  readonly type: number;
  readonly machine: number;
  readonly entry: number;
  readonly segments: Table;
  readonly sections: Table;
  /** Index of the section with the names of the sections. */
  readonly names: number;
}

interface Table {
  readonly offset: number;
  readonly entsize: number;
  readonly count: number;
}

/** A row of the program headers, of any type. */
export interface ProgramHeader extends ElfSegment {
  readonly type: number;
  readonly align: number;
}

/** Stands for a count or an index that does not fit 16 bits and is in section 0. */
const IN_SECTION_0 = 0xffff;

/** Linkers write fewer for a program; object files and core files may have larger tables. */
const MOST_SECTIONS = 2 ** 16;
const MOST_SEGMENTS = 2 ** 12;
const LONGEST_SECTION_NAME = 256;
const LARGEST_SECTION_NAMES = 2 ** 22;

/** Reads the ELF header, and from section 0 the counts that do not fit in it (gABI, "Section Header"). */
export function readHeader(source: ByteSource): ElfHeader | ElfProblem {
  const start = bytesAt(source, 0, Math.min(64, source.size));
  if ('problem' in start) return start;
  const problem = problemOf(start);
  if (problem) return { problem };
  const header = headerOf(start, start[4] === CLASS_64);
  const { segments, sections, names } = header;
  const first =
    sections.count === 0 || segments.count === IN_SECTION_0 || names === IN_SECTION_0
      ? readFirstSection(source, header)
      : undefined;
  if (!first) return header;
  return {
    ...header,
    segments: segments.count === IN_SECTION_0 ? { ...segments, count: first.info } : segments,
    sections: sections.count === 0 ? { ...sections, count: first.size } : sections,
    names: names === IN_SECTION_0 ? first.link : names,
  };
}

/** @param problems gets a sentence when the rows cannot be read; the result is empty then */
export function readProgramHeaders(
  source: ByteSource,
  header: ElfHeader,
  problems: string[],
): ProgramHeader[] {
  const size = header.wide ? 56 : 32;
  const rows = readTable(source, header.wide, header.segments, size, MOST_SEGMENTS);
  if (!('problem' in rows)) return rowsOf(rows, size, (at) => programHeader(rows, at, header.wide));
  problems.push(`program headers: ${rows.problem}`);
  return [];
}

/** @param problems gets a sentence when sections or their names cannot be read; those are missing then */
export function readSections(source: ByteSource, header: ElfHeader, problems: string[]): ElfSection[] {
  const size = header.wide ? 64 : 40;
  const rows = readTable(source, header.wide, header.sections, size, MOST_SECTIONS);
  if ('problem' in rows) {
    problems.push(`section headers: ${rows.problem}`);
    return [];
  }
  const sections = rowsOf(rows, size, (at) => sectionHeader(rows, at, header.wide));
  const names = readNames(source, sections[header.names], problems);
  return sections.map((section) => ({ ...section, name: textAt(names, section.name, LONGEST_SECTION_NAME) }));
}

const CLASS_32 = 1;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const BIG_ENDIAN = 2;

/** Why these bytes are not the header of a file that we can read; undefined if they are. */
function problemOf(start: Buffer): string | undefined {
  if (start.toString('latin1', 0, 4) !== '\x7fELF') return 'it does not begin with \\x7fELF';
  const [bits, order] = [start[4], start[5]];
  if (order === BIG_ENDIAN) return 'it is big-endian';
  if ((bits !== CLASS_32 && bits !== CLASS_64) || order !== LITTLE_ENDIAN)
    return `its ELF class ${bits} or byte order ${order} is unknown`;
  return start.length < (bits === CLASS_64 ? 64 : 52) ? 'its ELF header is cut off' : undefined;
}

function headerOf(start: Buffer, wide: boolean): ElfHeader {
  const { u16, word } = fieldsOf(start, wide);
  const size = wide ? 8 : 4;
  const small = (index: number) => u16(28 + 3 * size + 2 * index);
  return {
    wide,
    type: u16(16),
    machine: u16(18),
    entry: word(24),
    segments: { offset: word(24 + size), entsize: small(1), count: small(2) },
    sections: { offset: word(24 + 2 * size), entsize: small(3), count: small(4) },
    names: small(5),
  };
}

function readFirstSection(source: ByteSource, header: ElfHeader): Omit<ElfSection, 'name'> | undefined {
  const first = { ...header.sections, count: 1 };
  const row = readTable(source, header.wide, first, header.wide ? 64 : 40, 1);
  return 'problem' in row || row.bytes.length === 0 ? undefined : sectionHeader(row, 0, header.wide);
}

/** Reads the rows of a table. Without an offset, such as `e_phoff` of an object file, the table is empty. */
function readTable(
  source: ByteSource,
  wide: boolean,
  { offset, entsize, count }: Table,
  size: number,
  most: number,
): Fields | ElfProblem {
  if (offset === 0 || count === 0) return fieldsOf(Buffer.alloc(0), wide);
  if (entsize !== size) return { problem: `rows of ${entsize} bytes, and not of ${size}` };
  if (count > most) return { problem: `${count} rows; up to ${most} are read` };
  const bytes = bytesAt(source, offset, count * size);
  return 'problem' in bytes ? bytes : fieldsOf(bytes, wide);
}

function rowsOf<T>({ bytes }: Fields, size: number, rowAt: (at: number) => T): T[] {
  return Array.from({ length: bytes.length / size }, (_, index) => rowAt(index * size));
}

function programHeader({ u32, word }: Fields, at: number, wide: boolean): ProgramHeader {
  const [offset, vaddr, fileSize, memSize] = wide ? [8, 16, 32, 40] : [4, 8, 16, 20];
  return {
    type: u32(at),
    executable: (u32(at + (wide ? 4 : 24)) & 1) !== 0,
    fileOffset: word(at + offset),
    vaddr: word(at + vaddr),
    fileSize: word(at + fileSize),
    memSize: word(at + memSize),
    align: word(at + (wide ? 48 : 28)),
  };
}

/** `name` is still an offset in the table of names. */
function sectionHeader(
  { u32, word }: Fields,
  at: number,
  wide: boolean,
): Omit<ElfSection, 'name'> & { name: number } {
  const size = wide ? 8 : 4;
  return {
    name: u32(at),
    type: u32(at + 4),
    flags: word(at + 8),
    addr: word(at + 8 + size),
    offset: word(at + 8 + 2 * size),
    size: word(at + 8 + 3 * size),
    link: u32(at + 8 + 4 * size),
    info: u32(at + 12 + 4 * size),
    align: word(at + 16 + 4 * size),
    entsize: word(at + 16 + 5 * size),
  };
}

function readNames(
  source: ByteSource,
  section: Omit<ElfSection, 'name'> | undefined,
  problems: string[],
): Buffer {
  if (!section) return Buffer.alloc(0);
  const names = sectionBytes(source, section, LARGEST_SECTION_NAMES);
  if (!('problem' in names)) return names;
  problems.push(`names of sections: ${names.problem}`);
  return Buffer.alloc(0);
}
