import fc from 'fast-check';
import type { ElfFile } from '../../parsers/elf-types.ts';
import type { SymbolTable } from '../../parsers/symbol-table.ts';
import { output } from '../unit/parsers/elf-files.ts';

/** A function or a label in code, as printed by readelf. */
export interface NamedRange {
  readonly name: string;
  readonly start: number;
  /** Equal to `start` if it has no size. */
  readonly end: number;
}

/** The results of comparing addresses with another tool. */
export interface Comparison {
  agreed: number;
  /** Addresses for which the tool answers a different question. */
  readonly excluded: Record<string, number>;
  readonly disagreed: string[];
}

/** @param prefix of the binutils for another architecture, such as `aarch64-linux-gnu-` */
export function readelfFunctions(path: string, elf: ElfFile, prefix = ''): NamedRange[] {
  // `   823: 000000000009c940    38 FUNC    GLOBAL DEFAULT   16 memcpy@@GLIBC_2.14`. Names of Go functions contain spaces.
  const row =
    /^ *\d+: ([0-9a-f]+) +(\w+) (FUNC|IFUNC|NOTYPE) +\S+ +\S+ +(?:\[.*?\] +)?(\d+) (.+?)(?: \(\d+\))?$/gm;
  return [...output(`${prefix}readelf`, ['-sW', path]).matchAll(row)].flatMap((match) => {
    const [value, size, type, section, name] = match.slice(1) as [string, string, string, string, string];
    const isCode = ((elf.sections[Number(section)]?.flags ?? 0) & 4) !== 0;
    if (!isCode || (type === 'NOTYPE' && /^[.$]/.test(name))) return [];
    const address = Number.parseInt(value, 16);
    const start = elf.machine === 40 && type !== 'NOTYPE' ? address - (address % 2) : address;
    return [{ name: withoutVersion(name), start, end: start + Number(size) }];
  });
}

/** The first, a middle and the last byte of functions, the byte after them, and random addresses in code. */
export function sampleAddresses(elf: ElfFile, functions: readonly NamedRange[], count: number): number[] {
  const part = fc.noBias(fc.nat(999_999).map((millionths) => millionths / 1e6));
  const code = elf.sections.filter((section) => (section.flags & 4) !== 0);
  return fc.sample(fc.tuple(part, part), { numRuns: count, seed: 1 }).flatMap(([share, inside], index) => {
    const { start, end } = functions[Math.floor(share * functions.length)] as NamedRange;
    const section = code[index % code.length] as { addr: number; size: number };
    const middle = start + Math.floor((end - start) * inside);
    return [start, middle, Math.max(start, end - 1), end, section.addr + Math.floor(section.size * inside)];
  });
}

/** Compares with the ranges of readelf: an address belongs to the innermost range that contains it, or to none. */
export function compareRanges(
  table: SymbolTable,
  functions: readonly NamedRange[],
  addresses: readonly number[],
): Comparison {
  const result: Comparison = { agreed: 0, excluded: {}, disagreed: [] };
  const around = rangesAround(functions);
  const labels = new Set(functions.filter(({ start, end }) => start === end).map(({ start }) => start));
  for (const address of addresses) {
    const found = table.find(address);
    const ranges = around(address);
    const innermost = ranges.reduce((last, { start }) => Math.max(last, start), -1);
    const isName = ranges.some(({ name, start }) => name === found?.name && start === innermost);
    if (found ? isName && found.start === innermost : ranges.length === 0) result.agreed++;
    else if (found && labels.has(found.start)) exclude(result, 'functions without a size');
    else if (ranges.length === 0 && found?.name.endsWith('@plt'))
      exclude(result, 'the PLT, which has no symbols');
    else
      result.disagreed.push(`${address.toString(16)}: ${found?.name}, readelf ${ranges.map((r) => r.name)}`);
  }
  return result;
}

/** Compares with addr2line, which names the last symbol before an address, whatever its size. */
export function compareAddr2line(
  table: SymbolTable,
  functions: readonly NamedRange[],
  addresses: readonly number[],
  path: string,
  prefix = '',
): Comparison {
  const result: Comparison = { agreed: 0, excluded: {}, disagreed: [] };
  const byName = new Map<string, NamedRange[]>();
  for (const range of functions) byName.set(range.name, [...(byName.get(range.name) ?? []), range]);
  const input = addresses.map((address) => `0x${address.toString(16)}\n`).join('');
  const lines = output(`${prefix}addr2line`, ['-f', '-e', path], input).split('\n');
  for (const [index, address] of addresses.entries()) {
    const found = table.find(address);
    const name = withoutVersion(lines[2 * index] as string);
    const named = (byName.get(name) ?? []).filter(({ start }) => start <= address);
    if (found ? named.some(({ start }) => start === found.start) : name === '??') result.agreed++;
    else if (found?.name.endsWith('@plt')) exclude(result, 'the PLT, which has no symbols');
    else if (named.some(({ end }) => address < end) || name === '??')
      result.disagreed.push(`${address.toString(16)}: ${found?.name}, addr2line ${name}`);
    else if (found && named.some(({ start, end }) => found.start < start && start === end))
      exclude(result, 'labels without a size, inside a function');
    else exclude(result, 'addresses behind the function that is named');
  }
  return result;
}

/** Entries of the PLT as printed by objdump, by their address. IRELATIVE ones look like `*ABS*+0x9f550@plt`. */
export function objdumpPlt(path: string, elf: ElfFile, prefix = ''): Map<number, string> {
  const sections = ['.plt', '.plt.sec', '.plt.got']
    .filter((name) => elf.section(name))
    .map((name) => `-j${name}`);
  const text = sections.length > 0 ? output(`${prefix}objdump`, ['-d', ...sections, path]) : '';
  // `0000000000027260 <realloc@plt>:`; the first entry is `<realloc@plt-0x20>`
  const row = /^([0-9a-f]+) <([^>]+@plt)>:$/gm;
  return new Map(
    [...text.matchAll(row)].map(([, address, name]) => [
      Number.parseInt(address as string, 16),
      name as string,
    ]),
  );
}

/** All ranges that contain an address. The search goes back as long as an earlier range reaches that far. */
function rangesAround(functions: readonly NamedRange[]): (address: number) => NamedRange[] {
  const sized = functions.filter(({ start, end }) => start < end).sort((a, b) => a.start - b.start);
  let furthest = 0;
  const ends = sized.map(({ end }) => {
    furthest = Math.max(furthest, end);
    return furthest;
  });
  return (address) => {
    const found: NamedRange[] = [];
    let [low, high] = [0, sized.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sized[middle] as NamedRange).start <= address) low = middle + 1;
      else high = middle;
    }
    for (let i = low - 1; i >= 0 && (ends[i] as number) > address; i--)
      if ((sized[i] as NamedRange).end > address) found.push(sized[i] as NamedRange);
    return found;
  };
}

function exclude(result: Comparison, reason: string): void {
  result.excluded[reason] = (result.excluded[reason] ?? 0) + 1;
}

function withoutVersion(name: string): string {
  return name.replace(/(?<=.)@.*/, '');
}
