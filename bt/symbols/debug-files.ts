import { basename, dirname } from 'node:path';
import * as zlib from 'node:zlib';
import { readElf } from '../../parsers/elf.ts';
import { readFunctions } from '../../parsers/elf-symbols.ts';
import type { ByteSource, ElfFile } from '../../parsers/elf-types.ts';
import { inOrder, type SymbolTable } from '../../parsers/symbol-table.ts';
import { tryRead } from '../driver/procfs.ts';
import { readRegular } from './plain-files.ts';
import { runTool } from './tools.ts';

/**
 * Finds the separate debug file of the same build in the places where GDB looks: by build ID, or by the name in
 * `.gnu_debuglink`. A file without a build ID must have the checksum there.
 */
export function findDebugFile({ buildId, debugLink }: ElfFile, path: string): string | undefined {
  const dir = dirname(path);
  const link = debugLink && basename(debugLink.name);
  const places = [
    ...(buildId ? [`/usr/lib/debug/.build-id/${buildId.slice(0, 2)}/${buildId.slice(2)}.debug`] : []),
    ...(link ? [`${dir}/${link}`, `${dir}/.debug/${link}`, `/usr/lib/debug${dir}/${link}`] : []),
  ];
  const isSameBuild = (source: ByteSource, elf: ElfFile) =>
    buildId ? elf.buildId === buildId : tryRead(() => crc32Of(source)) === debugLink?.crc;
  return places.filter((place) => place !== path).find((place) => readFileOf(place, isSameBuild));
}

/** Larger files have no checksum: they would take seconds to read. */
const LARGEST_CHECKED = 2 ** 28;
const BLOCK = 2 ** 20;

/** The checksum of a file; undefined before Node 20.15, which cannot calculate it. */
function crc32Of({ size, read }: ByteSource): number | undefined {
  const { crc32 } = zlib as { crc32?: typeof zlib.crc32 };
  if (!crc32 || size > LARGEST_CHECKED) return undefined;
  let crc = 0;
  for (let at = 0; at < size; at += BLOCK) crc = crc32(read(at, Math.min(BLOCK, size - at)), crc);
  return crc;
}

/** The functions of a file with debug information. */
export function debugFunctions(path: string): SymbolTable {
  return readFileOf(path, readFunctions) ?? unread(`${path} could not be read`);
}

/** An empty table with a reason. */
function unread(problem: string): SymbolTable {
  return { ...inOrder([]), problems: [problem] };
}

function readFileOf<T>(path: string, read: (source: ByteSource, elf: ElfFile) => T): T | undefined {
  return readRegular(path, (source) => {
    const elf = readElf(source);
    return 'problem' in elf ? undefined : read(source, elf);
  });
}

/** Maximum size of a .gnu_debugdata section. */
const LARGEST_PACKED = 64 * 2 ** 20;

/** Reads `.gnu_debugdata`, which Fedora adds: a complete ELF file with the missing symbols, packed by xz. */
export async function packedFunctions(source: ByteSource, elf: ElfFile): Promise<SymbolTable | undefined> {
  const section = elf.section('.gnu_debugdata');
  if (!section) return undefined;
  const small = section.size <= LARGEST_PACKED;
  const packed = small ? tryRead(() => source.read(section.offset, section.size)) : undefined;
  const unpacked = packed && (await runTool(['xz', '-dc'], { input: packed }));
  if (!unpacked) return unread('xz could not unpack its .gnu_debugdata');
  const inner = bufferSource(unpacked);
  const innerElf = readElf(inner);
  return 'problem' in innerElf
    ? unread(`.gnu_debugdata: ${innerElf.problem}`)
    : readFunctions(inner, innerElf);
}

function bufferSource(bytes: Buffer): ByteSource {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}
