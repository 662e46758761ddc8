import type { ByteSource, ElfProblem, ElfSection } from './elf-types.ts';

/** Reads little-endian numbers at offsets. A `word` has 64 or 32 bits; past 2^53 it is the nearest double. */
export interface Fields {
  readonly bytes: Buffer;
  readonly u16: (at: number) => number;
  readonly u32: (at: number) => number;
  readonly word: (at: number) => number;
}

type SectionRange = Pick<ElfSection, 'type' | 'flags' | 'offset' | 'size'>;

const SHT_NOBITS = 8;
const SHF_COMPRESSED = 0x800;

/** Reads exactly this range. An error that the source throws becomes a problem. */
export function bytesAt(source: ByteSource, offset: number, length: number): Buffer | ElfProblem {
  const end = offset + length;
  if (!(offset >= 0 && length >= 0 && end <= source.size))
    return { problem: `bytes ${offset} to ${end} are not in its ${source.size} bytes` };
  try {
    const bytes = source.read(offset, length);
    if (bytes.length >= length) return bytes.subarray(0, length);
    return { problem: `it ends at ${offset + bytes.length} and not at ${source.size}` };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/** Reads a section, but at most `most` bytes: compare the length with its size. */
export function sectionBytes(source: ByteSource, section: SectionRange, most: number): Buffer | ElfProblem {
  if (section.type === SHT_NOBITS) return { problem: 'its content is in another file' };
  if ((section.flags & SHF_COMPRESSED) !== 0) return { problem: 'it is compressed' };
  if (section.offset + section.size > source.size)
    return { problem: `it reaches to ${section.offset + section.size}, the file to ${source.size}` };
  return bytesAt(source, section.offset, Math.min(section.size, most));
}

/**
 * The functions throw a RangeError for a number outside the bytes.
 *
 * @param wide whether a word has 64 bits
 */
export function fieldsOf(bytes: Buffer, wide: boolean): Fields {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const u32 = (at: number) => view.getUint32(at, true);
  const u64 = (at: number) => u32(at + 4) * 2 ** 32 + u32(at);
  return { bytes, u32, u16: (at) => view.getUint16(at, true), word: wide ? u64 : u32 };
}

/** Longer names of functions are cut to so many bytes. */
export const LONGEST_NAME = 4096;

/** Reads a text from a string table: up to its NUL, the end of the table, or `most` bytes. */
export function textAt(strings: Buffer, at: number, most: number): string {
  const bytes = strings.subarray(at, at + most);
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

/** Whether the name at an offset is longer than {@link LONGEST_NAME}. */
export function isNameCut(strings: Buffer, at: number): boolean {
  // Most names are short, and a loop over their bytes is faster than a view of the table.
  for (let length = 0; length < 256; length++) if (!strings[at + length]) return false;
  const name = strings.subarray(at, at + LONGEST_NAME + 1);
  return name.length > LONGEST_NAME && !name.includes(0);
}
