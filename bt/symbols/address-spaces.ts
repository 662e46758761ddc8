import { type AddressSpaces, SEVERAL_FILES } from '../../metrics/mappings.ts';
import { isMemory, type Mapping } from '../../parsers/proc.ts';
import { type ObjectFiles, originalKey } from './object-files.ts';

/** Maximum number of address spaces in memory. */
export const MOST_SPACES = 4096;
/**
 * Maximum number of mappings in one address space. The kernel has the same limit (vm.max_map_count), so beyond it the
 * oldest must be unmapped.
 */
const MOST_OF_ONE = 65_536;
/**
 * Maximum number of mappings in all address spaces: a process with many mappings can fork many times. A busy machine
 * has 100,000.
 */
const MOST_OF_ALL = 2 ** 18;

/** A mapping whose path may not be known yet: the kernel's events may tell the path later, on another CPU. */
export type NewMapping = Omit<Mapping, 'path'> & { readonly path: string | undefined };

/** Maximum number of replaced mappings in one address space. */
const MOST_REPLACED = 1024;

/** Collects the mappings of processes. */
export interface SpaceStore {
  /** Adds a mapping. It replaces one with the same start, and covers all others. */
  readonly add: (pid: number, generation: number, mapping: NewMapping) => void;
  /** Gives a process the mappings of its parent, covered by those that it already has. */
  readonly inherit: (parent: Execution, child: Execution) => void;
  /** The latest mapping of a file at all addresses of another mapping. */
  readonly fileAt: (execution: Execution, mapping: Mapping) => Mapping | undefined;
  /** A snapshot. An address space that has not changed is the same array as before. */
  readonly spaces: () => AddressSpaces;
  /** How many address spaces were discarded to make space for new ones. */
  readonly forgotten: () => number;
}

/** One program of a process, from exec to exec. */
export interface Execution {
  readonly pid: number;
  readonly generation: number;
}

interface Space extends Execution {
  /** By start address, the latest last. */
  readonly mapped: Map<bigint, NewMapping>;
  /** Mappings that others with the same start have replaced. */
  readonly replaced: NewMapping[];
  /** The list for consumers; undefined after a change. */
  list: readonly Mapping[] | undefined;
}

/**
 * @param files finds the paths of mappings
 * @param isAlive whether a process still runs this program: such programs are discarded last
 * @param most maximum number of mappings in all address spaces; more than one address space may have
 */
export function newSpaceStore(
  files: ObjectFiles,
  isAlive: (execution: Execution) => boolean,
  most = MOST_OF_ALL,
): SpaceStore {
  const spaces = new Map<string, Space>();
  let [mappings, forgotten] = [0, 0];
  /** Discards the oldest address space of a program that has ended, or else the oldest of all. */
  const forgetOldest = (except?: Space) => {
    const oldest =
      first(spaces, (space) => space !== except && !isAlive(space)) ??
      first(spaces, (space) => space !== except);
    if (!oldest) return;
    spaces.delete(executionKey(oldest));
    mappings -= oldest.mapped.size;
    forgotten++;
  };
  const spaceOf = (execution: Execution): Space => {
    const key = executionKey(execution);
    const known = spaces.get(key);
    if (known) return known;
    if (spaces.size >= MOST_SPACES) forgetOldest();
    const { pid, generation } = execution;
    const space: Space = { pid, generation, mapped: new Map(), replaced: [], list: undefined };
    spaces.set(key, space);
    return space;
  };
  const addTo = (space: Space, mapping: NewMapping) => {
    mappings -= space.mapped.size;
    addMapping(space, mapping);
    mappings += space.mapped.size;
    while (mappings > most && spaces.size > 1) forgetOldest(space);
  };
  return {
    add: (pid, generation, mapping) => addTo(spaceOf({ pid, generation }), mapping),
    inherit: (parent, child) => {
      const inherited = spaces.get(executionKey(parent))?.mapped;
      if (!inherited) return;
      const space = spaceOf(child);
      const own = [...space.mapped.values()];
      for (const mapping of [...inherited.values(), ...own]) addTo(space, mapping);
    },
    fileAt: (execution, { start, end }) =>
      [...(spaces.get(executionKey(execution))?.mapped.values() ?? [])].findLast(
        (mapping): mapping is Mapping => isFile(mapping) && mapping.start <= start && end <= mapping.end,
      ),
    spaces: () => new Map([...spaces].map(([key, space]) => [key, listOf(space, files)])),
    forgotten: () => forgotten,
  };
}

export function executionKey({ pid, generation }: Execution): string {
  return `${pid}:${generation}`;
}

function first(spaces: ReadonlyMap<string, Space>, isWanted: (space: Space) => boolean): Space | undefined {
  for (const space of spaces.values()) if (isWanted(space)) return space;
  return undefined;
}

function addMapping(space: Space, mapping: NewMapping): void {
  const { mapped, replaced } = space;
  const before = mapped.get(mapping.start);
  if (before && before.file !== mapping.file && replaced.length < MOST_REPLACED) replaced.push(before);
  mapped.delete(mapping.start);
  if (mapped.size >= MOST_OF_ONE) mapped.delete(mapped.keys().next().value as bigint);
  mapped.set(mapping.start, mapping);
  space.list = undefined;
}

function listOf(space: Space, files: ObjectFiles): readonly Mapping[] {
  if (space.list) return space.list;
  const list = [...space.mapped.values()].reverse().map((mapping) => withPath(mapping, space.pid, files));
  for (const mapping of list) if (isFound(mapping)) space.mapped.set(mapping.start, mapping);
  const replaced = space.replaced.map((mapping) => withPath(mapping, space.pid, files));
  const isFinal = [...space.mapped.values()].every((mapping) => mapping.path !== undefined);
  const whole = [...overlaps([...list, ...replaced]), ...list];
  space.list = isFinal ? whole : undefined;
  return whole;
}

/**
 * Finds addresses at which a program had several files in turn, as after dlclose(3) and dlopen(3). The stacks do not tell which
 * of them they are from, so these addresses get names from none.
 */
function overlaps(mappings: readonly Mapping[]): Mapping[] {
  const found: Mapping[] = [];
  let furthest: Mapping | undefined;
  for (const mapping of mappings.toSorted((a, b) => (a.start < b.start ? -1 : Number(a.start > b.start)))) {
    const { start, end } = mapping;
    if (furthest && furthest.end > start && areDifferent(furthest, mapping)) {
      const last = furthest.end < end ? furthest.end : end;
      found.push({ start, end: last, fileOffset: 0n, file: NO_FILE, path: SEVERAL_FILES });
    }
    if (!furthest || furthest.end < end) furthest = mapping;
  }
  return found;
}

/** On some file systems a file has several keys, but only one path. A file that was overwritten has the same path. */
function areDifferent(a: Mapping, b: Mapping): boolean {
  if (a.file === b.file || ![a, b].every((mapping) => mapping.path !== '' || mapping.file === NO_FILE))
    return false;
  return a.path !== b.path || originalKey(a.file) === originalKey(b.file);
}

/** Whether the mapping is of a file whose path is known. */
function isFile({ path }: NewMapping): boolean {
  return path?.startsWith('/') === true && !isMemory(path);
}

const NO_FILE = '00:00 0';

function withPath(mapping: NewMapping, pid: number, files: ObjectFiles): Mapping {
  const { path, file, start, end } = mapping;
  if (path !== undefined) return { ...mapping, path };
  files.see(file, { pid, range: { start, end } });
  return { ...mapping, path: (files.path(file) ?? '').replaceAll('\n', '\\012') };
}

/** Tells whether the path is known. A file may look deleted until the kernel has reported all of its names. */
function isFound({ path }: Mapping): boolean {
  return path !== '' && !path.endsWith(' (deleted)');
}
