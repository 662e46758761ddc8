import { EM_ARM, ET_REL } from './elf.ts';
import { isNameCut } from './elf-bytes.ts';
import { readPlt } from './elf-plt.ts';
import {
  type ElfSymbol,
  readSymbolSection,
  SHT_DYNSYM,
  SHT_SYMTAB,
  type SymbolSection,
  symbolName,
} from './elf-symbol-section.ts';
import type { ByteSource, ElfFile } from './elf-types.ts';
import { readUnwindStarts } from './elf-unwind-index.ts';
import { lastAtOrBelow } from './sorted.ts';
import { addRow, type FunctionRows, newRows } from './symbol-ranges.ts';
import { inOrder, type NameSource, newSymbolTable, type SymbolTable } from './symbol-table.ts';

const SHF_EXECINSTR = 4;
const SHN_UNDEF = 0;
const STT_NOTYPE = 0;
const STT_FUNC = 2;
const STT_GNU_IFUNC = 10;
const STB_GLOBAL = 1;
const STB_WEAK = 2;
const STB_GNU_UNIQUE = 10;

/**
 * How far a function without a size may reach. Such functions are written in assembly; the largest, unrolled ciphers and
 * codecs, have about 10 KiB. Code further away belongs to functions whose names were stripped.
 */
const LONGEST_UNSIZED = 2 ** 16;
/** Only so many sections and segments are searched for code; programs have about five. */
const MOST_CODE = 64;
/** Longer names, and more underscores, count as this many when names are compared. */
const LONGEST_COMPARED = 255;
const MOST_UNDERSCORES = 3;

/**
 * Reads the names of functions from .symtab and .dynsym, and those of the PLT as `read@plt`. Symbols without a type count
 * if they are in code, because assembly makes such symbols. Never throws: `problems` says what is broken or too large.
 *
 * Of several names for an address it prefers that of a function to a label without a type, such as `__start_SECTION`; then a
 * global one to a weak one to a local one; then one with a size; then the one
 * with fewer leading underscores; then the shortest; then the first, where .symtab comes before .dynsym.
 *
 * @param elf the result of `readElf` for the same source
 */
export function readFunctions(source: ByteSource, elf: ElfFile): SymbolTable {
  const problems: string[] = [];
  const sections = readSections(source, elf, problems);
  const rows = functionRows(elf, sections, unsizedEnds(source, elf, sections), problems);
  const functions = newSymbolTable(rows, (positions) => namesOf(sections, positions), problems);
  const dynamic = sections.find((section) => section.type === SHT_DYNSYM);
  return inOrder([functions, readPlt(source, elf, dynamic, functions)]);
}

function readSections(source: ByteSource, elf: ElfFile, problems: string[]): SymbolSection[] {
  if (elf.type === ET_REL) {
    problems.push('it is an object file, whose functions have no addresses yet');
    return [];
  }
  return [SHT_SYMTAB, SHT_DYNSYM]
    .map((type) => readSymbolSection(source, elf, type, problems))
    .filter((section) => section !== undefined);
}

/** Tells how far a function without a size may reach, from its start. */
type UnsizedEnd = (start: number) => number;

/**
 * Without .symtab, the functions after an exported one have no names that would end it. They have unwind information, which shows
 * where the first of them begins. Without that, too, nothing is known beyond the start.
 */
function unsizedEnds(source: ByteSource, elf: ElfFile, sections: readonly SymbolSection[]): UnsizedEnd {
  const furthest: UnsizedEnd = (start) => start + LONGEST_UNSIZED;
  if (sections.some(({ type }) => type === SHT_SYMTAB)) return furthest;
  const starts = readUnwindStarts(source, elf);
  return (start) => Math.min(furthest(start), starts?.[lastAtOrBelow(starts, start) + 1] ?? start);
}

/** Positions of names continue from one string table to the next. */
function functionRows(
  elf: ElfFile,
  sections: readonly SymbolSection[],
  unsizedEnd: UnsizedEnd,
  problems: string[],
): FunctionRows {
  const rows = newRows(sections.reduce((sum, section) => sum + section.count, 0));
  const codeAt = codeFinder(elf);
  let base = 0;
  for (const section of sections) {
    const lost = addFunctions(rows, section, base, elf.machine === EM_ARM, codeAt, unsizedEnd);
    for (const [what, count] of Object.entries(lost))
      if (count > 0) problems.push(`${section.name}: ${count} functions ${what}`);
    base += section.strings.length;
  }
  return rows;
}

/** A range of addresses. */
interface CodeRange {
  readonly start: number;
  readonly end: number;
}

/** Finds the code that contains a symbol; undefined if its address is not in code. */
type FindCode = (symbol: ElfSymbol, vaddr: number) => CodeRange | undefined;

/**
 * Tries the section of the symbol first. Tools that remove sections leave wrong indices in .dynsym, because loaders ignore
 * them: so for a function any code will do. A label without a type may lie outside, like `_etext`.
 */
function codeFinder(elf: ElfFile): FindCode {
  const sections = elf.sections.map(({ flags, addr, size }) =>
    (flags & SHF_EXECINSTR) !== 0 && Number.isSafeInteger(addr + size)
      ? { start: addr, end: addr + size }
      : undefined,
  );
  const segments = elf.segments
    .filter((segment) => segment.executable)
    .map(({ vaddr, memSize }) => ({ start: vaddr, end: vaddr + memSize }));
  const all = [...sections.filter((span) => span !== undefined), ...segments].slice(0, MOST_CODE);
  return ({ section, type }, vaddr) => {
    const own = sections[section];
    if (own && isWithin(own, vaddr)) return own;
    return type === STT_NOTYPE ? undefined : all.find((span) => isWithin(span, vaddr));
  };
}

function isWithin({ start, end }: CodeRange, vaddr: number): boolean {
  return start <= vaddr && vaddr < end;
}

/** How many functions are left out or changed, by reason. */
type Lost = Record<'are not in code' | 'have no name' | 'have names cut at 4096 bytes', number>;

function addFunctions(
  rows: FunctionRows,
  section: SymbolSection,
  base: number,
  thumb: boolean,
  codeAt: FindCode,
  unsizedEnd: UnsizedEnd,
): Lost {
  const lost: Lost = { 'are not in code': 0, 'have no name': 0, 'have names cut at 4096 bytes': 0 };
  for (let index = 0; index < section.count; index++) {
    const symbol = section.symbol(index);
    if (!isFunction(symbol, section.strings)) continue;
    const start = thumb && symbol.type !== STT_NOTYPE ? symbol.value - (symbol.value % 2) : symbol.value;
    const code = codeAt(symbol, start);
    if (!section.strings[symbol.name]) lost['have no name']++;
    else if (code) {
      const end = Math.min(code.end, symbol.size > 0 ? start + symbol.size : unsizedEnd(start));
      if (end > start) addFunction(rows, symbol, { start, end }, section.strings, base);
    } else if (!isMark(symbol)) lost['are not in code']++;
    if (code && isNameCut(section.strings, symbol.name)) lost['have names cut at 4096 bytes']++;
  }
  return lost;
}

/** Outside code, a symbol without a type or size only marks a place, such as Go's `runtime.etext`. */
function isMark({ type, size }: ElfSymbol): boolean {
  return type === STT_NOTYPE || size === 0;
}

/**
 * Labels that are not functions begin with a dot or a dollar: `.annobin_init.c` of a compiler's notes, `$a` and `$d` where
 * code and data begin on ARM.
 */
function isFunction({ type, section, name }: ElfSymbol, strings: Buffer): boolean {
  if (section === SHN_UNDEF) return false;
  if (type === STT_FUNC || type === STT_GNU_IFUNC) return true;
  const first = strings[name];
  return type === STT_NOTYPE && Boolean(first) && first !== 0x2e && first !== 0x24;
}

function addFunction(
  rows: FunctionRows,
  { type, size, binding, name }: ElfSymbol,
  { start, end }: CodeRange,
  strings: Buffer,
  base: number,
): void {
  const sized = size > 0;
  const kind = (type === STT_NOTYPE ? 0 : 4) + bindingMerit(binding);
  const merit = (kind * 2 + (sized ? 1 : 0)) * 1024 + nameMerit(strings, name);
  addRow(rows, { start, end, sized, merit, position: base + name });
}

function bindingMerit(binding: number): number {
  if (binding === STB_GLOBAL || binding === STB_GNU_UNIQUE) return 2;
  return binding === STB_WEAK ? 1 : 0;
}

/** Rates a name, up to 1023, without decoding it. */
function nameMerit(strings: Buffer, at: number): number {
  let underscores = 0;
  while (underscores < MOST_UNDERSCORES && strings[at + underscores] === 0x5f) underscores++;
  let length = 1;
  while (length < LONGEST_COMPARED && strings[at + length] && strings[at + length] !== 0x40) length++;
  return (MOST_UNDERSCORES - underscores) * 256 + LONGEST_COMPARED - length;
}

/** Keeps the string tables with a wanted name, and nothing else of the sections. */
function namesOf(sections: readonly SymbolSection[], positions: Uint32Array): NameSource {
  let base = 0;
  const tables = sections.map(({ type, strings }) => {
    const start = base;
    base += strings.length;
    return { type, strings, start, end: base };
  });
  const used = tables.filter(({ start, end }) => positions.some((at) => at >= start && at < end));
  const nameAt = (position: number) => {
    const table = used.find(({ end }) => position < end);
    return table && symbolName(table, position - table.start);
  };
  return { nameAt, bytes: used.reduce((sum, { strings }) => sum + strings.length, 0) };
}
