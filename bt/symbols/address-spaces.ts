import type { AddressSpaces } from '../../metrics/mappings.ts';
import type { Mapping } from '../../parsers/proc.ts';
import type { ObjectFiles } from './object-files.ts';

/** Address spaces that are held at most. */
export const MOST_SPACES = 4096;
/** Mappings of one address space. A live process has no more (vm.max_map_count): beyond that, the first are unmapped. */
const MOST_MAPPINGS = 65_536;

/** A mapping whose path may not be known yet: the kernel's events may tell the path later, on another CPU. */
export type NewMapping = Omit<Mapping, 'path'> & { readonly path: string | undefined };

/** Collects the mappings of processes. */
export interface SpaceStore {
  /** A mapping replaces one that starts at the same address, and lies over all others. */
  readonly add: (pid: number, generation: number, mapping: NewMapping) => void;
  /** Gives a process the mappings of its parent, below those that it has already. */
  readonly inherit: (parent: Program, child: Program) => void;
  /** A snapshot. An address space that has not changed is the same array as before. */
  readonly spaces: () => AddressSpaces;
  /** How many address spaces had to make way for new ones. */
  readonly forgotten: () => number;
}

/** One program of a process, from exec to exec. */
export interface Program {
  readonly pid: number;
  readonly generation: number;
}

interface Space extends Program {
  /** By start, the latest last. */
  readonly mapped: Map<bigint, NewMapping>;
  /** As the consumers see it; undefined after a change. */
  list: readonly Mapping[] | undefined;
}

/**
 * @param files finds the paths of mappings
 * @param isAlive whether a process still runs this program: those that do are forgotten last
 */
export function newSpaceStore(files: ObjectFiles, isAlive: (program: Program) => boolean): SpaceStore {
  const spaces = new Map<string, Space>();
  let forgotten = 0;
  const spaceOf = (program: Program): Space => {
    const key = programKey(program);
    const known = spaces.get(key);
    if (known) return known;
    if (spaces.size >= MOST_SPACES) {
      spaces.delete(oldestOf(spaces, isAlive));
      forgotten++;
    }
    const { pid, generation } = program;
    const space = { pid, generation, mapped: new Map(), list: undefined };
    spaces.set(key, space);
    return space;
  };
  return {
    add: (pid, generation, mapping) => addMapping(spaceOf({ pid, generation }), mapping),
    inherit: (parent, child) => {
      const inherited = spaces.get(programKey(parent))?.mapped;
      if (!inherited) return;
      const space = spaceOf(child);
      const own = [...space.mapped.values()];
      for (const mapping of [...inherited.values(), ...own]) addMapping(space, mapping);
    },
    spaces: () => new Map([...spaces].map(([key, space]) => [key, listOf(space, files)])),
    forgotten: () => forgotten,
  };
}

export function programKey({ pid, generation }: Program): string {
  return `${pid}:${generation}`;
}

/** The first of a program that has ended, or else the first of all. */
function oldestOf(spaces: ReadonlyMap<string, Space>, isAlive: (program: Program) => boolean): string {
  for (const [key, space] of spaces) if (!isAlive(space)) return key;
  return spaces.keys().next().value as string;
}

function addMapping(space: Space, mapping: NewMapping): void {
  const { mapped } = space;
  mapped.delete(mapping.start);
  if (mapped.size >= MOST_MAPPINGS) mapped.delete(mapped.keys().next().value as bigint);
  mapped.set(mapping.start, mapping);
  space.list = undefined;
}

function listOf(space: Space, files: ObjectFiles): readonly Mapping[] {
  if (space.list) return space.list;
  const list = [...space.mapped.values()].reverse().map((mapping) => withPath(mapping, space.pid, files));
  for (const mapping of list) if (isFound(mapping)) space.mapped.set(mapping.start, mapping);
  const isFinal = [...space.mapped.values()].every((mapping) => mapping.path !== undefined);
  space.list = isFinal ? list : undefined;
  return list;
}

function withPath(mapping: NewMapping, pid: number, files: ObjectFiles): Mapping {
  const { path, file, start, end } = mapping;
  if (path !== undefined) return { ...mapping, path };
  files.see(file, { pid, range: { start, end } });
  return { ...mapping, path: (files.path(file) ?? '').replaceAll('\n', '\\012') };
}

/** A file that looks deleted may only lack some names that the kernel is still to tell. */
function isFound({ path }: Mapping): boolean {
  return path !== '' && !path.endsWith(' (deleted)');
}
