import { openSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { execaSync } from 'execa';
import type { Symbols, UserPlace } from '../../metrics/symbols.ts';
import { type ByteSource, type ElfFile, fileOffsetToVaddr, readElf } from '../../parsers/elf.ts';
import { readFunctions } from '../../parsers/elf-symbols.ts';
import type { Mapping } from '../../parsers/proc.ts';
import type { SymbolTable } from '../../parsers/symbol-table.ts';
import { type ObjectFiles, sourceOf } from './object-files.ts';
import { tryRead } from './procfs.ts';

/** What is known of one object's functions. */
interface ObjectSymbols {
  readonly elf: ElfFile;
  /** Asked in turn. */
  readonly tables: readonly SymbolTable[];
}

/** A larger one is no .gnu_debugdata. */
const LARGEST_PACKED = 64 * 2 ** 20;
const LARGEST_UNPACKED = 256 * 2 ** 20;
const XZ_MS = 10_000;

/**
 * Names functions of user code from the symbol tables of the files that are mapped: their own, those of separate debug
 * files (by build ID, then by .gnu_debuglink), and the packed one that Fedora puts into its programs. Each object is
 * read once, when the first address in it is asked for.
 */
export function newUserSymbols(files: ObjectFiles): Symbols['user'] {
  const objects = new Map<string, ObjectSymbols | undefined>();
  const load = (key: string, { file, path }: Mapping): void => {
    const source = path === '[vdso]' ? vdsoSource() : files.source(file);
    if (source) objects.set(key, readObject(source, path));
  };
  return (mapping, fileOffset) => {
    const key = mapping.path === '[vdso]' ? mapping.path : mapping.file;
    if (!objects.has(key)) load(key, mapping);
    const object = objects.get(key);
    const vaddr = object && fileOffsetToVaddr(object.elf, fileOffset);
    return vaddr === undefined ? undefined : placeAt(object?.tables ?? [], vaddr);
  };
}

function placeAt(tables: readonly SymbolTable[], vaddr: number): UserPlace | undefined {
  for (const table of tables) {
    const found = table.find(vaddr);
    if (found) return { symbol: found.name, offset: vaddr - found.start };
  }
  return undefined;
}

function readObject(source: ByteSource, path: string): ObjectSymbols | undefined {
  const elf = readElf(source);
  if ('problem' in elf) return undefined;
  const own = readFunctions(source, elf);
  if (elf.section('.symtab')) return { elf, tables: [own] };
  const more = debugSource(elf, path) ?? packedSource(source, elf);
  const moreElf = more && readElf(more);
  if (!more || !moreElf || 'problem' in moreElf) return { elf, tables: [own] };
  return { elf, tables: [readFunctions(more, moreElf), own] };
}

/** A debug file has to be of this very build, when both say which they are. */
function debugSource(elf: ElfFile, path: string): ByteSource | undefined {
  const { buildId, debugLink } = elf;
  const byBuild = buildId
    ? [`/usr/lib/debug/.build-id/${buildId.slice(0, 2)}/${buildId.slice(2)}.debug`]
    : [];
  const dir = dirname(path);
  const link = debugLink && basename(debugLink.name);
  const byLink = link ? [`${dir}/${link}`, `${dir}/.debug/${link}`, `/usr/lib/debug${dir}/${link}`] : [];
  for (const place of [...byBuild, ...byLink.filter((place) => place !== path)]) {
    const source = sourceOf(tryRead(() => openSync(place, 'r')));
    const found = source && readElf(source);
    if (found && !('problem' in found) && (!buildId || found.buildId === buildId)) return source;
  }
  return undefined;
}

/** .gnu_debugdata: a whole ELF file with the missing symbols, packed by xz. */
function packedSource(source: ByteSource, elf: ElfFile): ByteSource | undefined {
  const section = elf.section('.gnu_debugdata');
  if (!section || section.size > LARGEST_PACKED) return undefined;
  const packed = tryRead(() => source.read(section.offset, section.size));
  if (!packed) return undefined;
  const limits = { maxBuffer: LARGEST_UNPACKED, timeout: XZ_MS };
  const done = execaSync('xz', ['-dc'], { input: packed, encoding: 'buffer', reject: false, ...limits });
  return done.failed ? undefined : bufferSource(Buffer.from(done.stdout));
}

/** The same for every process: the kernel has put it into ours, too. */
function vdsoSource(): ByteSource | undefined {
  const row = /^([0-9a-f]+)-([0-9a-f]+) .*\[vdso\]$/m.exec(
    tryRead(() => readFileSync('/proc/self/maps', 'utf8')) ?? '',
  );
  if (!row) return undefined;
  const [start, end] = [row[1], row[2]].map((hex) => Number.parseInt(hex as string, 16)) as [number, number];
  const memory = sourceOf(tryRead(() => openSync('/proc/self/mem', 'r')));
  return memory && { size: end - start, read: (offset, length) => memory.read(start + offset, length) };
}

function bufferSource(bytes: Buffer): ByteSource {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}
