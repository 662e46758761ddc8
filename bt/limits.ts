import { sum } from '../metrics/sums.ts';
import type { Dialect, Settings } from './dialect.ts';
import type { KernelMap } from './program.ts';

/** Share of the host's memory that the kernel's maps and buffers for one program stay below. */
export const MEMORY_SHARE = 0.05;
/** Minimum entries of each map, if memory allows. */
const ENTRIES_WANTED = 65_536;
/** Entries per thread: each state and stack in which it waits is one. */
const ENTRIES_PER_THREAD = 16;
/** With fewer entries than this, stacks are made shallower instead. */
const ENTRIES_WORTHWHILE = 4096;
const ENTRIES_LEAST = 64;
/** Shallower stacks to try, in turn. */
const DEPTHS = [64, 32, 16, 8];
/** 4 MiB: about 40,000 unread events. */
const BUFFER_PAGES = 1024;
/** The default of bpftrace up to 0.18, where each CPU has its own buffer. */
const BUFFER_PAGES_PER_CPU = 64;
const PAGE_BYTES = 4096;

/** What limits a program's maps. */
export interface SizingInput {
  readonly maps: readonly KernelMap[];
  readonly stackStore: Dialect['stackStore'];
  readonly statsSlots: Dialect['statsSlots'];
  /** Frames per stack that the user asks for. */
  readonly stackDepth: number;
  /** Memory of the host, or of the control group in which btprof runs. */
  readonly memoryBytes: number;
  /** Number of possible CPUs. */
  readonly cpus: number;
  /** Running threads that will be followed. */
  readonly threads: number;
  /** Entries that the user asks for, whatever memory allows. */
  readonly mapEntries?: number | undefined;
}

/** The settings of a program, with the depth that its stacks can have. */
export interface Limits extends Settings {
  readonly stackDepth: number;
}

/**
 * Sizes a program's maps: 65,536 entries, or more for targets with many threads, or as many as stay below 5 % of
 * memory. Where even 4,096 would not, stacks become shallower first.
 */
export function limitsFor(input: SizingInput): Limits {
  const { cpus, mapEntries } = input;
  const settings = {
    cpus,
    bufferPages: Math.max(BUFFER_PAGES, powerOfTwoAbove(BUFFER_PAGES_PER_CPU * cpus)),
  };
  const fits = (entries: number, stackDepth: number) =>
    kernelBytes(input, { ...settings, mapEntries: entries, stackDepth }) < MEMORY_SHARE * input.memoryBytes;
  const depths = [input.stackDepth, ...DEPTHS.filter((depth) => depth < input.stackDepth)];
  const fitting = depths.find((depth) => fits(mapEntries ?? ENTRIES_WORTHWHILE, depth));
  const stackDepth = fitting ?? (depths.at(-1) as number);
  let entries = ENTRIES_WANTED;
  while (entries < input.threads * ENTRIES_PER_THREAD) entries *= 2;
  entries *= input.statsSlots;
  while (entries > ENTRIES_LEAST && !fits(entries, stackDepth)) entries /= 2;
  return { ...settings, mapEntries: mapEntries ?? entries, stackDepth };
}

/** How many keys fit into each map, by its name. */
export function roomOf(
  { maps, statsSlots }: Pick<SizingInput, 'maps' | 'statsSlots'>,
  { mapEntries }: Settings,
): Record<string, number> {
  return Object.fromEntries(
    maps.map((map) => [map.name, map.stats ? Math.max(1, Math.floor(mapEntries / statsSlots)) : mapEntries]),
  );
}

/** Rounds up to a power of two, as the kernel requires for buffers. */
function powerOfTwoAbove(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(atLeast));
}

/**
 * The maximum memory that the kernel uses for a program's maps and event buffers. It allocates all of it when the
 * program is loaded (kernel/bpf/hashtab.c: htab_map_mem_usage, and the fields of struct htab_elem).
 */
export function kernelBytes(
  { maps, stackStore }: Pick<SizingInput, 'maps' | 'stackStore'>,
  { mapEntries, stackDepth, cpus, bufferPages }: Limits,
): number {
  const there = maps.filter(({ short }) => !short || stackDepth >= short.from);
  const stack = ({ short }: KernelMap) =>
    (stackStore === 'inline' ? (short?.frames ?? stackDepth) + 2 : 3) * WORD;
  const hashed = there.map((map) => (isVariable(map) ? 1 : mapEntries) * entryBytes(map, stack(map), cpus));
  const stacks = there.some((map) => map.stacksInKey || map.stacksInValue);
  const shared =
    stacks && stackStore === 'shared' ? SHARED_STACKS * (stackDepth * WORD + SHARED_STACK_EXTRA) : 0;
  return sum(hashed) + shared + bufferPages * PAGE_BYTES;
}

const WORD = 8;
/** Bytes of an entry without key and value, and its share of the bucket table, which has a power of two of buckets. */
const ENTRY_EXTRA = 48 + 2 * 16;
/** Entries of bpftrace's own stack map, whatever the size of the other maps. */
const SHARED_STACKS = 131_072;
/** Bytes of an entry of that map besides its frames. */
const SHARED_STACK_EXTRA = 80;

/** Tells whether a map is a single variable, without a key. */
function isVariable({ key, stacksInKey }: KernelMap): boolean {
  return key === 0 && !stacksInKey;
}

function entryBytes(map: KernelMap, stack: number, cpus: number): number {
  const words = isVariable(map) ? 1 : map.key;
  const key = words * WORD + (map.stacksInKey ?? 0) * stack;
  const value = map.value * WORD + (map.stacksInValue ?? 0) * stack;
  return ENTRY_EXTRA + key + (map.perCpu ? WORD + value * cpus : value);
}
