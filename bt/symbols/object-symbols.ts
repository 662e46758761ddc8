import { createHash } from 'node:crypto';
import { sum } from '../../metrics/sums.ts';
import { isVdso32, objectKey, VDSO } from '../../metrics/symbols.ts';
import type { SourceLine } from '../../parsers/addr2line.ts';
import { readElf } from '../../parsers/elf.ts';
import { readFunctions } from '../../parsers/elf-symbols.ts';
import type { ByteSource, ElfFile } from '../../parsers/elf-types.ts';
import { readGoFunctions } from '../../parsers/gopclntab.ts';
import { isMemory, type Mapping } from '../../parsers/proc.ts';
import type { SymbolTable } from '../../parsers/symbol-table.ts';
import { debugFunctions, findDebugFile, packedFunctions } from './debug-files.ts';
import { identityOf, type ObjectFiles } from './object-files.ts';
import type { SymbolCache } from './symbol-cache.ts';
import { vdsoSource } from './vdso.ts';

/** Maximum memory of symbol tables. Beyond it, the least recently used ones are dropped, and read again when needed. */
const MOST_BYTES = 128 * 2 ** 20;

/** The functions of one object: a program, a library, or the vDSO. */
export interface ObjectSymbols {
  readonly source: ByteSource;
  readonly elf: ElfFile;
  readonly tables: readonly SymbolTable[];
  /** Lines that were already looked up, by address in the file. */
  readonly lines: Map<number, readonly SourceLine[]>;
}

/** The mapped objects. Each one is read when it is first needed. */
export interface Objects {
  readonly of: (mapping: Mapping) => Promise<ObjectSymbols | undefined>;
  /** Frees memory; call it after each object. */
  readonly prune: () => void;
  /** A sentence for each thing that could not be read. */
  readonly problems: () => readonly string[];
}

/** An object that is being read or was read. */
interface HeldObject {
  readonly object: Promise<ObjectSymbols | undefined>;
  /** Memory of its tables, once they are read. */
  bytes: number;
}

/**
 * Reads symbol tables: of the files that are mapped, of separate debug files of the same build ID, the packed one that
 * Fedora puts into its programs, and Go's own; or takes them from the cache.
 */
export function newObjects(files: ObjectFiles, cache: SymbolCache | undefined): Objects {
  /** The most recently used one comes last. */
  const objects = new Map<string, HeldObject>();
  /** Paths of files that could not be opened, by file: they may still be reachable through another process. */
  const gone = new Map<string, string>();
  const problems = new Set<string>();
  const load = async (source: ByteSource, { file, path }: Mapping): Promise<ObjectSymbols | undefined> => {
    const object = await readObject(source, path, cache, files.identity(file));
    for (const problem of problemsOf(object, path)) problems.add(problem);
    return 'problem' in object ? undefined : object;
  };
  const hold = (key: string, held: HeldObject) => {
    objects.delete(key);
    objects.set(key, held);
    return held.object;
  };
  const of = async (mapping: Mapping): Promise<ObjectSymbols | undefined> => {
    const { file, path } = mapping;
    const key = objectKey(mapping);
    const known = objects.get(key);
    if (known) return hold(key, known);
    const source = sourceOf(mapping, files);
    if (!source) {
      if (path.startsWith('/') && !isMemory(path)) gone.set(file, path);
      return undefined;
    }
    gone.delete(file);
    const held: HeldObject = { object: load(source, mapping), bytes: 0 };
    const object = await hold(key, held);
    held.bytes = sum((object?.tables ?? []).map((table) => table.bytes));
    return object;
  };
  const prune = () => {
    let bytes = sum([...objects.values()].map((held) => held.bytes));
    for (const [key, held] of objects) {
      if (bytes <= MOST_BYTES || objects.size === 1) return;
      objects.delete(key);
      bytes -= held.bytes;
    }
  };
  const lost = () =>
    [...gone].map(([file, path]) =>
      files.isDenied(file)
        ? `${path} may not be read, not even by root: permission denied, as on a FUSE of another user`
        : files.isOverwritten(file)
          ? `${path} was overwritten after it was mapped: code of before has no names`
          : `${path} was gone before it could be read`,
    );
  return { of, prune, problems: () => [...problems, ...lost()] };
}

/** Our own vDSO is that of all 64-bit processes. */
function sourceOf(mapping: Mapping, files: ObjectFiles): ByteSource | undefined {
  if (mapping.path !== VDSO) return files.source(mapping.file);
  return isVdso32(mapping) ? undefined : vdsoSource();
}

/** Memory with a name may hold a program (memfd_create(2)), or anything else. */
function problemsOf(object: ObjectSymbols | { problem: string }, path: string): string[] {
  if ('problem' in object)
    return path.startsWith('/') && !isMemory(path) ? [`${path} could not be read: ${object.problem}`] : [];
  const problems = [...object.elf.problems, ...object.tables.flatMap((table) => table.problems)];
  return problems.map((problem) => `some functions of ${path} have no name: ${problem}`);
}

async function readObject(
  source: ByteSource,
  path: string,
  cache: SymbolCache | undefined,
  identity: string | undefined,
): Promise<ObjectSymbols | { problem: string }> {
  const elf = readElf(source);
  if ('problem' in elf) return elf;
  const debugFile = findDebugFile(elf, path);
  const key = cache && identity && cacheKey(elf, identity, debugFile);
  const cached = key && cache.get(key);
  const tables = cached || (await readTables(source, elf, debugFile));
  if (key && !cached) cache.put(key, tables);
  return { source, elf, tables, lines: new Map() };
}

/**
 * Build IDs are easily forged, and a stripped file has the same as the original. So the key also identifies the files
 * from which functions were read.
 */
function cacheKey({ buildId }: ElfFile, identity: string, debugFile: string | undefined): string | undefined {
  const other = debugFile === undefined ? '' : identityOf(debugFile);
  if (!buildId || other === undefined) return undefined;
  const files = createHash('sha256').update(`${identity} ${other}`).digest('hex');
  return `${buildId}-${files.slice(0, 32)}`;
}

async function readTables(
  source: ByteSource,
  elf: ElfFile,
  debugFile: string | undefined,
): Promise<readonly SymbolTable[]> {
  const own = readFunctions(source, elf);
  // A .symtab may be what `objcopy --keep-symbol` left: a debug file has the rest.
  if (elf.section('.symtab')) return debugFile === undefined ? [own] : [debugFunctions(debugFile), own];
  const more = debugFile === undefined ? await packedFunctions(source, elf) : debugFunctions(debugFile);
  return [...(more ? [more] : []), own, readGoFunctions(source, elf)];
}
