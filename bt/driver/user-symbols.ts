import { closeSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { execaSync } from 'execa';
import type { Symbols, UserPlace } from '../../metrics/symbols.ts';
import { type ByteSource, type ElfFile, fileOffsetToVaddr, readElf } from '../../parsers/elf.ts';
import { readFunctions } from '../../parsers/elf-symbols.ts';
import { readGoFunctions } from '../../parsers/gopclntab.ts';
import type { Mapping } from '../../parsers/proc.ts';
import type { SymbolTable } from '../../parsers/symbol-table.ts';
import { type ObjectFiles, openRegular, sourceOf } from './object-files.ts';
import { tryRead } from './procfs.ts';
import { VDSO, vdsoSource } from './vdso.ts';

/** What is known of one object's functions. */
interface ObjectSymbols {
  readonly elf: ElfFile;
  readonly tables: readonly SymbolTable[];
}

/** A larger one is no .gnu_debugdata. */
const LARGEST_PACKED = 64 * 2 ** 20;
const LARGEST_UNPACKED = 256 * 2 ** 20;
const XZ_MS = 10_000;

/**
 * Names functions of user code from the symbol tables of the files that are mapped: their own, those of separate debug
 * files of the same build ID, the packed one that Fedora puts into its programs, and Go's own. Each object is read once,
 * when the first address in it is asked for.
 */
export function newUserSymbols(files: ObjectFiles): Symbols['user'] {
  const objects = new Map<string, ObjectSymbols | undefined>();
  const load = (key: string, { file, path }: Mapping): void => {
    const source = path === VDSO ? vdsoSource() : files.source(file);
    if (source) objects.set(key, readObject(source, path));
  };
  return (mapping, fileOffset) => {
    const key = mapping.path === VDSO ? mapping.path : mapping.file;
    if (!objects.has(key)) load(key, mapping);
    const object = objects.get(key);
    const vaddr = object && fileOffsetToVaddr(object.elf, fileOffset);
    return vaddr === undefined ? undefined : placeAt(object?.tables ?? [], vaddr);
  };
}

/** Ranges of two tables may overlap: a function that is only in one, and one of unknown size before it in the other. */
function placeAt(tables: readonly SymbolTable[], vaddr: number): UserPlace | undefined {
  const found = tables.flatMap((table) => table.find(vaddr) ?? []);
  const nearest = found.reduce<(typeof found)[0] | undefined>(
    (a, b) => (a && a.start >= b.start ? a : b),
    undefined,
  );
  return nearest && { symbol: nearest.name, offset: vaddr - nearest.start };
}

function readObject(source: ByteSource, path: string): ObjectSymbols | undefined {
  const elf = readElf(source);
  if ('problem' in elf) return undefined;
  const own = readFunctions(source, elf);
  if (elf.section('.symtab')) return { elf, tables: [own] };
  const more = debugFunctions(elf, path) ?? packedFunctions(source, elf);
  return { elf, tables: [...(more ? [more] : []), own, readGoFunctions(source, elf)] };
}

/** Those of a file with debug information, which has to be of this very build. */
function debugFunctions({ buildId, debugLink }: ElfFile, path: string): SymbolTable | undefined {
  if (!buildId) return undefined;
  const dir = dirname(path);
  const link = debugLink && basename(debugLink.name);
  const places = [
    `/usr/lib/debug/.build-id/${buildId.slice(0, 2)}/${buildId.slice(2)}.debug`,
    ...(link ? [`${dir}/${link}`, `${dir}/.debug/${link}`, `/usr/lib/debug${dir}/${link}`] : []),
  ];
  for (const place of places.filter((place) => place !== path)) {
    const functions = functionsOfBuild(place, buildId);
    if (functions) return functions;
  }
  return undefined;
}

function functionsOfBuild(path: string, buildId: string): SymbolTable | undefined {
  const descriptor = openRegular(path);
  if (descriptor === undefined) return undefined;
  try {
    const source = sourceOf(descriptor) as ByteSource;
    const elf = readElf(source);
    return 'problem' in elf || elf.buildId !== buildId ? undefined : readFunctions(source, elf);
  } finally {
    closeSync(descriptor);
  }
}

/** .gnu_debugdata: a whole ELF file with the missing symbols, packed by xz. */
function packedFunctions(source: ByteSource, elf: ElfFile): SymbolTable | undefined {
  const section = elf.section('.gnu_debugdata');
  if (!section || section.size > LARGEST_PACKED) return undefined;
  const packed = tryRead(() => source.read(section.offset, section.size));
  if (!packed) return undefined;
  const limits = { maxBuffer: LARGEST_UNPACKED, timeout: XZ_MS };
  const done = execaSync('xz', ['-dc'], { input: packed, encoding: 'buffer', reject: false, ...limits });
  if (done.failed) return undefined;
  const unpacked = bufferSource(Buffer.from(done.stdout));
  const inner = readElf(unpacked);
  return 'problem' in inner ? undefined : readFunctions(unpacked, inner);
}

function bufferSource(bytes: Buffer): ByteSource {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}
