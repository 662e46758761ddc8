import { lastAtOrBelow } from './sorted.ts';

/** A place in the kernel's code. */
export interface KernelPlace {
  readonly symbol: string;
  /** Bytes from the start of the symbol. */
  readonly offset: number;
  /** `[ext4]`; undefined for the kernel itself. */
  readonly module?: string | undefined;
}

/** Names of kernel functions by address. */
export interface KernelSymbols {
  /** @param address hexadecimal digits, with or without `0x` */
  readonly find: (address: string) => KernelPlace | undefined;
  /** The row of /proc/kallsyms that an address is named by, with its newline. */
  readonly row: (address: string) => string | undefined;
}

/** No function of the kernel is longer: an address further from the last symbol belongs to code that has no name. */
const LONGEST_FUNCTION = 2 ** 20;

/**
 * Reads /proc/kallsyms. Several names of one address are one function: the first is taken, as the kernel does.
 *
 * ```
 * ffffffff81000000 T _text
 * ffffffffc0401000 t ext4_read_bh\t[ext4]
 * ```
 *
 * @param text rows in any order; a kernel that hides its addresses (kptr_restrict) prints zeros, which name nothing
 */
export function parseKernelSymbols(text: string): KernelSymbols {
  const rowAt = new Map<number, number>();
  for (let at = 0; at < text.length; ) {
    const space = text.indexOf(' ', at);
    if (space < 0) break;
    if (isCode(text[space + 1])) {
      const start = addressNumber(text.slice(at, space));
      if (start > 0 && !rowAt.has(start)) rowAt.set(start, at);
    }
    const end = text.indexOf('\n', space);
    at = end < 0 ? text.length : end + 1;
  }
  const starts = Float64Array.from(rowAt.keys()).sort();
  const startOf = (address: string): number | undefined => {
    const wanted = addressNumber(address);
    const start = starts[lastAtOrBelow(starts, wanted)];
    return start !== undefined && wanted - start < LONGEST_FUNCTION ? start : undefined;
  };
  const row = (address: string): string | undefined => {
    const start = startOf(address);
    if (start === undefined) return undefined;
    const at = rowAt.get(start) as number;
    const end = text.indexOf('\n', at);
    return `${text.slice(at, end < 0 ? text.length : end)}\n`;
  };
  return { row, find: (address) => placeOf(row(address), address) };
}

/** Functions, also weak ones. */
function isCode(type: string | undefined): boolean {
  return type === 'T' || type === 't' || type === 'W' || type === 'w';
}

/** The low 48 bits: a double holds them, and all kernel addresses have the same bits above. */
function addressNumber(address: string): number {
  return Number.parseInt(address.slice(-12), 16);
}

function placeOf(row: string | undefined, address: string): KernelPlace | undefined {
  const parts = /^([0-9a-f]+) \w ([^\s]+)(?:\s+(\[.+\]))?\n$/.exec(row ?? '');
  if (!parts) return undefined;
  const [, start, symbol, module] = parts as unknown as [string, string, string, string | undefined];
  const offset = addressNumber(address) - addressNumber(start);
  return module === undefined ? { symbol, offset } : { symbol, offset, module };
}
