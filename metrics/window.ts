import type { MapEntries, MapEntry } from '../parsers/entries.ts';
import { type Addresses, newAddresses } from './addresses.ts';
import { type NumberedStacks, readStacks, splitStacks } from './stack-texts.ts';

/** Both stacks of a row, as numbers of addresses, leaf first; empty when there is none. */
export interface StackIds {
  readonly kernel: readonly number[];
  readonly user: readonly number[];
}

/** What is needed to read a map, besides its entries. */
export interface ReadContext {
  /**
   * @param text both stacks as printed in an entry, or their numbers
   */
  readonly stacks: (text: string, pid: unknown, generation: unknown) => StackIds;
  /** The process of a thread: if the kernel knew only the tid, the entry has it in place of the pid. */
  readonly ownerOf: (pid: number, tid: number) => number;
}

export interface Rows<Row> {
  readonly rows: readonly Row[];
  /** Entries that could not be read. */
  readonly unreadable: number;
}

/** A kernel map that can be read. */
export interface ReadableMap<Row = unknown> {
  readonly name: string;
  readonly role: 'result' | 'leftover' | 'helper';
  readonly hasStacks: boolean;
  /** Whether it has rows only for the whole collection, because its values cannot be subtracted. */
  readonly wholeOnly: boolean;
  /** @param before the same map at the start of the interval; undefined for the whole collection */
  readonly read: (
    now: readonly MapEntry[],
    before: readonly MapEntry[] | undefined,
    context: ReadContext,
  ) => Rows<Row>;
}

/** The rows of a span of the collection, read once, with the addresses of their stacks. */
export interface Reading {
  readonly rows: <Row>(map: ReadableMap<Row>) => readonly Row[];
  readonly addresses: Addresses;
  /** Entries that could not be read so far. */
  readonly unreadable: () => number;
}

/**
 * Reads each map when it is first needed.
 *
 * @param before the maps at the start of the interval; undefined for the whole collection
 * @param owners processes by tid, of the threads that ran before the collection
 */
export function newReading(
  now: MapEntries,
  before: MapEntries | undefined,
  owners: ReadonlyMap<number, { readonly pid: number }>,
): Reading {
  const addresses = newAddresses();
  const context = readContext(readStacks(now), addresses, owners);
  const known = new Map<ReadableMap, Rows<unknown>>();
  const read = (map: ReadableMap): Rows<unknown> => {
    if (before && map.wholeOnly) return { rows: [], unreadable: 0 };
    return map.read(now.get(map.name) ?? [], before && (before.get(map.name) ?? []), context);
  };
  let unreadable = 0;
  return {
    addresses,
    rows: <Row>(map: ReadableMap<Row>) => {
      const rows = known.get(map as ReadableMap) ?? read(map as ReadableMap);
      if (!known.has(map as ReadableMap)) unreadable += rows.unreadable;
      known.set(map as ReadableMap, rows);
      return rows.rows as readonly Row[];
    },
    unreadable: () => unreadable,
  };
}

function readContext(
  numbered: NumberedStacks,
  addresses: Addresses,
  owners: ReadonlyMap<number, { readonly pid: number }>,
): ReadContext {
  return {
    stacks: (text, pid, generation) => {
      const [kernel, user] = splitStacks(text, numbered);
      return {
        kernel: addresses.kernel(kernel),
        user: addresses.user(user, pid as number, generation as number),
      };
    },
    ownerOf: (pid, tid) => (pid === tid ? (owners.get(tid)?.pid ?? pid) : pid),
  };
}
