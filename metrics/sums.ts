import type { WaitSum } from './fields.ts';

/** Adds numbers up; 0 for none. */
export function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}

/** Adds up an amount of each row by key; the keys stand in the order in which they first occur. */
export function sumBy<T, K>(
  rows: Iterable<T>,
  keyOf: (row: T) => K,
  amountOf: (row: T) => number,
): Map<K, number> {
  const sums = new Map<K, number>();
  for (const row of rows) {
    const key = keyOf(row);
    sums.set(key, (sums.get(key) ?? 0) + amountOf(row));
  }
  return sums;
}

/** Groups rows that share a key, in the order in which the keys first occur; no group is empty. */
export function groupBy<T, K>(rows: Iterable<T>, keyOf: (row: T) => K): T[][] {
  const groups = new Map<K, T[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return [...groups.values()];
}

/** Adds up the time and the number of waits. */
export function waitSumOf(rows: readonly Readonly<WaitSum>[]): WaitSum {
  return { time_ns: sum(rows.map(({ time_ns }) => time_ns)), count: sum(rows.map(({ count }) => count)) };
}

/** The same by key. */
export function waitSumsBy<T extends Readonly<WaitSum>, K>(
  rows: Iterable<T>,
  keyOf: (row: T) => K,
): Map<K, WaitSum> {
  return new Map(groupBy(rows, keyOf).map((of) => [keyOf(of[0] as T), waitSumOf(of)]));
}
