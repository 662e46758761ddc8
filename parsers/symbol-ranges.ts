/** Functions in any order, in columns, because there can be millions. */
export interface FunctionRows {
  count: number;
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  readonly sized: Uint8Array;
  readonly merits: Uint16Array;
  readonly positions: Uint32Array;
}

export interface FunctionRow {
  /** A whole number below 2^53. */
  readonly start: number;
  /** Above the start. For a function without a size, the furthest that it may reach. */
  readonly end: number;
  readonly sized: boolean;
  /** Below 2^16. Of functions with the same start, the one with the highest merit wins, then the first. */
  readonly merit: number;
  /** Where its name is: the argument of `nameAt`. */
  readonly position: number;
}

/** Columns of ranges, sorted. */
export interface Ranges {
  readonly starts: Float64Array;
  readonly lengths: Uint32Array;
  /** Bytes from the start of the function to that of the range. */
  readonly before: Uint32Array;
  /** Of the functions. */
  readonly sizes: Uint32Array;
  /** Of the names. */
  readonly positions: Uint32Array;
}

/** Lengths have 32 bits. */
const LONGEST_FUNCTION = 2 ** 32 - 1;
/** Sorts 53 bits in five steps, with tables that fit into the cache of a processor. */
const RADIX = 2 ** 11;

/** @param most how many rows can be added */
export function newRows(most: number): FunctionRows {
  return {
    count: 0,
    starts: new Float64Array(most),
    ends: new Float64Array(most),
    sized: new Uint8Array(most),
    merits: new Uint16Array(most),
    positions: new Uint32Array(most),
  };
}

export function addRow(rows: FunctionRows, row: FunctionRow): void {
  rows.starts[rows.count] = row.start;
  rows.ends[rows.count] = row.end;
  rows.sized[rows.count] = row.sized ? 1 : 0;
  rows.merits[rows.count] = row.merit;
  rows.positions[rows.count] = row.position;
  rows.count++;
}

/**
 * Makes ranges that do not overlap, in linear time. Where functions overlap, an address belongs to the one that starts
 * last, which is the innermost of nested ones. A function without a size ends where the next one starts; inside a function
 * with a size it is only a label, and is left out.
 *
 * @param rows are changed by this function
 */
export function rangesOf(rows: FunctionRows): Ranges {
  const cover = coverOf(rows, sortedRows(rows));
  const length = cover.count;
  const row = (range: number) => cover.rows[range] as number;
  const from = (range: number) => cover.starts[range] as number;
  const functionStart = (range: number) => rows.starts[row(range)] as number;
  return {
    starts: cover.starts.slice(0, length),
    lengths: column(length, (i) => (cover.ends[i] as number) - from(i)),
    before: column(length, (i) => from(i) - functionStart(i)),
    sizes: column(length, (i) => (rows.ends[row(i)] as number) - functionStart(i)),
    positions: column(length, (i) => rows.positions[row(i)] as number),
  };
}

/** Sorts by start, then by merit; of equal rows the first one comes last. */
function sortedRows({ count, starts, merits }: FunctionRows): Uint32Array {
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = count - 1 - i;
  return sortedBy(starts, sortedBy(merits, order));
}

/** Sorts stably by counting, the lowest digits of the keys first. */
function sortedBy(keys: Float64Array | Uint16Array, order: Uint32Array): Uint32Array {
  let largest = 0;
  for (const row of order) largest = Math.max(largest, keys[row] as number);
  let sorted = order;
  for (let unit = 1; unit <= largest; unit *= RADIX) sorted = sortedByDigit(keys, sorted, unit);
  return sorted;
}

function sortedByDigit(keys: Float64Array | Uint16Array, order: Uint32Array, unit: number): Uint32Array {
  const digit = (row: number) => Math.floor((keys[row] as number) / unit) % RADIX;
  const places = new Uint32Array(RADIX + 1);
  const add = (place: number, more: number) => {
    const before = places[place] as number;
    places[place] = before + more;
    return before;
  };
  for (const row of order) add(digit(row) + 1, 1);
  for (let i = 1; i < RADIX; i++) add(i, places[i - 1] as number);
  const sorted = new Uint32Array(order.length);
  for (const row of order) sorted[add(digit(row), 1)] = row;
  return sorted;
}

/** The row of each range. A row makes at most two ranges, one where it begins and one where it ends. */
interface Cover {
  count: number;
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  readonly rows: Uint32Array;
}

function coverOf(rows: FunctionRows, order: Uint32Array): Cover {
  const cover = {
    count: 0,
    starts: new Float64Array(2 * order.length),
    ends: new Float64Array(2 * order.length),
    rows: new Uint32Array(2 * order.length),
  };
  const open = openFunctions(rows, order.length, (start, end, row) => addRange(cover, start, end, row));
  for (let i = 0; i < order.length; ) {
    const start = rows.starts[order[i] as number] as number;
    const next = nextStart(rows.starts, order, i);
    const end = rows.starts[order[next] as number] ?? Number.POSITIVE_INFINITY;
    const inside = open.advance(start) > 0;
    for (; i < next; i++) {
      const row = order[i] as number;
      if (rows.sized[row] === 0 && inside) continue;
      const last = rows.sized[row] === 0 ? end : start + LONGEST_FUNCTION;
      rows.ends[row] = Math.min(rows.ends[row] as number, last);
      open.add(row);
    }
  }
  open.advance(Number.POSITIVE_INFINITY);
  return cover;
}

/** Index of the first row after `from` with another start. */
function nextStart(starts: Float64Array, order: Uint32Array, from: number): number {
  const start = starts[order[from] as number];
  let next = from + 1;
  while (next < order.length && starts[order[next] as number] === start) next++;
  return next;
}

function addRange(cover: Cover, start: number, end: number, row: number): void {
  const last = cover.count - 1;
  if (cover.rows[last] === row && cover.ends[last] === start) {
    cover.ends[last] = end;
    return;
  }
  cover.starts[cover.count] = start;
  cover.ends[cover.count] = end;
  cover.rows[cover.count] = row;
  cover.count++;
}

/** Keeps a stack of the functions that began before an address and have not ended there, the innermost on top. */
function openFunctions(
  { ends }: FunctionRows,
  most: number,
  emit: (start: number, end: number, row: number) => void,
) {
  const rows = new Uint32Array(most);
  let depth = 0;
  let at = 0;
  /** Emits the ranges before the limit. Returns how many functions reach past it. */
  const advance = (limit: number): number => {
    for (; depth > 0; depth--) {
      const row = rows[depth - 1] as number;
      const end = ends[row] as number;
      const to = Math.min(end, limit);
      if (to > at) emit(at, to, row);
      at = Math.max(at, to);
      if (end > limit) break;
    }
    at = limit;
    return depth;
  };
  const add = (row: number): void => {
    rows[depth++] = row;
  };
  return { advance, add };
}

function column(length: number, valueAt: (range: number) => number): Uint32Array {
  const values = new Uint32Array(length);
  for (let i = 0; i < length; i++) values[i] = valueAt(i);
  return values;
}
