import { fieldsOf, sectionBytes } from './elf-bytes.ts';
import type { ByteSource, ElfFile } from './elf-types.ts';

const LARGEST_INDEX = 2 ** 26;
/**
 * Version 1; a pointer of 4 bytes relative to its place (0x1b), a count of 4 bytes (0x03), and a table of 4-byte offsets from
 * the section (0x3b). Linkers write no other form.
 */
const HEAD = [1, 0x1b, 0x03, 0x3b];
const ROWS = 12;

/**
 * Reads where the functions with unwind information begin, from the sorted index in `.eh_frame_hdr` (LSB, "DWARF
 * Extensions"). Stripping does not remove it.
 *
 * @returns addresses, in order; undefined if the file has no index that can be read
 */
export function readUnwindStarts(source: ByteSource, elf: ElfFile): Float64Array | undefined {
  const section = elf.section('.eh_frame_hdr');
  const bytes = section && sectionBytes(source, section, LARGEST_INDEX);
  if (!bytes || 'problem' in bytes || HEAD.some((byte, i) => bytes[i] !== byte)) return undefined;
  if (bytes.length < ROWS) return undefined;
  const { u32 } = fieldsOf(bytes, elf.wide);
  const count = Math.min(u32(8), Math.floor((bytes.length - ROWS) / 8));
  return Float64Array.from({ length: count }, (_, i) => section.addr + (u32(ROWS + 8 * i) | 0)).sort();
}
