import { lastAtOrBelow } from './sorted.ts';
import { type FunctionRows, type Ranges, rangesOf } from './symbol-ranges.ts';

/** A function of a file. */
export interface FoundFunction {
  /** As it stands in the file: C++ and Rust names are mangled. It may contain any character. */
  readonly name: string;
  /** Address in the file. */
  readonly start: number;
  /** Bytes; for a function without a size in the file, an estimate. */
  readonly size: number;
}

/** Names of functions by address in the file. */
export interface SymbolTable {
  /** Finds the function that contains the address; a function that ends before it does not count. Never throws. */
  readonly find: (vaddr: number) => FoundFunction | undefined;
  /** Number of ranges with a name. A function with others inside it has several. */
  readonly size: number;
  /** Approximate memory, bytes. */
  readonly bytes: number;
  /** A sentence for each thing that could not be read, with its count. */
  readonly problems: readonly string[];
  /** The parts, in the order in which they are searched. */
  readonly parts: readonly SymbolPart[];
}

/** Ranges that do not overlap, with their names. */
export interface SymbolPart {
  readonly ranges: Ranges;
  readonly names: NameSource;
}

/** Decodes names when they are asked for. */
export interface NameSource {
  readonly nameAt: (position: number) => string | undefined;
  /** Memory, bytes. */
  readonly bytes: number;
}

/**
 * @param rows functions in any order; this function changes them
 * @param namesFor gets the positions of all names that can be asked for
 */
export function newSymbolTable(
  rows: FunctionRows,
  namesFor: (positions: Uint32Array) => NameSource,
  problems: readonly string[],
): SymbolTable {
  const ranges = rangesOf(rows);
  return symbolTable({ ranges, names: namesFor(ranges.positions) }, problems);
}

/** Makes a table of one part. */
export function symbolTable(part: SymbolPart, problems: readonly string[]): SymbolTable {
  const { ranges, names } = part;
  const { starts, lengths, before, sizes, positions } = ranges;
  const find = (vaddr: number): FoundFunction | undefined => {
    const at = lastAtOrBelow(starts, vaddr);
    const start = starts[at];
    if (start === undefined || vaddr - start >= (lengths[at] as number)) return undefined;
    const name = names.nameAt(positions[at] as number);
    return name === undefined
      ? undefined
      : { name, start: start - (before[at] as number), size: sizes[at] as number };
  };
  const columns = [starts, lengths, before, sizes, positions];
  const bytes = columns.reduce((sum, column) => sum + column.byteLength, names.bytes);
  return { find, size: starts.length, bytes, problems, parts: [part] };
}

/** Joins tables: `find` searches them in this order. */
export function inOrder(tables: readonly SymbolTable[]): SymbolTable {
  return {
    find: (vaddr) => {
      for (const table of tables) {
        const found = table.find(vaddr);
        if (found) return found;
      }
      return undefined;
    },
    size: tables.reduce((sum, table) => sum + table.size, 0),
    bytes: tables.reduce((sum, table) => sum + table.bytes, 0),
    problems: tables.flatMap((table) => table.problems),
    parts: tables.flatMap((table) => table.parts),
  };
}
