import { lastAtOrBelow } from './sorted.ts';

/** A place in the kernel's code. */
export interface KernelSymbol {
  readonly symbol: string;
  /** Bytes from the start of the symbol. */
  readonly offset: number;
  /** `[ext4]`; undefined for the kernel itself. */
  readonly module?: string | undefined;
}

/** Names of kernel functions by address. */
export interface KernelSymbols {
  /** @param address hexadecimal digits, with or without `0x` */
  readonly find: (address: string) => KernelSymbol | undefined;
  /** Whether no function has an address: the kernel hides them (kernel.kptr_restrict), or lists none. */
  readonly isHidden: boolean;
  /** The row of /proc/kallsyms that names an address, with its newline. */
  readonly row: (address: string) => string | undefined;
}

/** No kernel function is longer: an address further from the last symbol belongs to code without a name. */
const LONGEST_FUNCTION = 2 ** 20;

/**
 * Reads /proc/kallsyms. Of several names for one address the first is used, as the kernel does.
 *
 * ```
 * ffffffff81000000 T _text
 * ffffffffc0401000 t ext4_read_bh\t[ext4]
 * ```
 *
 * @param text rows in any order. A kernel that hides its addresses (kptr_restrict) prints zeros, which are ignored
 */
export function parseKernelSymbols(text: string): KernelSymbols {
  const { starts, rows } = inOrder(functionsOf(text));
  const row = (address: string): string | undefined => {
    const wanted = addressNumber(address);
    const index = lastAtOrBelow(starts, wanted);
    const [start, at] = [starts[index], rows[index]];
    if (start === undefined || at === undefined || wanted - start >= LONGEST_FUNCTION) return undefined;
    return `${text.slice(at, endOfLine(text, at))}\n`;
  };
  return { row, isHidden: starts.length === 0, find: (address) => symbolAt(row(address), address) };
}

/**
 * Finds the addresses of kernel functions by name, as `0x…`; the first one of each name counts.
 *
 * @param text /proc/kallsyms
 */
export function addressesOf(text: string, names: ReadonlySet<string>): Map<string, string> {
  const found = new Map<string, string>();
  eachFunction(text, (_, at, space, end) => {
    const tab = text[end - 1] === ']' ? text.indexOf('\t', space) : -1;
    const name = text.slice(space + 3, tab < 0 ? end : tab);
    if (names.has(name) && !found.has(name)) found.set(name, `0x${text.slice(at, space)}`);
  });
  return found;
}

/** Where functions start, and where their rows start in the text: two columns, because objects would take more memory. */
interface Functions {
  readonly starts: number[];
  readonly rows: number[];
}

function functionsOf(text: string): Functions {
  const functions: Functions = { starts: [], rows: [] };
  eachFunction(text, (start, at) => {
    if (start === functions.starts.at(-1)) return;
    functions.starts.push(start);
    functions.rows.push(at);
  });
  return functions;
}

/** @param visit gets the address, and where in the text the row, its first space and its end are */
function eachFunction(
  text: string,
  visit: (start: number, at: number, space: number, end: number) => void,
): void {
  for (let at = 0; at < text.length; ) {
    const space = text.indexOf(' ', at);
    if (space < 0) break;
    const start = isCode(text[space + 1]) ? numberAt(text, Math.max(at, space - DIGITS), space) : 0;
    const end = endOfLine(text, space);
    if (start > 0) visit(start, at, space, end);
    at = end + 1;
  }
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

/** Sorts by start and keeps the first of equal ones. Usually only modules are out of order, so it sorts only if needed. */
function inOrder({ starts, rows }: Functions): Functions {
  const at = (index: number) => starts[index] as number;
  if (starts.every((start, i) => i === 0 || start > at(i - 1))) return { starts, rows };
  const order = starts
    .map((_, i) => i)
    .sort((a, b) => at(a) - at(b))
    .filter((index, i, all) => i === 0 || at(index) > at(all[i - 1] as number));
  return { starts: order.map(at), rows: order.map((index) => rows[index] as number) };
}

/** Whether a symbol type means a function; `W` and `w` are weak ones. */
function isCode(type: string | undefined): boolean {
  return type === 'T' || type === 't' || type === 'W' || type === 'w';
}

/** 12 digits are the low 48 bits: a double holds them, and all kernel addresses have the same upper bits. */
const DIGITS = 12;

function addressNumber(address: string): number {
  return Number.parseInt(address.slice(-DIGITS), 16);
}

/** Reads hexadecimal digits in the middle of a text; NaN for anything else. */
function numberAt(text: string, from: number, to: number): number {
  let number = 0;
  for (let at = from; at < to; at++) number = number * 16 + digitOf(text.charCodeAt(at));
  return number;
}

/** The digits `0` to `9` begin at character 48, `a` to `f` at 97. */
function digitOf(unit: number): number {
  if (unit >= 48 && unit < 58) return unit - 48;
  return unit >= 97 && unit < 103 ? unit - 87 : NaN;
}

function symbolAt(row: string | undefined, address: string): KernelSymbol | undefined {
  const parts = /^([0-9a-f]+) \w ([^\s]+)(?:\s+(\[.+\]))?\n$/.exec(row ?? '');
  if (!parts) return undefined;
  const [, start, symbol, module] = parts as unknown as [string, string, string, string | undefined];
  const offset = addressNumber(address) - addressNumber(start);
  return module === undefined ? { symbol, offset } : { symbol, offset, module };
}
