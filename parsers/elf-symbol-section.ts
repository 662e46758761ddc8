import { type Fields, fieldsOf, LONGEST_NAME, sectionBytes, textAt } from './elf-bytes.ts';
import type { ByteSource, ElfFile, ElfSection } from './elf-types.ts';

/** A section of symbols, and the string table with their names. */
export interface SymbolSection {
  readonly name: string;
  readonly type: number;
  readonly count: number;
  /** Reads a symbol by the index that relocations use. @throws RangeError from `count` on */
  readonly symbol: (index: number) => ElfSymbol;
  readonly strings: Buffer;
}

/** `Elf64_Sym` or `Elf32_Sym` of elf(5). */
export interface ElfSymbol {
  /** Offset in the string table; it may lie outside of it. */
  readonly name: number;
  readonly type: number;
  readonly binding: number;
  /** Index of its section. */
  readonly section: number;
  readonly value: number;
  readonly size: number;
}

export const SHT_SYMTAB = 2;
export const SHT_DYNSYM = 11;
const SHT_STRTAB = 3;

/** Browsers with all their symbols have less than half as many. */
const MOST_SYMBOLS = 4_000_000;
const LARGEST_STRINGS = 2 ** 26;

/**
 * Reads a section of symbols, which stays in memory with its string table. Of a section that is too large it reads the
 * first part.
 *
 * @param problems gets a sentence for what is broken or left out
 * @returns undefined if the file has no such section, or it cannot be read
 */
export function readSymbolSection(
  source: ByteSource,
  elf: ElfFile,
  type: number,
  problems: string[],
): SymbolSection | undefined {
  const section = elf.sections.find((s) => s.type === type);
  if (!section) return undefined;
  // Not the name in the file, which may be anything.
  const name = type === SHT_SYMTAB ? '.symtab' : '.dynsym';
  const rowSize = elf.wide ? 24 : 16;
  const rows = readPart(source, name, section, MOST_SYMBOLS * rowSize, problems);
  const strings = rows && readStrings(source, elf, name, section.link, problems);
  if (!strings) return undefined;
  const fields = fieldsOf(rows, elf.wide);
  const symbolAt = elf.wide ? symbol64 : symbol32;
  return {
    name,
    type,
    count: Math.floor(rows.length / rowSize),
    symbol: (index) => symbolAt(fields, index * rowSize),
    strings,
  };
}

/** Reads a name; from .symtab without its version, which `foo@@GLIBC_2.2.5` has. */
export function symbolName({ type, strings }: Pick<SymbolSection, 'type' | 'strings'>, at: number): string {
  const name = textAt(strings, at, LONGEST_NAME);
  const version = type === SHT_SYMTAB && !name.endsWith('@plt') ? name.indexOf('@', 1) : -1;
  return version < 0 ? name : name.slice(0, version);
}

function readStrings(
  source: ByteSource,
  elf: ElfFile,
  name: string,
  link: number,
  problems: string[],
): Buffer | undefined {
  const section = elf.sections[link];
  if (section?.type === SHT_STRTAB)
    return readPart(source, `names of ${name}`, section, LARGEST_STRINGS, problems);
  problems.push(`${name}: section ${link}, where its names should be, is not a string table`);
  return undefined;
}

function readPart(
  source: ByteSource,
  name: string,
  section: ElfSection,
  most: number,
  problems: string[],
): Buffer | undefined {
  const bytes = sectionBytes(source, section, most);
  if ('problem' in bytes) {
    problems.push(`${name}: ${bytes.problem}`);
    return undefined;
  }
  const left = section.size - bytes.length;
  if (left > 0) problems.push(`${name}: ${left} bytes after the first ${most} are not read`);
  return bytes;
}

function symbol64({ bytes, u16, u32, word }: Fields, at: number): ElfSymbol {
  const info = bytes[at + 4] as number;
  return {
    name: u32(at),
    type: info & 15,
    binding: info >> 4,
    section: u16(at + 6),
    value: word(at + 8),
    size: word(at + 16),
  };
}

function symbol32({ bytes, u16, u32 }: Fields, at: number): ElfSymbol {
  const info = bytes[at + 12] as number;
  return {
    name: u32(at),
    type: info & 15,
    binding: info >> 4,
    section: u16(at + 14),
    value: u32(at + 4),
    size: u32(at + 8),
  };
}
