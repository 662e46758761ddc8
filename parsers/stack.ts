/**
 * What addresses stand for, by their upper and their lower 32 bits: as strings, the millions of addresses of a large
 * print would be as many pieces of garbage.
 */
type Known = Map<number, Map<number, number>>;

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
  const stack: number[] = [];
  const end = text.length;
  for (let at = 0; at >= 0 && at < end; at = endOfLine(text, at)) {
    while (at < end && hexDigit(text, at) < 0) at++;
    const start = at;
    let high = 0;
    let low = 0;
    for (; at < end; at++) {
      const digit = hexDigit(text, at);
      if (digit < 0) break;
      high = (high << 4) | (low >>> 28);
      low = (low << 4) | digit;
    }
    if (high === 0 && low === 0) break;
    const leaf = stack.length === 0;
    const places = leaf ? known.leaf : known.callers;
    stack.push(lookUp(places, high, low) ?? keep(places, high, low, look(text.slice(start, at), leaf)));
  }
  return stack;
}

function lookUp(known: Known, high: number, low: number): number | undefined {
  return known.get(high)?.get(low);
}

function keep(known: Known, high: number, low: number, meaning: number): number {
  const half = known.get(high) ?? new Map<number, number>();
  known.set(high, half.set(low, meaning));
  return meaning;
}

/** A newline as a character, or the backslash of an escaped one; −1 when the text has no more lines. */
function endOfLine(text: string, from: number): number {
  const escaped = text.indexOf('\\', from);
  return escaped >= 0 ? escaped : text.indexOf('\n', from);
}

/** Its value; −1 for anything else. */
function hexDigit(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code >= 48 && code <= 57) return code - 48;
  return code >= 97 && code <= 102 ? code - 87 : -1;
}
