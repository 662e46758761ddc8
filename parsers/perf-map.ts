import { LONGEST_NAME } from './elf-bytes.ts';
import { lastAtOrBelow } from './sorted.ts';
import type { FoundFunction } from './symbol-table.ts';

/** Functions that a runtime compiled while it ran, by address. */
export interface PerfMap {
  readonly find: (address: number) => FoundFunction | undefined;
  readonly size: number;
  /** Lines that are not functions, and functions past the limit. */
  readonly skipped: number;
}

/** More functions are skipped; a large server has about 100,000. */
const MOST_FUNCTIONS = 2 ** 18;
/** How many earlier functions are searched for one that reaches to an address. */
const MOST_STEPS = 4096;
/** `0x` and 16 digits, twice, with two blanks. */
const LONGEST_HEAD = 38;
const NEWLINE = 0x0a;

/**
 * Reads a perf-PID.map (tools/perf/Documentation/jit-interface.txt of Linux). Runtimes move and drop code, so functions
 * overlap: an address belongs to the one that was written last. Java writes `0x` before the numbers.
 *
 * ```
 * 7f1c40a01000 1c0 JS:*wait /srv/app.js:12:3
 * ```
 */
export function parsePerfMap(bytes: Buffer): PerfMap {
  const { rows, skipped } = readRows(bytes);
  const order = Uint32Array.from(rows.keys()).sort((a, b) => at(rows, a).start - at(rows, b).start || a - b);
  const starts = Float64Array.from(order, (row) => at(rows, row).start);
  const furthest = runningMaximum(Float64Array.from(order, (row) => at(rows, row).end));
  const latest = (address: number): number | undefined => {
    let found: number | undefined;
    let i = lastAtOrBelow(starts, address);
    for (let step = 0; step < MOST_STEPS && i >= 0 && (furthest[i] as number) > address; step++, i--) {
      const row = order[i] as number;
      if (at(rows, row).end > address && (found === undefined || row > found)) found = row;
    }
    return found;
  };
  const find = (address: number): FoundFunction | undefined => {
    const row = latest(address);
    if (row === undefined) return undefined;
    const { start, end, name } = at(rows, row);
    return { name: nameAt(bytes, name), start, size: end - start };
  };
  return { find, size: rows.length, skipped };
}

interface Row {
  readonly start: number;
  readonly end: number;
  /** Offset of the name. */
  readonly name: number;
}

function at(rows: readonly Row[], index: number): Row {
  return rows[index] as Row;
}

function readRows(bytes: Buffer): { rows: Row[]; skipped: number } {
  const rows: Row[] = [];
  let skipped = 0;
  for (let from = 0; from < bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, from);
    // The runtime may still be writing the last line.
    if (newline < 0) break;
    const row = rows.length < MOST_FUNCTIONS ? readRow(bytes, from, newline) : undefined;
    if (row) rows.push(row);
    else skipped++;
    from = newline + 1;
  }
  return { rows, skipped };
}

function readRow(bytes: Buffer, from: number, to: number): Row | undefined {
  const head = bytes.toString('latin1', from, Math.min(to, from + LONGEST_HEAD));
  const parts = /^(?:0x)?([0-9a-f]{1,16}) (?:0x)?([0-9a-f]{1,16}) /i.exec(head);
  if (!parts) return undefined;
  const start = Number.parseInt(parts[1] as string, 16);
  const end = start + Number.parseInt(parts[2] as string, 16);
  const name = from + parts[0].length;
  return end > start && Number.isSafeInteger(end) && name < to ? { start, end, name } : undefined;
}

function nameAt(bytes: Buffer, from: number): string {
  return bytes.toString('utf8', from, Math.min(bytes.indexOf(NEWLINE, from), from + LONGEST_NAME));
}

function runningMaximum(values: Float64Array): Float64Array {
  for (let i = 1; i < values.length; i++) values[i] = Math.max(values[i] as number, values[i - 1] as number);
  return values;
}
