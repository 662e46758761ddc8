import { fieldsOf, sectionBytes } from './elf-bytes.ts';
import { type SymbolSection, symbolName } from './elf-symbol-section.ts';
import type { ByteSource, ElfFile } from './elf-types.ts';
import { type PltJump, readPltJumps } from './plt-jumps.ts';
import { addRow, newRows } from './symbol-ranges.ts';
import { newSymbolTable, type SymbolTable } from './symbol-table.ts';

const LARGEST_RELOCATIONS = 2 ** 26;
/** Allows for IRELATIVE entries, whose names come from elsewhere than the string table. */
const MORE_NAMES = 2 ** 16;

/**
 * Names the entries of the procedure linkage table, as `read@plt`. An entry jumps to the address in a slot of the global
 * offset table, and the relocation of that slot names the symbol. So the order of the entries, in which linkers differ,
 * does not matter.
 *
 * @param dynamic .dynsym, to which the relocations refer
 * @param functions names by address: a function chosen at run time (IRELATIVE) has no symbol in its relocation
 */
export function readPlt(
  source: ByteSource,
  elf: ElfFile,
  dynamic: SymbolSection | undefined,
  functions: SymbolTable,
): SymbolTable {
  const problems: string[] = [];
  const jumps = readPltJumps(source, elf, problems);
  const slots = new Set(jumps.map((jump) => jump.slot));
  const names = new Map<number, string>();
  let left = (dynamic?.strings.length ?? 0) + MORE_NAMES;
  for (const relocation of readRelocations(source, elf, slots, problems)) {
    const name = relocationName(relocation, dynamic, functions);
    left -= name?.length ?? 0;
    if (left < 0) break;
    if (name) names.set(relocation.slot, name);
  }
  if (left < 0) problems.push('PLT: its names are longer than all names of the file; not all are read');
  return tableOf(jumps, names, problems);
}

/** `Elf64_Rela` of elf(5). */
interface Relocation {
  /** Address that it changes. */
  readonly slot: number;
  /** Index in .dynsym; 0 for none. */
  readonly symbol: number;
  readonly addend: number;
}

/** Reads the relocations of the wanted slots. The large .rela.dyn is read only for .plt.got, which needs it. */
function* readRelocations(
  source: ByteSource,
  elf: ElfFile,
  slots: ReadonlySet<number>,
  problems: string[],
): Generator<Relocation> {
  if (slots.size === 0) return;
  for (const name of elf.section('.plt.got') ? ['.rela.plt', '.rela.dyn'] : ['.rela.plt']) {
    const section = elf.section(name);
    const bytes = section && sectionBytes(source, section, LARGEST_RELOCATIONS);
    if (bytes && 'problem' in bytes) problems.push(`${name}: ${bytes.problem}`);
    else if (bytes) yield* relocationsIn(bytes, slots);
  }
}

const RELOCATION_BYTES = 24;

function* relocationsIn(bytes: Buffer, slots: ReadonlySet<number>): Generator<Relocation> {
  const { u32, word } = fieldsOf(bytes, true);
  for (let at = 0; at + RELOCATION_BYTES <= bytes.length; at += RELOCATION_BYTES) {
    const slot = word(at);
    if (slots.has(slot)) yield { slot, symbol: u32(at + 12), addend: word(at + 16) };
  }
}

function relocationName(
  { symbol, addend }: Relocation,
  dynamic: SymbolSection | undefined,
  functions: SymbolTable,
): string | undefined {
  if (symbol > 0)
    return dynamic && symbol < dynamic.count ? symbolName(dynamic, dynamic.symbol(symbol).name) : undefined;
  const found = functions.find(addend);
  return found?.start === addend ? found.name : undefined;
}

function tableOf(
  jumps: readonly PltJump[],
  names: ReadonlyMap<number, string>,
  problems: readonly string[],
): SymbolTable {
  const named = jumps.filter((jump) => names.has(jump.slot));
  const rows = newRows(named.length);
  for (const [position, { start, end }] of named.entries())
    addRow(rows, { start, end, sized: true, merit: 0, position });
  const texts = named.map((jump) => names.get(jump.slot));
  const bytes = texts.reduce((sum, text) => sum + 32 + (text?.length ?? 0), 0);
  return newSymbolTable(rows, () => ({ nameAt: (position) => `${texts[position]}@plt`, bytes }), problems);
}
