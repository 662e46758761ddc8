import { type FilePlace, objectKey, type Symbols } from '../../../metrics/symbols.ts';
import type { SourceLine } from '../../../parsers/addr2line.ts';
import { EM_X86_64, fileOffsetToVaddr } from '../../../parsers/elf.ts';
import type { Mapping } from '../../../parsers/proc.ts';
import type { FoundFunction, SymbolTable } from '../../../parsers/symbol-table.ts';
import { tryRead } from '../../driver/procfs.ts';
import type { ObjectFiles } from '../object-files.ts';
import type { SymbolCache } from '../symbol-cache.ts';
import { findDebugFile } from './debug-files.ts';
import { newObjects, type ObjectSymbols } from './object-symbols.ts';
import { type LineSource, readSourceLines } from './source-lines.ts';

export interface UserSymbols {
  readonly user: Symbols['user'];
  readonly frameless: Symbols['frameless'];
  readonly buildId: Symbols['buildId'];
  readonly lines: NonNullable<Symbols['lines']>;
  readonly problems: Symbols['problems'];
}

/** Names functions of user code, and their lines, by the files that are mapped. */
export function newUserSymbols(files: ObjectFiles, cache?: SymbolCache): UserSymbols {
  const objects = newObjects(files, cache);
  const unread = new Set<string>();
  const askTool = (mapping: Mapping, addresses: readonly number[]): SourceLine[][] => {
    const source = lineSource(objects.of(mapping), mapping, files);
    const lines = source && readSourceLines(source, addresses);
    if (source && !lines)
      unread.add(
        `the lines of ${mapping.path} could not be read by llvm-symbolizer or addr2line, which run without rights`,
      );
    return lines ?? [];
  };
  return {
    user: (mapping, fileOffset) => {
      const place = functionAt(objects.of(mapping), fileOffset);
      return place && { symbol: place.name, offset: place.offset };
    },
    frameless: (mapping, fileOffset) => {
      const object = objects.of(mapping);
      const place = functionAt(object, fileOffset);
      if (object?.elf.machine !== EM_X86_64 || !place) return false;
      const length = Math.min(PROLOGUE, place.size);
      return !keepsFramePointer(tryRead(() => object.source.read(fileOffset - place.offset, length)));
    },
    buildId: (mapping) => objects.of(mapping)?.elf.buildId,
    lines: (places) => linesOf(places, objects.of, askTool),
    problems: () => [...objects.problems(), ...unread],
  };
}

/** The function that an offset of an object's file lies in, and the bytes from its start. */
function functionAt(
  object: ObjectSymbols | undefined,
  fileOffset: number,
): (FoundFunction & { readonly offset: number }) | undefined {
  const vaddr = object && fileOffsetToVaddr(object.elf, fileOffset);
  const found = vaddr === undefined ? undefined : nearest(object?.tables ?? [], vaddr);
  return found && { ...found, offset: (vaddr as number) - found.start };
}

/** Bytes at the start of a function in which it sets its frame up, should it do so. */
const PROLOGUE = 48;

/** `push %rbp`, and soon `mov %rsp,%rbp`. Without the bytes nothing is known. */
function keepsFramePointer(code: Buffer | undefined): boolean {
  if (!code) return true;
  const push = code.indexOf(0x55);
  return push >= 0 && (code.includes('4889e5', push, 'hex') || code.includes('488bec', push, 'hex'));
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
    const key = objectKey(mapping);
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
