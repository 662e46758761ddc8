import type { ReadableMap, ReadContext, StackIds } from '../metrics/window.ts';
import type { MapEntry } from '../parsers/entries.ts';
import { readInteger } from '../parsers/integer.ts';

/** One word of a key or a value: how bpftrace prints it, and how it is read back. */
export interface Codec<T> {
  /** Regular expression of the digits. */
  readonly pattern: string;
  /** Returns undefined for an invalid number. */
  readonly read: (digits: string) => T | undefined;
}

/** A pid, tid or exec generation. */
export const id: Codec<number> = {
  pattern: '\\d{1,10}',
  read: (digits) => (Number(digits) <= 0xffff_ffff ? Number(digits) : undefined),
};
/** Any other number; exact up to 2^53. */
export const word: Codec<number> = { pattern: '\\d{1,16}', read: Number };

export type Words = Readonly<Record<string, Codec<unknown>>>;
export type ValuesOf<W extends Words> = { readonly [F in keyof W]: W[F] extends Codec<infer T> ? T : never };

/** Where the stacks of a map are: in its keys or in its values. */
export interface Stacked {
  /** Its rows have a kernel and a user stack; the key has `pid` and `generation`, or the value has. */
  readonly stacks?: boolean;
  /** Rows of threads that ran before the collection may have the tid in place of the pid. */
  readonly seeded?: boolean;
}

/** How the values of a map are read and subtracted. */
interface ValueCodec<Value> {
  readonly read: (value: unknown) => Value | undefined;
  readonly add: (a: Value, b: Value) => Value;
  readonly subtract: (now: Value, before: Value) => Value;
  /** Whether nothing happened; then there is no row. */
  readonly isNothing: (value: Value) => boolean;
  readonly row: (value: Value) => object;
}

/** Reads the entries of a map, less what their keys had at the start of an interval. */
export function reader<Row extends object, Value>(
  key: Words,
  options: Stacked,
  codec: ValueCodec<Value>,
): ReadableMap<Row>['read'] {
  const parse = keyReader(key, options);
  return (now, before, context) => {
    const rows: Row[] = [];
    let unreadable = 0;
    for (const [text, value] of before ? valuesBetween(now, before, codec) : valuesOf(now, codec)) {
      if (value !== undefined && codec.isNothing(value)) continue;
      const row = value === undefined ? undefined : parse(text, context);
      if (row === undefined) unreadable++;
      else rows.push(Object.assign(row, codec.row(value as Value)) as Row);
    }
    return { rows, unreadable };
  };
}

type KeyedValue<Value> = readonly [key: string, value: Value | undefined];

function* valuesOf<Value>(
  entries: readonly MapEntry[],
  { read }: ValueCodec<Value>,
): Iterable<KeyedValue<Value>> {
  for (const { key, value } of entries) yield [key, read(value)];
}

/**
 * Subtracts the values of `before` from those of `now`. Entries with the same printed key are added first: keys print
 * alike if their stacks could not be read.
 */
function* valuesBetween<Value>(
  now: readonly MapEntry[],
  before: readonly MapEntry[],
  codec: ValueCodec<Value>,
): Iterable<KeyedValue<Value>> {
  const earlier = valuesByKey(before, codec);
  for (const { key, value } of now) if (codec.read(value) === undefined) yield [key, undefined];
  for (const [key, value] of valuesByKey(now, codec)) {
    const then = earlier.get(key);
    yield [key, then === undefined ? value : codec.subtract(value, then)];
  }
}

/** Adds up the readable values of each key. */
function valuesByKey<Value>(entries: readonly MapEntry[], codec: ValueCodec<Value>): Map<string, Value> {
  const values = new Map<string, Value>();
  for (const [key, value] of valuesOf(entries, codec)) {
    if (value === undefined) continue;
    const other = values.get(key);
    values.set(key, other === undefined ? value : codec.add(other, value));
  }
  return values;
}

/** Reads the words of a key, and the stacks behind them. */
function keyReader(key: Words, { stacks, seeded }: Stacked) {
  const fields = Object.keys(key);
  const codecs = Object.values(key);
  const pattern = new RegExp(`^${codecs.map((codec) => `(${codec.pattern})`).join(',')}(?:,|$)`);
  return (text: string, context: ReadContext): Record<string, unknown> | undefined => {
    const parts = pattern.exec(text);
    if (!parts || (!stacks && parts[0].length < text.length)) return undefined;
    const row: Record<string, unknown> = {};
    for (let i = 0; i < fields.length; i++) {
      const value = (codecs[i] as Codec<unknown>).read(parts[i + 1] as string);
      if (value === undefined) return undefined;
      row[fields[i] as string] = value;
    }
    if (seeded) row.pid = context.ownerOf(row.pid as number, row.tid as number);
    return stacks
      ? Object.assign(row, context.stacks(text.slice(parts[0].length), row.pid, row.generation))
      : row;
  };
}

/** Entries such as `"4711": [1, 2, 3, "\nkernel stack", "\nuser stack"]`. */
export function recordReader<K extends Words, V extends Words>(
  key: K,
  value: V,
  options: Stacked,
): ReadableMap<ValuesOf<K> & ValuesOf<V> & StackIds>['read'] {
  const parse = keyReader(key, {});
  const fields = Object.keys(value);
  const readValue = (values: unknown): { row: Record<string, unknown>; rest: unknown[] } | undefined => {
    if (!Array.isArray(values) || values.length < fields.length) return undefined;
    const row: Record<string, unknown> = {};
    for (const [i, field] of fields.entries()) {
      const number = readInteger(values[i]);
      const read = number === undefined ? undefined : (value[field] as Codec<unknown>).read(String(number));
      if (read === undefined) return undefined;
      row[field] = read;
    }
    return { row, rest: values.slice(fields.length) };
  };
  return (now, _before, context) => {
    const rows = now.map((entry) => {
      const [words, read] = [parse(entry.key, context), readValue(entry.value)];
      if (!words || !read || !areStacks(read.rest, options)) return undefined;
      const row: Record<string, unknown> = Object.assign(words, read.row);
      if (options.seeded) row.pid = context.ownerOf(row.pid as number, row.tid as number);
      const stacks = options.stacks ? context.stacks(read.rest.join(','), row.pid, row.generation) : {};
      return Object.assign(row, stacks) as unknown as ValuesOf<K> & ValuesOf<V> & StackIds;
    });
    const read = rows.filter((row) => row !== undefined);
    return { rows: read, unreadable: rows.length - read.length };
  };
}

/** Checks the rest of an entry: both stacks, their numbers, or nothing. */
function areStacks(rest: readonly unknown[], { stacks }: Stacked): boolean {
  if (rest.length === 0) return true;
  const isStack = (part: unknown) => typeof part === 'string';
  const isNumber = (part: unknown) => readInteger(part) !== undefined;
  return stacks === true && rest.length === 2 && (rest.every(isStack) || rest.every(isNumber));
}

/** What `stats()` prints of a key: how many values, and their sum. */
export interface Stats {
  readonly count: number;
  readonly total: number;
}

/** `{"count":5,"average":20,"total":100}`; read by hand because it dominates the parsing of large prints. */
export function readStats(value: unknown): Stats | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { count: counted, total: added } = value as Record<string, unknown>;
  const [count, total] = [readInteger(counted), readInteger(added)];
  return count && total !== undefined ? { count, total } : undefined; // a sum of nothing was misread
}

export interface Bucket {
  /** The smallest value; null for the bucket of negative values. */
  readonly min: number | null;
  /** The largest value; null if the bucket is open-ended. */
  readonly max: number | null;
  readonly count: number;
}

/** `[{"max": -1, "count": 1}, {"min": 4, "max": 7, "count": 2}, {"min": 8, "count": 1}]` */
export function readBuckets(value: unknown): readonly Bucket[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const buckets = value.map((bucket: Record<string, unknown> | null) => {
    const count = readInteger(bucket?.count);
    const [min, max] = [
      readInteger(bucket?.min) ?? null,
      bucket?.max === -1 ? -1 : (readInteger(bucket?.max) ?? null),
    ];
    return count === undefined ? undefined : { min, max, count };
  });
  const read = buckets.filter((bucket) => bucket !== undefined);
  return read.length === buckets.length ? read.filter(({ count }) => count > 0) : undefined;
}

export function subtractBuckets(now: readonly Bucket[], before: readonly Bucket[]): readonly Bucket[] {
  const earlier = new Map(before.map(({ min, count }) => [min, count]));
  return now
    .map((bucket) => ({ ...bucket, count: bucket.count - (earlier.get(bucket.min) ?? 0) }))
    .filter(({ count }) => count > 0);
}
