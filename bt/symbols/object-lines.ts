import { type FileAddress, objectKey } from '../../metrics/symbols.ts';
import type { SourceLine } from '../../parsers/addr2line.ts';
import { fileOffsetToVaddr } from '../../parsers/elf.ts';
import type { Mapping } from '../../parsers/proc.ts';
import { findDebugFile } from './debug-files.ts';
import { type LineSource, readSourceLines } from './line-tools.ts';
import type { ObjectFiles } from './object-files.ts';
import type { ObjectSymbols } from './object-symbols.ts';

/** Looks up file, line and inlined functions. */
export interface ObjectLines {
  /**
   * @param places all of this object, at least one
   * @returns for each place its functions, the innermost first; none where nothing is known
   */
  readonly of: (object: ObjectSymbols, places: readonly FileAddress[]) => Promise<(readonly SourceLine[])[]>;
  /** A sentence for each object with debug information that no tool could read. */
  readonly problems: () => readonly string[];
}

export function newObjectLines(files: ObjectFiles): ObjectLines {
  /** Paths of objects for which no address was found, by object. */
  const unread = new Map<string, string>();
  const read = new Set<string>();
  const ask = async (object: ObjectSymbols, mapping: Mapping, addresses: readonly number[]) => {
    const source = lineSource(object, mapping, files);
    if (!source) return;
    const key = objectKey(mapping);
    const answers = await readSourceLines(source, addresses);
    if (answers) read.add(key);
    if (read.has(key)) unread.delete(key);
    else unread.set(key, mapping.path);
    if (answers) for (const [i, address] of addresses.entries()) object.lines.set(address, answers[i] ?? []);
  };
  return {
    of: async (object, places) => {
      const [{ mapping }] = places as [FileAddress];
      const vaddrs = places.map(({ fileOffset }) => fileOffsetToVaddr(object.elf, fileOffset));
      const fresh = [...new Set(vaddrs.flatMap((vaddr) => vaddr ?? []))].filter(
        (vaddr) => !object.lines.has(vaddr),
      );
      if (fresh.length > 0) await ask(object, mapping, fresh);
      return vaddrs.map((vaddr) => (vaddr === undefined ? [] : (object.lines.get(vaddr) ?? [])));
    },
    problems: () => [...unread.values()].map(unreadSentence),
  };
}

function unreadSentence(path: string): string {
  return `the lines of ${path} could not be read by llvm-symbolizer or addr2line, which run without privileges`;
}

/** The file with the lines of an object; undefined without debug information. */
function lineSource(
  { elf }: ObjectSymbols,
  { file, path }: Mapping,
  files: ObjectFiles,
): LineSource | undefined {
  if (!elf.section('.debug_info') && !elf.section('.zdebug_info')) {
    const debugFile = findDebugFile(elf, path);
    return debugFile === undefined ? undefined : { path: debugFile };
  }
  const descriptor = files.open(file);
  return descriptor === undefined ? undefined : { descriptor };
}
