/**
 * What addresses stand for, by their upper and their lower 32 bits: as strings, the millions of addresses of a large
 * print would be as many pieces of garbage.
 */
type Known = Map<number, Half>;

interface Half {
  readonly high: number;
  readonly low: Map<number, number>;
}

/** The first address of a stack is where its thread was; the others are return addresses, and may mean another place. */
export interface KnownPlaces {
  readonly leaf: Known;
  readonly callers: Known;
}

/**
 * Reads a stack, leaf first. Whatever a line holds besides its address is left out, for names are found elsewhere, the
 * same for every version of bpftrace. The text may be part of a line of JSON as it stands: its newlines may be
 * characters, or escaped once or (0.22 and 0.23) twice.
 *
 * ```
 * \n\tffffffff821f94c3 schedule+35\n\t7f4dddaed503 0x7f4dddaed503 ([unknown])\n      perf mode
 * \nffffffff821f94c3\n7f4dddaed503\n0\n                                             raw mode, with its spurious end
 * ```
 *
 * @param known what each address seen so far stands for; grows
 * @param look says what an address stands for that was not seen yet, by its hexadecimal digits
 */
export function readStack(
  text: string,
  known: KnownPlaces,
  look: (address: string, leaf: boolean) => number,
): number[] {
  const end = text.length;
  const bytes = bytesOf(text);
  const stack = scratch;
  let length = 0;
  let half = NO_HALF;
  for (let at = 0; at >= 0 && at < end; at = endOfLine(text, at)) {
    while (at < end && hexDigit(bytes[at]) < 0) at++;
    const start = at;
    let high = 0;
    let low = 0;
    for (; at < end; at++) {
      const digit = hexDigit(bytes[at]);
      if (digit < 0) break;
      high = (high << 4) | (low >>> 28);
      low = (low << 4) | digit;
    }
    if (high === 0 && low === 0) break;
    const leaf = length === 0;
    if (length < 2 || high !== half.high) half = halfOf(leaf ? known.leaf : known.callers, high);
    stack[length++] = half.low.get(low) ?? keep(half, low, look(text.slice(start, at), leaf));
  }
  return stack.slice(0, length);
}

/** For each stack in turn: one that grew with its frames would be garbage several times over. */
const scratch: number[] = [];

const NO_HALF: Half = { high: 0, low: new Map() };

function halfOf(known: Known, high: number): Half {
  const half = known.get(high) ?? { high, low: new Map() };
  if (half.low.size === 0) known.set(high, half);
  return half;
}

function keep(half: Half, low: number, meaning: number): number {
  half.low.set(low, meaning);
  return meaning;
}

/** A newline as a character, or the backslash of an escaped one; −1 when the text has no more lines. */
function endOfLine(text: string, from: number): number {
  const escaped = text.indexOf('\\', from);
  return escaped >= 0 ? escaped : text.indexOf('\n', from);
}

let buffer = Buffer.alloc(65_536);

/** A byte for each character: reading them from a part of a long string takes far longer. */
function bytesOf(text: string): Uint8Array {
  if (buffer.length < text.length) buffer = Buffer.alloc(2 * text.length);
  buffer.write(text, 'latin1');
  return buffer;
}

/** Its value; −1 for anything else. */
function hexDigit(code = 0): number {
  if (code >= 48 && code <= 57) return code - 48;
  return code >= 97 && code <= 102 ? code - 87 : -1;
}
