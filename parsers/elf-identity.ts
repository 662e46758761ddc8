import type { ElfFormat } from './elf.ts';
import { fieldsOf, textAt } from './elf-bytes.ts';

/** The file that has the symbols of a stripped one. */
export interface DebugLink {
  /** A file name without a folder. */
  readonly name: string;
  /** CRC-32 of the whole file of that name. */
  readonly crc: number;
}

const NT_GNU_BUILD_ID = 3;
/** SHA-1 has 20 bytes; `--build-id=0x…` may have more. */
const LONGEST_BUILD_ID = 64;
const LONGEST_FILE_NAME = 255;

/**
 * The build ID among notes (elf(5), "Notes"): size of the name, size of the content, type, name, content; the last
 * two are padded.
 *
 * ```
 * 04000000 14000000 03000000 "GNU\0" 89ab…
 * ```
 *
 * @param alignment of the section or segment; only 8 is not 4
 * @returns hexadecimal digits
 */
export function buildIdIn(notes: Buffer, format: ElfFormat, alignment: number): string | undefined {
  const { u32 } = fieldsOf(notes, format);
  const unit = alignment === 8 ? 8 : 4;
  for (let at = 0; at + 12 <= notes.length; ) {
    const [nameSize, size] = [u32(at), u32(at + 4)];
    const content = padded(at + 12 + nameSize, unit);
    const end = content + size;
    if (end > notes.length) return undefined;
    if (u32(at + 8) === NT_GNU_BUILD_ID && nameSize === 4 && textAt(notes, at + 12, 4) === 'GNU')
      return size > 0 && size <= LONGEST_BUILD_ID ? notes.toString('hex', content, end) : undefined;
    at = padded(end, unit);
  }
  return undefined;
}

/**
 * The content of .gnu_debuglink: a name with its NUL, padded to 4 bytes, and a CRC-32. A name with a folder in it is
 * none, for it could lead anywhere.
 */
export function debugLinkIn(link: Buffer, format: ElfFormat): DebugLink | undefined {
  const end = link.indexOf(0);
  const crcAt = padded(end + 1, 4);
  if (end < 1 || end > LONGEST_FILE_NAME || crcAt + 4 > link.length) return undefined;
  const name = link.toString('utf8', 0, end);
  if (name.includes('/') || name === '.' || name === '..') return undefined;
  return { name, crc: fieldsOf(link, format).u32(crcAt) };
}

function padded(offset: number, unit: number): number {
  return Math.ceil(offset / unit) * unit;
}
