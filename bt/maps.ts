import type { ReadableMap, StackIds } from '../metrics/window.ts';
import { readInteger } from '../parsers/integer.ts';
import {
  type Bucket,
  readBuckets,
  reader,
  readStats,
  recordReader,
  type Stacked,
  type Stats,
  subtractBuckets,
  type ValuesOf,
  type Words,
  word,
} from './map-reader.ts';
import { type KernelMap, reportFull } from './program.ts';
import { otherStacks, type StackShape } from './stacks.ts';

/** An expression of bpftrace for each word. */
type Expressions<W extends Words> = { readonly [F in keyof W]: string };

/** A kernel map with its size, the statements that write it and the way it is read back. */
interface TypedMap<Row> extends ReadableMap<Row> {
  /** Its size in a program that stores stacks in this way. */
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

/** A map of event counts: `count()` by key. */
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
 * @param options `oneWriter`: two CPUs never add to the same key at once, so a plain sum is exact
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

/** A map of counts and sums: `stats()` by key. */
export interface SumMap<K extends Words>
  extends TypedMap<ValuesOf<K> & { readonly count: number; readonly total: number } & StackIds> {
  /** The statement that adds a value. */
  readonly add: (key: Expressions<K>, value: string, stacks?: readonly string[]) => string;
}

/** A map that adds up values. */
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

/** The largest value: `max()` by key. */
export interface ExtremeMap<K extends Words> extends TypedMap<ValuesOf<K> & { readonly most: number }> {
  readonly add: (key: Expressions<K>, value: string) => string;
}

/** A map with the largest value of the whole collection. Intervals have no rows of it. */
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

/** A map of tuples with named fields, which the program itself reads and writes. */
export interface RecordMap<K extends Words, V extends Words>
  extends TypedMap<ValuesOf<K> & ValuesOf<V> & StackIds> {
  /** The expression for an entry. */
  readonly at: (key: Expressions<K>) => string;
  /** The expression for a field of an entry. */
  readonly field: (entry: string, name: keyof V) => string;
  /** The expressions for the stacks of an entry. */
  readonly stacksOf: (entry: string, shape: StackShape) => string[];
  /** The statement that writes an entry. */
  readonly set: (key: Expressions<K>, value: Expressions<V>, stacks?: readonly string[]) => string;
  /** The statement that changes some fields of an entry that is in a variable. */
  readonly change: (
    key: Expressions<K>,
    entry: string,
    changed: Partial<Expressions<V>>,
    shape: StackShape,
  ) => string;
  readonly remove: (key: Expressions<K>) => string;
  /** The statement that reports a full map, after one that writes an entry. Its first field is never 0. */
  readonly reportFull: (key: Expressions<K>) => string;
  /** Statements for BEGIN: bpftrace 0.23 must know the type of a map before its fields are read. */
  readonly declare: (context: Parameters<typeof otherStacks>[0]) => string[];
}

/**
 * A map of records. A `result` has rows for the whole collection, a `leftover` has the entries that exist at its end.
 */
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
 * The statements that add 1 to `place`, an entry of a per-CPU map. Some versions of bpftrace lose a value when two CPUs
 * add the first value at once. For these the entry is first made with a 0, which may be lost without harm.
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
function keyed({ key, ...definition }: Definition, { stacks = false }: Stacked) {
  const { name, role } = definition;
  const size = Object.keys(key).length;
  return {
    ...{ name, role, hasStacks: stacks, wholeOnly: false },
    sized: (shape: StackShape): KernelMap => ({
      ...definition,
      key: size + (stacks ? shape.words : 0),
      ...(stacks ? { stacksInKey: shape.stacks } : {}),
    }),
  };
}

/** A map whose stacks are in its values: only the whole collection has rows of it. */
function valued({ key, value, ...definition }: Definition, { stacks = false }: Stacked) {
  const { name, role } = definition;
  return {
    ...{ name, role, hasStacks: stacks, wholeOnly: true },
    sized: (shape: StackShape): KernelMap => ({
      ...definition,
      key: Object.keys(key).length,
      value: value + (stacks ? shape.words : 0),
      ...(stacks ? { stacksInValue: shape.stacks } : {}),
    }),
  };
}
