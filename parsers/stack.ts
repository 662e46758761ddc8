import { NumberTable } from './number-table.ts';

/**
 * The index of each known address, by its upper and lower 32 bits. The millions of addresses of a large print are never
 * made into strings.
 */
type Known = Map<number, Half>;

interface Half {
  readonly high: number;
  readonly low: NumberTable;
}

/** Leaves and callers apart: the first address of a stack is exact, the others are return addresses. */
export interface KnownAddresses {
  readonly leaf: Known;
  readonly callers: Known;
}

/**
 * Reads a stack, leaf first. Only addresses count: names come from our own symbol tables, so that they are the same with
 * every version of bpftrace. The text may come straight from a line of JSON: its newlines may be characters, or escaped
 * once or (0.22 and 0.23) twice.
 *
 * ```
 * \n\tffffffff821f94c3 schedule+35\n\t7f4dddaed503 0x7f4dddaed503 ([unknown])\n      perf mode
 * \nffffffff821f94c3\n7f4dddaed503\n0\n                                             raw mode, with its extra 0
 * ```
 *
 * @param known the addresses seen so far; new ones are added
 * @param look returns the index of a new address, given as hexadecimal digits
 */
export function readStack(
  text: string,
  known: KnownAddresses,
  look: (address: string, leaf: boolean) => number,
): number[] {
  const end = encode(text);
  const [line, digits, ends, stack] = [bytes, HEX_DIGITS, ENDS_LINE, scratch]; // local names, because this is the hottest loop
  let length = 0;
  let half = NO_HALF;
  for (let at = 0; at < end; ) {
    while (at < end && (digits[line[at] as number] as number) < 0) at++;
    const start = at;
    let high = 0;
    let low = 0;
    let digit = digits[line[at] as number] as number;
    while (digit >= 0) {
      high = (high << 4) | (low >>> 28);
      low = (low << 4) | digit;
      digit = digits[line[++at] as number] as number;
    }
    if (high === 0 && low === 0) break;
    const leaf = length === 0;
    if (length < 2 || high !== half.high) half = halfOf(leaf ? known.leaf : known.callers, high);
    stack[length++] = half.low.get(low) ?? keep(half, low, look(line.toString('latin1', start, at), leaf));
    while (ends[line[at] as number] === 0) at++;
  }
  return stack.slice(0, length);
}

/** 1 for a newline and for the backslash of an escaped one. */
const ENDS_LINE = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number('\n\\'.includes(String.fromCharCode(byte))),
);

/** Reused for every stack: a new array that grows with its frames would be allocated several times. */
const scratch: number[] = [];

const NO_HALF: Half = { high: 0, low: new NumberTable() };

function halfOf(known: Known, high: number): Half {
  const half = known.get(high) ?? { high, low: new NumberTable() };
  if (half.low.size === 0) known.set(high, half);
  return half;
}

function keep(half: Half, low: number, meaning: number): number {
  half.low.set(low, meaning);
  return meaning;
}

/** The current stack in UTF-8 and a newline: reading characters from part of a long string takes far longer. */
let bytes = Buffer.alloc(65_536);

const NEWLINE = 0x0a;
/** Most bytes that one UTF-16 unit takes in UTF-8. */
const MOST_BYTES = 3;

/** @returns the length in bytes, without the newline */
function encode(text: string): number {
  const needed = MOST_BYTES * text.length + 1;
  if (bytes.length < needed) bytes = Buffer.alloc(needed);
  const length = bytes.write(text);
  bytes[length] = NEWLINE;
  return length;
}

/** The value of each byte as a hexadecimal digit; −1 for other bytes. */
const HEX_DIGITS = Int8Array.from({ length: 256 }, (_, byte) =>
  '0123456789abcdef'.indexOf(String.fromCharCode(byte)),
);
