import { type Mapping, parseMaps } from '../parsers/proc.ts';
import { lastAtOrBelow } from '../parsers/sorted.ts';

/**
 * The executable mappings of each program that a process ran, by `PID:GENERATION`. Of mappings that overlap, the first
 * is the latest.
 */
export type AddressSpaces = ReadonlyMap<string, readonly Mapping[]>;

/** The path at addresses where a program had several files in turn: nothing tells from which of them a stack is. */
export const SEVERAL_FILES = '[several files]';

/** Address spaces in captures and recordings: rows of /proc/PID/maps by `PID:GENERATION`. */
export type MappingTexts = Readonly<Record<string, string>>;

/** Writes address spaces for a capture or a recording, and only for these. */
export function encodeSpaces(spaces: AddressSpaces): MappingTexts {
  return Object.fromEntries([...spaces].map(([key, space]) => [key, encodeSpace(space)]));
}

/** Reads address spaces from a capture or a recording. Rows that are not executable mappings are skipped. */
export function decodeSpaces(texts: MappingTexts): AddressSpaces {
  return new Map(Object.entries(texts).map(([key, text]) => [key, parseMaps(text)]));
}

/** One address space as rows of /proc/PID/maps. A path never holds a newline: the kernel prints it as `\012`. */
export function encodeSpace(space: readonly Mapping[]): string {
  const rows = space.map(({ start, end, fileOffset, file, path }) => {
    const [from, to, offset] = [start, end, fileOffset].map((n) => n.toString(16));
    return `${from}-${to} r-xp ${offset} ${file} ${path}\n`;
  });
  return rows.join('');
}

/** Finds the latest mapping at an address. */
export type FindMapping = (address: bigint) => Mapping | undefined;

const LAST_ADDRESS = 2n ** 64n - 1n;
/** Below this size a search through all mappings is the fastest. */
const FEW = 16;

/**
 * Makes a search that takes no longer with 65,536 mappings, which any process may have.
 *
 * @param all of those that overlap, the first one is the latest
 */
export function mappingFinder(all: readonly Mapping[]): FindMapping {
  const mappings = all.filter(({ end }) => end <= LAST_ADDRESS); // a broken capture may have others
  if (mappings.length <= FEW)
    return (address) => mappings.find(({ start, end }) => start <= address && address < end);
  const bounds = BigUint64Array.from(new Set(mappings.flatMap(({ start, end }) => [start, end]))).sort();
  const latest = latestBetween(bounds, mappings);
  return (address) => latest[lastAtOrBelow(bounds, address)];
}

/** The latest mapping between each bound and the next one. */
function latestBetween(bounds: BigUint64Array, mappings: readonly Mapping[]): (Mapping | undefined)[] {
  const latest: (Mapping | undefined)[] = Array(bounds.length).fill(undefined);
  /** From each place, the next one that may still be empty. */
  const next = Uint32Array.from({ length: bounds.length + 1 }, (_, i) => i);
  const firstEmpty = (from: number): number => {
    let place = from;
    while (next[place] !== place) place = next[place] as number;
    for (let at = from; at !== place; ) {
      const after = next[at] as number;
      next[at] = place;
      at = after;
    }
    return place;
  };
  for (const mapping of mappings) {
    const end = lastAtOrBelow(bounds, mapping.end);
    for (let i = firstEmpty(lastAtOrBelow(bounds, mapping.start)); i < end; i = firstEmpty(i)) {
      latest[i] = mapping;
      next[i] = i + 1;
    }
  }
  return latest;
}
