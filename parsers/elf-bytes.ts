import type { ByteSource, ElfFormat, ElfProblem, ElfSection } from './elf.ts';

/** Numbers at offsets of some bytes. `word` has 64 or 32 bits; past 2^53 it is the nearest double. */
export interface Fields {
  readonly bytes: Buffer;
  readonly u16: (at: number) => number;
  readonly u32: (at: number) => number;
  readonly word: (at: number) => number;
}

type SectionRange = Pick<ElfSection, 'type' | 'flags' | 'offset' | 'size'>;

const SHT_NOBITS = 8;
const SHF_COMPRESSED = 0x800;

/** Reads a range, all of it. What the source throws is a problem too. */
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

/** The first bytes of a section, at most so many: compare with its size. */
export function sectionBytes(source: ByteSource, section: SectionRange, most: number): Buffer | ElfProblem {
  if (section.type === SHT_NOBITS) return { problem: 'its content is in another file' };
  if ((section.flags & SHF_COMPRESSED) !== 0) return { problem: 'it is compressed' };
  if (section.offset + section.size > source.size)
    return { problem: `it reaches to ${section.offset + section.size}, the file to ${source.size}` };
  return bytesAt(source, section.offset, Math.min(section.size, most));
}

/** @throws RangeError from its functions, for a number that is not within the bytes */
export function fieldsOf(bytes: Buffer, { wide, little }: ElfFormat): Fields {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const u32 = (at: number) => view.getUint32(at, little);
  const [low, high] = little ? [0, 4] : [4, 0];
  const u64 = (at: number) => u32(at + high) * 2 ** 32 + u32(at + low);
  return { bytes, u32, u16: (at) => view.getUint16(at, little), word: wide ? u64 : u32 };
}

/** Bytes of a function's name; the rest is cut off. */
export const LONGEST_NAME = 4096;

/** The text at an offset of a string table: up to its NUL, the end of the table, or `most` bytes. */
export function textAt(strings: Buffer, at: number, most: number): string {
  const bytes = strings.subarray(at, at + most);
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

/** Whether the name at an offset is longer than {@link LONGEST_NAME}. */
export function isNameCut(strings: Buffer, at: number): boolean {
  // Most names are short: they are done with before a view of the table is made.
  for (let length = 0; length < 256; length++) if (!strings[at + length]) return false;
  const name = strings.subarray(at, at + LONGEST_NAME + 1);
  return name.length > LONGEST_NAME && !name.includes(0);
}
