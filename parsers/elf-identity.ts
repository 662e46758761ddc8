import { textAt } from './elf-bytes.ts';
import type { DebugLink } from './elf-types.ts';

const NT_GNU_BUILD_ID = 3;
/** SHA-1 has 20 bytes; `--build-id=0x…` may have more. */
const LONGEST_BUILD_ID = 64;
const LONGEST_FILE_NAME = 255;

/**
 * Finds the build ID in notes (elf(5), "Notes"). A note is the size of its name, the size of its content, its type, the
 * padded name and the padded content.
 *
 * ```
 * 04000000 14000000 03000000 "GNU\0" 89ab…
 * ```
 *
 * @param alignment of the section or segment: 8, and anything else means 4
 * @returns hexadecimal digits
 */
export function buildIdIn(notes: Buffer, alignment: number): string | undefined {
  const unit = alignment === 8 ? 8 : 4;
  for (let at = 0; at + 12 <= notes.length; ) {
    const [nameSize, size] = [notes.readUInt32LE(at), notes.readUInt32LE(at + 4)];
    const content = padded(at + 12 + nameSize, unit);
    const end = content + size;
    if (end > notes.length) return undefined;
    if (
      notes.readUInt32LE(at + 8) === NT_GNU_BUILD_ID &&
      nameSize === 4 &&
      textAt(notes, at + 12, 4) === 'GNU'
    )
      return size > 0 && size <= LONGEST_BUILD_ID ? notes.toString('hex', content, end) : undefined;
    at = padded(end, unit);
  }
  return undefined;
}

/**
 * Reads .gnu_debuglink: a name with its NUL, padded to 4 bytes, and a CRC-32. A name with a directory in it is ignored,
 * because it could lead anywhere.
 */
export function debugLinkIn(link: Buffer): DebugLink | undefined {
  const end = link.indexOf(0);
  const crcAt = padded(end + 1, 4);
  if (end < 1 || end > LONGEST_FILE_NAME || crcAt + 4 > link.length) return undefined;
  const name = link.toString('utf8', 0, end);
  if (name.includes('/') || name === '.' || name === '..') return undefined;
  return { name, crc: link.readUInt32LE(crcAt) };
}

function padded(offset: number, unit: number): number {
  return Math.ceil(offset / unit) * unit;
}
