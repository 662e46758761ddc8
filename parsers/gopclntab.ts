import {
  bytesAt,
  type Fields,
  fieldsOf,
  isNameCut,
  LONGEST_NAME,
  sectionBytes,
  textAt,
} from './elf-bytes.ts';
import type { ByteSource, ElfFile, ElfProblem, ElfSection } from './elf-types.ts';
import { addRow, type FunctionRows, newRows } from './symbol-ranges.ts';
import { newSymbolTable, type SymbolTable } from './symbol-table.ts';

const LARGEST_SECTION = 2 ** 28;

/**
 * Names functions of a Go program with the table that Go uses for its own stack traces (runtime/symtab.go and debug/gosym
 * of Go); stripping does not remove it. Reads the formats that began with Go 1.2, 1.16, 1.18 and 1.20. Never throws:
 * `problems` says what is broken.
 *
 * @param elf the result of `readElf` for the same source
 * @returns an empty table for a program in another language
 */
export function readGoFunctions(source: ByteSource, elf: ElfFile): SymbolTable {
  const section = goSection(source, elf);
  if (!section) return namedRows(newRows(0), Buffer.alloc(0), []);
  const read = readTable(source, elf, section);
  if ('problem' in read) return namedRows(newRows(0), Buffer.alloc(0), [`${section.name}: ${read.problem}`]);
  const { rows, broken, cut } = functionRows(read.table, read.text);
  const problems: string[] = [];
  if (broken > 0) problems.push(`${section.name}: ${broken} functions are broken`);
  if (cut > 0) problems.push(`${section.name}: ${cut} functions have names cut at ${LONGEST_NAME} bytes`);
  // A copy of the names alone, so that the whole section can be freed.
  return namedRows(rows, Buffer.from(read.table.names), problems);
}

/**
 * The section of the table. A position-independent program has the second name. A C linker, which links programs with cgo,
 * merges that section into `.data.rel.ro`, where only the table's first bytes show where it begins.
 */
function goSection(source: ByteSource, elf: ElfFile): ElfSection | undefined {
  const own = elf.section('.gopclntab') ?? elf.section('.data.rel.ro.gopclntab');
  const merged = elf.section('.data.rel.ro');
  // Every Go program has this section, also a stripped one.
  if (own || !merged || !elf.section('.go.buildinfo')) return own;
  const bytes = sectionBytes(source, merged, LARGEST_SECTION);
  const at = 'problem' in bytes ? undefined : findTable(bytes);
  if (at === undefined) return undefined;
  return { ...merged, offset: merged.offset + at, addr: merged.addr + at, size: merged.size - at };
}

/** Offset of the table in a section. The linker aligns it to 32 bytes. */
function findTable(bytes: Buffer): number | undefined {
  for (const magic of RELATIVE_MAGICS) {
    for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1))
      if (at % 8 === 0 && !('problem' in goTable(bytes.subarray(at)))) return at;
  }
  return undefined;
}

/** The first bytes of the table since Go 1.18: the magic number, and two zeros. */
const RELATIVE_MAGICS = ['f0ffffff0000', 'f1ffffff0000'].map((digits) => Buffer.from(digits, 'hex'));

/** The range of the code, and the address from which the table counts. */
interface GoText {
  readonly start: number;
  readonly end: number;
  readonly base: number;
}

function readTable(
  source: ByteSource,
  elf: ElfFile,
  section: ElfSection,
): { table: GoTable; text: GoText } | ElfProblem {
  const bytes = sectionBytes(source, section, LARGEST_SECTION);
  if ('problem' in bytes) return bytes;
  const table = goTable(bytes);
  if ('problem' in table) return table;
  const code = elf.section('.text');
  if (!code || !Number.isSafeInteger(code.addr + code.size)) return { problem: 'the file has no .text' };
  const base = table.relative ? textBase(source, elf, section, code, table) : 0;
  if (base === undefined) return { problem: 'the start of its code is unknown' };
  return { table, text: { start: code.addr, end: code.addr + code.size, base } };
}

interface GoTable {
  readonly fields: Fields;
  readonly count: number;
  /** Offset of the rows: each has the address of a function and the offset of its record; the last row is the end. */
  readonly rows: number;
  /** Where offsets of records start. */
  readonly records: number;
  /** Bytes of an address and of an offset. */
  readonly cell: 4 | 8;
  readonly names: Buffer;
  /** Whether addresses count from the start of the code. `text` is that start; 0 when the loader fills it in. */
  readonly relative: boolean;
  readonly text: number;
}

/**
 * ```
 * f1ffffff 0000 01 08   magic number, zeros, unit of code, bytes of an address
 * 1b23000000000000      functions; the further words depend on the form
 * ```
 */
function goTable(bytes: Buffer): GoTable | ElfProblem {
  const size = bytes[7];
  if ((size !== 4 && size !== 8) || bytes.length < 8 + 8 * size)
    return { problem: 'its header is incomplete' };
  const fields = fieldsOf(bytes, size === 8);
  const form = formOf(fields, size);
  if (!form) return { problem: `its magic number 0x${fields.u32(0).toString(16)} is unknown` };
  const { names, namesEnd, ...rest } = form;
  const count = fields.word(8);
  if (rest.rows + (2 * count + 1) * rest.cell > bytes.length || namesEnd > bytes.length)
    return { problem: `${count} functions do not fit in its ${bytes.length} bytes` };
  return { fields, count, names: bytes.subarray(names, namesEnd), ...rest };
}

function formOf({ bytes, u32, word }: Fields, size: 4 | 8) {
  const at = (index: number) => word(8 + index * size);
  const old = { relative: false, text: 0, cell: size };
  switch (u32(0)) {
    case 0xfffffffb:
      return { ...old, rows: 8 + size, records: 0, names: 0, namesEnd: bytes.length };
    case 0xfffffffa:
      return { ...old, rows: at(6), records: at(6), names: at(2), namesEnd: at(3) };
    case 0xfffffff0:
    case 0xfffffff1:
      return {
        relative: true,
        text: at(2),
        cell: 4 as const,
        rows: at(7),
        records: at(7),
        names: at(3),
        namesEnd: at(4),
      };
    default:
      return undefined;
  }
}

/**
 * Finds where Go's code begins. That is not always the start of .text, because C code can come first. Newer programs have
 * the address not in the header but in their `moduledata`. Without that, .text is right if it makes the entry point of the
 * program one of the functions.
 */
function textBase(
  source: ByteSource,
  elf: ElfFile,
  section: ElfSection,
  code: ElfSection,
  table: GoTable,
): number | undefined {
  if (table.text !== 0) return table.text;
  const isInCode = (address: number | undefined) =>
    address !== undefined && address >= code.addr && address < code.addr + code.size;
  const known = [moduleText(source, elf, section), relocatedText(source, elf, section)].find(isInCode);
  if (known !== undefined) return known;
  for (let i = 0; i < table.count; i++)
    if (code.addr + table.fields.u32(table.rows + 8 * i) === elf.entry) return code.addr;
  return undefined;
}

/** The first word of `moduledata` points to the table, and a later one to the start of code. */
function moduleText(source: ByteSource, elf: ElfFile, table: ElfSection): number | undefined {
  const section = elf.section('.go.module');
  const size = elf.wide ? 8 : 4;
  const bytes = section && bytesAt(source, section.offset, (TEXT_IN_MODULE + 1) * size);
  if (!bytes || 'problem' in bytes) return undefined;
  const { word } = fieldsOf(bytes, elf.wide);
  return word(0) === table.addr ? word(TEXT_IN_MODULE * size) : undefined;
}

/** `R_X86_64_RELATIVE` and `R_AARCH64_RELATIVE`: the loader writes the addend, plus how far it moved the program. */
const RELATIVE = [8, 1027];
/** Words of the table's header before the start of code, and of `moduledata`. */
const TEXT_IN_HEADER = 3;
const TEXT_IN_MODULE = 22;

/**
 * A position-independent program has no addresses in its data: the loader fills them in. `.rela.dyn` says with what: the start
 * of code in the header of the table, or in `moduledata`, whose first word points to the table.
 */
function relocatedText(source: ByteSource, elf: ElfFile, table: ElfSection): number | undefined {
  const section = elf.section('.rela.dyn');
  const bytes = section && elf.wide ? sectionBytes(source, section, LARGEST_SECTION) : undefined;
  if (!bytes || 'problem' in bytes) return undefined;
  const { u32, word } = fieldsOf(bytes, true);
  const rows = Math.floor(bytes.length / 24);
  const find = (isWanted: (place: number, addend: number) => boolean) => {
    for (let row = 0; row < rows; row++) {
      const [place, addend] = [word(24 * row), word(24 * row + 16)];
      if (RELATIVE.includes(u32(24 * row + 8)) && isWanted(place, addend)) return { place, addend };
    }
    return undefined;
  };
  const addendAt = (wanted: number) => find((place) => place === wanted)?.addend;
  const module = find((_, addend) => addend === table.addr)?.place;
  return (
    addendAt(table.addr + 8 * TEXT_IN_HEADER) ??
    (module === undefined ? undefined : addendAt(module + 8 * TEXT_IN_MODULE))
  );
}

function functionRows(
  { fields, count, rows: first, records, cell, names }: GoTable,
  text: GoText,
): { rows: FunctionRows; broken: number; cut: number } {
  const rows = newRows(count);
  let cut = 0;
  const cellAt = cell === 4 ? fields.u32 : fields.word;
  for (let at = first; at < first + 2 * count * cell; at += 2 * cell) {
    const start = text.base + cellAt(at);
    const end = Math.min(text.base + cellAt(at + 2 * cell), text.end);
    const nameField = records + cellAt(at + cell) + cell;
    const position = nameField + 4 <= fields.bytes.length ? fields.u32(nameField) : names.length;
    if (!(start >= text.start && start < end && names[position])) continue;
    addRow(rows, { start, end, sized: true, merit: 0, position });
    if (isNameCut(names, position)) cut++;
  }
  return { rows, broken: count - rows.count, cut };
}

function namedRows(rows: FunctionRows, names: Buffer, problems: readonly string[]): SymbolTable {
  const nameAt = (position: number) => textAt(names, position, LONGEST_NAME);
  return newSymbolTable(rows, () => ({ nameAt, bytes: names.length }), problems);
}
