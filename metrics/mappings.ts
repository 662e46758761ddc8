import { type Mapping, parseMaps } from '../parsers/proc.ts';

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
