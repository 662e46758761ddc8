import { SEVERAL_FILES } from '../../metrics/mappings.ts';
import { groupBy, sum } from '../../metrics/sums.ts';
import {
  type FileAddress,
  fileAddressKey,
  isVdso32,
  jitAddressKey,
  noSymbols,
  objectKey,
  type Resolve,
  type ResolvedSymbols,
  type SymbolRequests,
} from '../../metrics/symbols.ts';
import { plural } from '../../metrics/units.ts';
import type { KernelSymbols } from '../../parsers/kernel-symbols.ts';
import { newDemangler } from './demangle.ts';
import type { ObjectFiles } from './object-files.ts';
import { codePlaceAt, isFrameless } from './object-functions.ts';
import { newObjectLines } from './object-lines.ts';
import { newObjects, type ObjectSymbols } from './object-symbols.ts';
import type { PerfMaps } from './perf-maps.ts';
import type { SymbolCache } from './symbol-cache.ts';

/**
 * Objects whose turn comes later than this after the start of a request are left out: anybody may run programs that take long to
 * read. Those of a large, busy machine take a second.
 */
const PATIENCE_MS = 10_000;

/** Names addresses of this machine. */
export interface Resolver {
  /**
   * Keeps objects and answers for the next call. `problems` has everything that could not be read so far; the rest
   * depends only on the requests, not on their order.
   */
  readonly resolve: Resolve;
  /** Reads the kernel's symbols ahead, while bpftrace starts. */
  readonly prefetch: () => void;
}

/**
 * @param cache where symbol tables are stored between runs; without it nothing is stored
 * @param readKernel reads the kernel's symbols; undefined if no kernel addresses will be requested
 */
export function newResolver(
  files: ObjectFiles,
  perfMaps: Pick<PerfMaps, 'find' | 'problems'>,
  cache: SymbolCache | undefined,
  readKernel: (() => KernelSymbols) | undefined,
): Resolver {
  const objects = newObjects(files, cache);
  const lines = newObjectLines(files);
  const demangle = newDemangler();
  let kernelSymbols: KernelSymbols | undefined;
  const kernel = () => {
    kernelSymbols ??= readKernel?.();
    return kernelSymbols;
  };

  const addKernel = (table: ResolvedSymbols, addresses: readonly string[]) => {
    for (const address of addresses) {
      const found = kernel()?.find(address);
      if (found) table.kernel[address] = found;
    }
  };
  const addCompiled = (table: ResolvedSymbols, { compiled }: SymbolRequests) => {
    // A map file belongs to the last program of a process, so look up that one first.
    for (const place of [...compiled].sort((a, b) => b.generation - a.generation)) {
      const found = perfMaps.find(place.pid, place.generation, place.address);
      if (found) table.jit[jitAddressKey(place)] = found;
    }
  };
  const addObject = async (table: ResolvedSymbols, { places, leaves }: OfObject) => {
    const [{ mapping }] = places as [FileAddress];
    const object = await objects.of(mapping);
    if (object) addFunctions(table, object, { places, leaves });
    // Its entry into the kernel has no frame, on every kernel.
    else if (isVdso32(mapping)) for (const leaf of leaves) table.frameless[fileAddressKey(leaf)] = true;
    if (!table.lines) return;
    const found = object ? await lines.of(object, places) : [];
    for (const [i, place] of places.entries()) table.lines[fileAddressKey(place)] = found[i] ?? [];
  };

  const resolve: Resolve = async (requests) => {
    const table = noSymbols();
    if (requests.lines) table.lines = {};
    addKernel(table, requests.kernel);
    addCompiled(table, requests);
    const began = performance.now();
    const leftOut: OfObject[] = [];
    for (const ofObject of byObject(requests)) {
      if (performance.now() - began > PATIENCE_MS) leftOut.push(ofObject);
      else await addObject(table, ofObject);
      objects.prune();
    }
    for (const [name, readable] of await demangle(mangledIn(table))) table.demangled[name] = readable;
    const general = [
      ...(requests.kernel.length > 0 && kernel()?.isHidden ? [HIDDEN_KERNEL] : []),
      ...(requests.user.some(({ mapping }) => mapping.path === SEVERAL_FILES) ? [AMBIGUOUS] : []),
      ...(leftOut.length > 0 ? [leftOutSentence(leftOut)] : []),
    ];
    const problems = [...objects.problems(), ...lines.problems(), ...perfMaps.problems()];
    return { ...table, problems: [...general, ...problems.sort()] };
  };
  return { resolve, prefetch: () => void kernel() };
}

const HIDDEN_KERNEL =
  'the kernel hides the addresses of its functions (kernel.kptr_restrict): kernel frames have no names, and most waits no reason; to show them, type: sysctl -w kernel.kptr_restrict=1';

const AMBIGUOUS =
  'some code has no names because a program had several files at the same addresses in turn, as when it closes one library and opens another';

function leftOutSentence(objects: readonly OfObject[]): string {
  const addresses = sum(objects.map(({ places }) => places.length));
  return `${plural(addresses, 'address', 'addresses')} in ${plural(objects.length, 'file')} have no names: looking up names took longer than ${PATIENCE_MS / 1000} s`;
}

/** The requests for one object. */
interface OfObject {
  readonly places: readonly FileAddress[];
  readonly leaves: readonly FileAddress[];
}

function byObject({ user, leaves }: SymbolRequests): OfObject[] {
  const leavesOf = new Map(groupBy(leaves, keyOf).map((group) => [keyOf(group[0]), group]));
  return groupBy(user, keyOf).map((places) => ({ places, leaves: leavesOf.get(keyOf(places[0])) ?? [] }));
}

function keyOf(place: FileAddress | undefined): string {
  return place ? objectKey(place.mapping) : '';
}

function addFunctions(table: ResolvedSymbols, object: ObjectSymbols, { places, leaves }: OfObject): void {
  const [{ mapping }] = places as [FileAddress];
  const { buildId } = object.elf;
  if (buildId) table.buildIds[objectKey(mapping)] = buildId;
  for (const place of places) {
    const { function: found, isUncalled } = codePlaceAt(object, place.fileOffset);
    if (found) table.user[fileAddressKey(place)] = { symbol: found.name, offset: found.offset };
    if (isUncalled) table.uncalled[fileAddressKey(place)] = true;
  }
  for (const leaf of leaves)
    if (isFrameless(object, leaf.fileOffset)) table.frameless[fileAddressKey(leaf)] = true;
}

/** Lists all function names of a table that may be mangled. */
function mangledIn({ kernel, user, jit, lines = {} }: ResolvedSymbols): string[] {
  return [
    ...[kernel, user, jit].flatMap((places) => Object.values(places)).map(({ symbol }) => symbol),
    ...Object.values(lines).flatMap((places) => places.flatMap((place) => place.function ?? [])),
  ];
}
