import { createHash } from 'node:crypto';
import type { FilePlace, SourceLine, Symbols } from '../../metrics/symbols.ts';
import { type ByteSource, type ElfFile, EM_X86_64, fileOffsetToVaddr, readElf } from '../../parsers/elf.ts';
import { readFunctions } from '../../parsers/elf-symbols.ts';
import { readGoFunctions } from '../../parsers/gopclntab.ts';
import { isMemory, type Mapping } from '../../parsers/proc.ts';
import type { FoundFunction, SymbolTable } from '../../parsers/symbol-table.ts';
import { debugFunctions, findDebugFile, packedFunctions } from './debug-files.ts';
import { isTrusted, type ObjectFiles } from './object-files.ts';
import { tryRead } from './procfs.ts';
import { type LineSource, readSourceLines } from './source-lines.ts';
import type { SymbolCache } from './symbol-cache.ts';
import { VDSO, vdsoSource } from './vdso.ts';

/** What is known of one object's functions. */
interface ObjectSymbols {
  readonly source: ByteSource;
  readonly elf: ElfFile;
  readonly tables: readonly SymbolTable[];
}

export interface UserSymbols {
  readonly user: Symbols['user'];
  readonly frameless: Symbols['frameless'];
  readonly lines: NonNullable<Symbols['lines']>;
  readonly problems: Symbols['problems'];
}

/**
 * Names functions of user code from the symbol tables of the files that are mapped: their own, those of separate debug
 * files of the same build ID, the packed one that Fedora puts into its programs, and Go's own. Each object is read once,
 * when the first address in it is asked for, or taken from the cache.
 */
export function newUserSymbols(files: ObjectFiles, cache?: SymbolCache): UserSymbols {
  const objects = new Map<string, ObjectSymbols | undefined>();
  /** Paths by file. */
  const gone = new Map<string, string>();
  const problems = new Set<string>();
  const load = (source: ByteSource, { file, path }: Mapping): ObjectSymbols | undefined => {
    // A build ID is easily forged: what others may have written must not name functions of anything else.
    const object = readObject(source, path, path !== VDSO && files.isTrusted(file) ? cache : undefined);
    if ('problem' in object) {
      if (path.startsWith('/')) problems.add(`${path} could not be read: ${object.problem}`);
      return undefined;
    }
    for (const problem of [...object.elf.problems, ...object.tables.flatMap((table) => table.problems)])
      problems.add(`some functions of ${path} have no name: ${problem}`);
    return object;
  };
  const objectOf = (mapping: Mapping): ObjectSymbols | undefined => {
    const { file, path } = mapping;
    const key = keyOf(mapping);
    if (objects.has(key)) return objects.get(key);
    const source = path === VDSO ? vdsoSource() : files.source(file);
    if (source) {
      gone.delete(file);
      objects.set(key, load(source, mapping));
    } else if (path.startsWith('/') && !isMemory(path)) {
      gone.set(file, path); // it may be found later
    }
    return objects.get(key);
  };
  const askTool = (mapping: Mapping, addresses: readonly number[]): SourceLine[][] => {
    const source = lineSource(objectOf(mapping), mapping, files);
    if (!source) return [];
    const lines = readSourceLines(source, addresses);
    if (!lines)
      problems.add(
        `the lines of ${mapping.path} could not be read by llvm-symbolizer or addr2line, which run as nobody`,
      );
    return lines ?? [];
  };
  const functionAt = (mapping: Mapping, fileOffset: number) => {
    const object = objectOf(mapping);
    const vaddr = object && fileOffsetToVaddr(object.elf, fileOffset);
    const found = vaddr === undefined ? undefined : nearest(object?.tables ?? [], vaddr);
    return found && { object: object as ObjectSymbols, found, offset: (vaddr as number) - found.start };
  };
  return {
    user: (mapping, fileOffset) => {
      const place = functionAt(mapping, fileOffset);
      return place && { symbol: place.found.name, offset: place.offset };
    },
    frameless: (mapping, fileOffset) => {
      const place = functionAt(mapping, fileOffset);
      if (place?.object.elf.machine !== EM_X86_64) return false;
      const length = Math.min(PROLOGUE, place.found.size);
      return !keepsFramePointer(tryRead(() => place.object.source.read(fileOffset - place.offset, length)));
    },
    lines: (places) => linesOf(places, objectOf, askTool),
    problems: () => [
      ...problems,
      ...[...gone.values()].map((path) => `${path} was gone when it was to be read`),
    ],
  };
}

/** Bytes at the start of a function in which it sets its frame up, should it do so. */
const PROLOGUE = 48;

/** `push %rbp`, and soon `mov %rsp,%rbp`. Without the bytes nothing is known. */
function keepsFramePointer(code: Buffer | undefined): boolean {
  if (!code) return true;
  const push = code.indexOf(0x55);
  return push >= 0 && (code.includes('4889e5', push, 'hex') || code.includes('488bec', push, 'hex'));
}

function keyOf({ path, file }: Mapping): string {
  return path === VDSO ? path : file;
}

/** One question for each object, and the answers in the order of the places. */
function linesOf(
  places: readonly FilePlace[],
  objectOf: (mapping: Mapping) => ObjectSymbols | undefined,
  ask: (mapping: Mapping, addresses: readonly number[]) => SourceLine[][],
): SourceLine[][] {
  const lines: SourceLine[][] = places.map(() => []);
  const asked = new Map<string, { index: number; mapping: Mapping; vaddr: number }[]>();
  for (const [index, { mapping, fileOffset }] of places.entries()) {
    const elf = objectOf(mapping)?.elf;
    const vaddr = elf && fileOffsetToVaddr(elf, fileOffset);
    if (vaddr === undefined) continue;
    const key = keyOf(mapping);
    const ofObject = asked.get(key) ?? [];
    asked.set(key, ofObject);
    ofObject.push({ index, mapping, vaddr });
  }
  for (const ofObject of asked.values()) {
    const [{ mapping }] = ofObject as [(typeof ofObject)[0]];
    const answers = ask(
      mapping,
      ofObject.map(({ vaddr }) => vaddr),
    );
    for (const [i, { index }] of ofObject.entries()) lines[index] = answers[i] ?? [];
  }
  return lines;
}

/** Where the lines of an object are; undefined when there are none. */
function lineSource(
  object: ObjectSymbols | undefined,
  { file, path }: Mapping,
  files: ObjectFiles,
): LineSource | undefined {
  if (!object) return undefined;
  if (!object.elf.section('.debug_info') && !object.elf.section('.zdebug_info')) {
    const debugFile = findDebugFile(object.elf, path);
    return debugFile === undefined ? undefined : { path: debugFile };
  }
  const descriptor = files.open(file);
  return descriptor === undefined ? undefined : { descriptor };
}

/** Ranges of two tables may overlap: a function that is only in one, and one of unknown size before it in the other. */
function nearest(tables: readonly SymbolTable[], vaddr: number): FoundFunction | undefined {
  return tables
    .flatMap((table) => table.find(vaddr) ?? [])
    .reduce<FoundFunction | undefined>((a, b) => (a && a.start >= b.start ? a : b), undefined);
}

function readObject(
  source: ByteSource,
  path: string,
  cache: SymbolCache | undefined,
): ObjectSymbols | { problem: string } {
  const elf = readElf(source);
  if ('problem' in elf) return elf;
  const debugFile = elf.section('.symtab') ? undefined : findDebugFile(elf, path);
  const key = cache && cacheKey(elf, debugFile);
  const kept = key && cache.get(key);
  const tables = kept || readTables(source, elf, debugFile);
  if (key && !kept) cache.put(key, tables);
  return { source, elf, tables };
}

/** What is read depends on the build and on where else its functions were found. */
function cacheKey({ buildId }: ElfFile, debugFile: string | undefined): string | undefined {
  if (!buildId || (debugFile !== undefined && !isSystems(debugFile))) return undefined;
  const place = createHash('sha256')
    .update(debugFile ?? '')
    .digest('hex');
  return `${buildId}-${place.slice(0, 16)}`;
}

/** A debug file in a place that only root can write. */
function isSystems(debugFile: string): boolean {
  return debugFile.startsWith('/usr/lib/debug/') && isTrusted(debugFile);
}

function readTables(source: ByteSource, elf: ElfFile, debugFile: string | undefined): readonly SymbolTable[] {
  const own = readFunctions(source, elf);
  if (elf.section('.symtab')) return [own];
  const more = debugFile === undefined ? packedFunctions(source, elf) : debugFunctions(debugFile);
  return [...(more ? [more] : []), own, readGoFunctions(source, elf)];
}
