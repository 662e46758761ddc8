import type { ReadableMap, ReadContext, StackIds } from '../metrics/window.ts';
import type { Entry } from '../parsers/entries.ts';
import { readInteger } from '../parsers/integer.ts';
import { type KernelMap, reportFull } from './program.ts';
import { otherStacks, type StackShape } from './stacks.ts';

/** One word of a key or a value: how bpftrace prints it, and how it is read back. */
export interface Codec<T> {
  /** Of its digits. */
  readonly pattern: string;
  /** Returns undefined for a number that cannot be. */
  readonly read: (digits: string) => T | undefined;
}

/** A pid, tid or exec generation. */
export const id: Codec<number> = {
  pattern: '\\d{1,10}',
  read: (digits) => (Number(digits) <= 0xffff_ffff ? Number(digits) : undefined),
};
/** Any other number below 2^53. */
export const word: Codec<number> = { pattern: '\\d{1,16}', read: Number };

type Words = Readonly<Record<string, Codec<unknown>>>;
type ValuesOf<W extends Words> = { readonly [F in keyof W]: W[F] extends Codec<infer T> ? T : never };
/** An expression of bpftrace for each word. */
type Expressions<W extends Words> = { readonly [F in keyof W]: string };

/** Where the stacks of a map are: in its keys or in its values. */
interface Stacked {
  /** Its rows have a kernel and a user stack; the key has `pid` and `generation`, or the value has. */
  readonly stacks?: boolean;
  /** Rows of threads that ran before the collection may have the tid in place of the pid. */
  readonly seeded?: boolean;
}

/** A kernel map with its size, the statements that write it and the way it is read back. */
interface TypedMap<Row> extends ReadableMap<Row> {
  /** Its size in a program that keeps stacks in this way. */
  readonly sized: (stacks: StackShape) => KernelMap;
}

interface Definition {
  readonly name: `@${string}`;
  readonly role: KernelMap['role'];
  readonly key: Words;
  /** Words of a value. */
  readonly value: number;
  readonly perCpu?: boolean;
  readonly stats?: boolean;
  readonly reportsFull?: boolean;
}

/** Counts of events: `count()` by key. */
export interface CountMap<K extends Words>
  extends TypedMap<ValuesOf<K> & { readonly count: number } & StackIds> {
  /** Statements that add 1. */
  readonly add: (
    key: Expressions<K>,
    dialect: { readonly losesFirstCounts: boolean },
    stacks?: readonly string[],
  ) => string[];
}

/**
 * A map that counts events.
 *
 * @param options `oneWriter`: no two CPUs add to one key at once, so that a plain sum is exact
 */
export function counts<const K extends Words>(
  name: `@${string}`,
  key: K,
  options: Stacked & { readonly oneWriter?: boolean } = {},
): CountMap<K> {
  const { oneWriter = false } = options;
  const definition: Definition = {
    name,
    role: 'result',
    key,
    value: 1,
    ...(oneWriter ? {} : { perCpu: true }),
  };
  return {
    ...keyed(definition, options),
    add: (words, { losesFirstCounts }, stacks = []) => {
      const place = placeOf(name, key, words, stacks);
      return oneWriter ? [`${place} = ${place} + 1;`] : countInto(place, losesFirstCounts);
    },
    read: reader<ValuesOf<K> & { count: number } & StackIds, number>(key, options, {
      read: readInteger,
      add: (a, b) => a + b,
      subtract: (now, before) => now - before,
      isNothing: (count) => count <= 0,
      row: (count) => ({ count }),
    }),
  };
}

/** Sums of values: how many and how much, `stats()` by key. */
export interface SumMap<K extends Words>
  extends TypedMap<ValuesOf<K> & { readonly count: number; readonly total: number } & StackIds> {
  /** The statement that adds a value. */
  readonly add: (key: Expressions<K>, value: string, stacks?: readonly string[]) => string;
}

/** A map that adds values up. */
export function sums<const K extends Words>(name: `@${string}`, key: K, options: Stacked = {}): SumMap<K> {
  return {
    ...keyed({ name, role: 'result', key, value: 2, perCpu: true, stats: true }, options),
    add: (words, value, stacks = []) => `${placeOf(name, key, words, stacks)} = stats(${value});`,
    read: reader<ValuesOf<K> & Stats & StackIds, Stats>(key, options, {
      read: readStats,
      add: (a, b) => ({ count: a.count + b.count, total: a.total + b.total }),
      subtract: (now, before) => ({ count: now.count - before.count, total: now.total - before.total }),
      isNothing: ({ count }) => count <= 0,
      row: (stats) => stats,
    }),
  };
}

interface Stats {
  readonly count: number;
  readonly total: number;
}

/** `{"count":5,"average":20,"total":100}`; read by hand because it dominates the parsing of large prints. */
function readStats(value: unknown): Stats | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { count: counted, total: added } = value as Record<string, unknown>;
  const [count, total] = [readInteger(counted), readInteger(added)];
  return count && total !== undefined ? { count, total } : undefined; // a sum of nothing was misread
}

/** The largest value: `max()` by key. */
export interface ExtremeMap<K extends Words> extends TypedMap<ValuesOf<K> & { readonly most: number }> {
  readonly add: (key: Expressions<K>, value: string) => string;
}

/** A map that keeps the largest value of the whole collection: an interval has no rows of it. */
export function extremes<const K extends Words>(name: `@${string}`, key: K): ExtremeMap<K> {
  return {
    ...keyed({ name, role: 'result', key, value: 2, perCpu: true }, {}),
    wholeOnly: true,
    add: (words, value) => `${placeOf(name, key, words, [])} = max(${value});`,
    read: reader<ValuesOf<K> & { most: number }, number>(
      key,
      {},
      {
        read: readInteger,
        add: Math.max,
        subtract: (now) => now,
        isNothing: () => false,
        row: (most) => ({ most }),
      },
    ),
  };
}

/** A distribution of values: `hist()` by key, in buckets of powers of two. */
export interface HistogramMap<K extends Words>
  extends TypedMap<ValuesOf<K> & { readonly buckets: readonly Bucket[] }> {
  readonly add: (key: Expressions<K>, value: string) => string;
}

export interface Bucket {
  /** The least value: null below all others, where values are negative. */
  readonly min: number | null;
  /** The largest value: null without an end. */
  readonly max: number | null;
  readonly count: number;
}

/** A map that sorts values into buckets. */
export function histogram<const K extends Words>(name: `@${string}`, key: K): HistogramMap<K> {
  return {
    ...keyed({ name, role: 'result', key: { ...key, bucket: word }, value: 1, perCpu: true }, {}),
    add: (words, value) => `${placeOf(name, key, words, [])} = hist(${value});`,
    read: reader<ValuesOf<K> & { buckets: readonly Bucket[] }, readonly Bucket[]>(
      key,
      {},
      {
        read: readBuckets,
        add: (a, b) => [...a, ...b],
        subtract: subtractBuckets,
        isNothing: (buckets) => buckets.length === 0,
        row: (buckets) => ({ buckets }),
      },
    ),
  };
}

/** `[{"max": -1, "count": 1}, {"min": 4, "max": 7, "count": 2}, {"min": 8, "count": 1}]` */
function readBuckets(value: unknown): readonly Bucket[] | undefined {
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

function subtractBuckets(now: readonly Bucket[], before: readonly Bucket[]): readonly Bucket[] {
  const earlier = new Map(before.map(({ min, count }) => [min, count]));
  return now
    .map((bucket) => ({ ...bucket, count: bucket.count - (earlier.get(bucket.min) ?? 0) }))
    .filter(({ count }) => count > 0);
}

/** One value with named fields, which the program reads and writes itself: a tuple by key. */
export interface RecordMap<K extends Words, V extends Words>
  extends TypedMap<ValuesOf<K> & ValuesOf<V> & StackIds> {
  /** The entry: an expression. */
  readonly at: (key: Expressions<K>) => string;
  /** A field of the entry that an expression yields. */
  readonly field: (entry: string, name: keyof V) => string;
  /** The stacks of that entry. */
  readonly stacksOf: (entry: string, shape: StackShape) => string[];
  /** The statement that writes an entry. */
  readonly set: (key: Expressions<K>, value: Expressions<V>, stacks?: readonly string[]) => string;
  /** The statement that changes some fields of the entry in a variable. */
  readonly change: (
    key: Expressions<K>,
    entry: string,
    changed: Partial<Expressions<V>>,
    shape: StackShape,
  ) => string;
  readonly remove: (key: Expressions<K>) => string;
  /** The statement that reports a full map, after one that writes an entry. Its first field is never 0. */
  readonly reportFull: (key: Expressions<K>) => string;
  /** Statements for BEGIN: bpftrace 0.23 has to know what a map holds before its fields are read. */
  readonly declare: (context: Parameters<typeof otherStacks>[0]) => string[];
}

/** A map of records: as a `result` rows of the whole collection, as a `leftover` what is there at its end. */
export function record<const K extends Words, const V extends Words>(
  name: `@${string}`,
  key: K,
  value: V,
  options: Stacked & { readonly role: 'result' | 'leftover'; readonly reportsFull?: boolean },
): RecordMap<K, V> {
  const fields = Object.keys(value);
  const definition: Definition = {
    ...{ name, role: options.role, key, value: fields.length },
    ...(options.reportsFull ? { reportsFull: true } : {}),
  };
  const at = (words: Expressions<K>) => placeOf(name, key, words, []);
  const field = (entry: string, field: keyof V) => `${entry}.${fields.indexOf(field as string)}`;
  const stacksOf = (entry: string, { words, stacks }: StackShape) =>
    options.stacks ? Array.from({ length: words + stacks }, (_, i) => `${entry}.${fields.length + i}`) : [];
  const set: RecordMap<K, V>['set'] = (words, values, stacks = []) =>
    `${at(words)} = (${[...fields.map((field) => values[field]), ...stacks].join(', ')});`;
  return {
    ...valued(definition, options),
    wholeOnly: true,
    at,
    field,
    stacksOf,
    set,
    change: (words, entry, changed, shape) => {
      const values = Object.fromEntries(fields.map((name) => [name, changed[name] ?? field(entry, name)]));
      return set(words, values as Expressions<V>, stacksOf(entry, shape));
    },
    remove: (words) => `delete(${at(words)});`,
    reportFull: (words) => reportFull(name, `${at(words)}.0 == 0`),
    declare: (context) => {
      const [zeroKey, zeros] = [zerosFor(key), zerosFor(value)];
      const stacks = options.stacks ? otherStacks(context) : [];
      return [set(zeroKey, zeros, stacks), `delete(${at(zeroKey)});`];
    },
    read: recordReader(key, value, options),
  };
}

export const ZERO = '(uint64)0';

function zerosFor<W extends Words>(words: W): Expressions<W> {
  return Object.fromEntries(Object.keys(words).map((name) => [name, ZERO])) as Expressions<W>;
}

/**
 * The statements that add 1 to `place`, an entry of a map whose values are per CPU. Where bpftrace loses the first
 * values that two CPUs add at once, the entry is made with a 0, which may be lost, and is there when the 1 comes.
 */
function countInto(place: string, losesFirstCounts: boolean): string[] {
  return losesFirstCounts ? [`${place} = sum(0);`, `${place} = sum(1);`] : [`${place} = count();`];
}

function placeOf(
  name: string,
  key: Words,
  words: Readonly<Record<string, string>>,
  stacks: readonly string[],
): string {
  return `${name}[${[...Object.keys(key).map((field) => words[field]), ...stacks].join(', ')}]`;
}

/** A map whose stacks are in its keys. */
function keyed({ key, ...definition }: Definition, { stacks = false, seeded }: Stacked) {
  const size = Object.keys(key).length;
  return {
    ...nameOf(definition, stacks, seeded),
    sized: (shape: StackShape): KernelMap => ({
      ...definition,
      key: size + (stacks ? shape.words : 0),
      ...(stacks ? { stacksInKey: shape.stacks } : {}),
    }),
  };
}

/** A map whose stacks are in its values. */
function valued({ key, value, ...definition }: Definition, { stacks = false, seeded }: Stacked) {
  return {
    ...nameOf(definition, stacks, seeded),
    sized: (shape: StackShape): KernelMap => ({
      ...definition,
      key: Object.keys(key).length,
      value: value + (stacks ? shape.words : 0),
      ...(stacks ? { stacksInValue: shape.stacks } : {}),
    }),
  };
}

function nameOf({ name, role }: Pick<Definition, 'name' | 'role'>, hasStacks: boolean, seeded = false) {
  return { name, role, hasStacks, seeded, wholeOnly: role === 'leftover' };
}

/** How the values of a map are read and subtracted. */
interface ValueCodec<Value> {
  readonly read: (value: unknown) => Value | undefined;
  readonly add: (a: Value, b: Value) => Value;
  readonly subtract: (now: Value, before: Value) => Value;
  /** Whether nothing happened: there is no row. */
  readonly isNothing: (value: Value) => boolean;
  readonly row: (value: Value) => object;
}

/** Reads the entries of a map, less what their keys had at the start of an interval. */
function reader<Row extends object, Value>(
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
  entries: readonly Entry[],
  { read }: ValueCodec<Value>,
): Iterable<KeyedValue<Value>> {
  for (const { key, value } of entries) yield [key, read(value)];
}

/** Keys that print alike, as those of stacks that could not be read, are added up before they are subtracted. */
function valuesBetween<Value>(
  now: readonly Entry[],
  before: readonly Entry[],
  codec: ValueCodec<Value>,
): Iterable<KeyedValue<Value>> {
  const [later, earlier] = [valuesByKey(now, codec), valuesByKey(before, codec)];
  for (const [key, value] of later) {
    const then = earlier.get(key);
    if (value !== undefined && then !== undefined) later.set(key, codec.subtract(value, then));
  }
  return later;
}

function valuesByKey<Value>(
  entries: readonly Entry[],
  codec: ValueCodec<Value>,
): Map<string, Value | undefined> {
  const values = new Map<string, Value | undefined>();
  for (const [key, value] of valuesOf(entries, codec)) {
    const other = values.get(key);
    values.set(key, other === undefined || value === undefined ? (value ?? other) : codec.add(other, value));
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
function recordReader<K extends Words, V extends Words>(
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

/** Both stacks, their numbers, or neither. */
function areStacks(rest: readonly unknown[], { stacks }: Stacked): boolean {
  if (rest.length === 0) return true;
  const isStack = (part: unknown) => typeof part === 'string';
  const isNumber = (part: unknown) => readInteger(part) !== undefined;
  return stacks === true && rest.length === 2 && (rest.every(isStack) || rest.every(isNumber));
}
