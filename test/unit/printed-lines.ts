/** Lines as printed by bpftrace. */
import type { MapEntry } from '../../parsers/entries.ts';

/** @param data such as `'exit', 9000, 7, 8, 5, 'x'` */
export function eventLine(...data: readonly unknown[]): string {
  return JSON.stringify({ type: 'value', data });
}

/** A print of a map. Keys may repeat. */
export function mapLine(name: string, entries: readonly MapEntry[]): string {
  const rows = entries.map(({ key, value }) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  return `{"type": "map", "data": {"${name}": {${rows.join(', ')}}}}`;
}

/** An entry of a map of sums. */
export function sumEntry(key: string, count: number, total: number): MapEntry {
  return { key, value: { count, average: Math.floor(total / count), total } };
}
