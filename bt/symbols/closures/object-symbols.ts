import { createHash } from 'node:crypto';
import { objectKey, VDSO } from '../../../metrics/symbols.ts';
import { type ByteSource, type ElfFile, readElf } from '../../../parsers/elf.ts';
import { readFunctions } from '../../../parsers/elf-symbols.ts';
import { readGoFunctions } from '../../../parsers/gopclntab.ts';
import { isMemory, type Mapping } from '../../../parsers/proc.ts';
import type { SymbolTable } from '../../../parsers/symbol-table.ts';
import { identityOf, type ObjectFiles } from '../object-files.ts';
import type { SymbolCache } from '../symbol-cache.ts';
import { vdsoSource } from '../vdso.ts';
import { debugFunctions, findDebugFile, packedFunctions } from './debug-files.ts';

/** What is known of one object's functions. */
export interface ObjectSymbols {
  readonly source: ByteSource;
  readonly elf: ElfFile;
  readonly tables: readonly SymbolTable[];
}

/** The objects that are mapped, each read when it is asked for first. */
export interface Objects {
  readonly of: (mapping: Mapping) => ObjectSymbols | undefined;
  /** What could not be read: a sentence each. */
  readonly problems: () => readonly string[];
}

/**
 * Reads symbol tables: of the files that are mapped, of separate debug files of the same build ID, the packed one that
 * Fedora puts into its programs, and Go's own; or takes them from the cache.
 */
export function newObjects(files: ObjectFiles, cache: SymbolCache | undefined): Objects {
  const objects = new Map<string, ObjectSymbols | undefined>();
  /** Paths by file: they may be found later. */
  const gone = new Map<string, string>();
  const problems = new Set<string>();
  const load = (source: ByteSource, { file, path }: Mapping): ObjectSymbols | undefined => {
    const object = readObject(source, path, cache, files.identity(file));
    for (const problem of problemsOf(object, path)) problems.add(problem);
    return 'problem' in object ? undefined : object;
  };
  const of = (mapping: Mapping): ObjectSymbols | undefined => {
    const { file, path } = mapping;
    const key = objectKey(mapping);
    if (objects.has(key)) return objects.get(key);
    const source = path === VDSO ? vdsoSource() : files.source(file);
    if (source) {
      gone.delete(file);
      objects.set(key, load(source, mapping));
    } else if (path.startsWith('/') && !isMemory(path)) {
      gone.set(file, path);
    }
    return objects.get(key);
  };
  const lost = () => [...gone.values()].map((path) => `${path} was gone before it could be read`);
  return { of, problems: () => [...problems, ...lost()] };
}

function problemsOf(object: ObjectSymbols | { problem: string }, path: string): string[] {
  if ('problem' in object)
    return path.startsWith('/') ? [`${path} could not be read: ${object.problem}`] : [];
  const problems = [...object.elf.problems, ...object.tables.flatMap((table) => table.problems)];
  return problems.map((problem) => `some functions of ${path} have no name: ${problem}`);
}

function readObject(
  source: ByteSource,
  path: string,
  cache: SymbolCache | undefined,
  identity: string | undefined,
): ObjectSymbols | { problem: string } {
  const elf = readElf(source);
  if ('problem' in elf) return elf;
  const debugFile = elf.section('.symtab') ? undefined : findDebugFile(elf, path);
  const key = cache && identity && cacheKey(elf, identity, debugFile);
  const kept = key && cache.get(key);
  const tables = kept || readTables(source, elf, debugFile);
  if (key && !kept) cache.put(key, tables);
  return { source, elf, tables };
}

/**
 * A build ID is easily forged, and a stripped file has that of the whole one: so the key has the very files, too, that
 * functions were read from.
 */
function cacheKey({ buildId }: ElfFile, identity: string, debugFile: string | undefined): string | undefined {
  const other = debugFile === undefined ? '' : identityOf(debugFile);
  if (!buildId || other === undefined) return undefined;
  const files = createHash('sha256').update(`${identity} ${other}`).digest('hex');
  return `${buildId}-${files.slice(0, 32)}`;
}

function readTables(source: ByteSource, elf: ElfFile, debugFile: string | undefined): readonly SymbolTable[] {
  const own = readFunctions(source, elf);
  if (elf.section('.symtab')) return [own];
  const more = debugFile === undefined ? packedFunctions(source, elf) : debugFunctions(debugFile);
  return [...(more ? [more] : []), own, readGoFunctions(source, elf)];
}
