import type { Dialect } from './dialect.ts';
import { announceProgram, mappingEvents } from './mapping-events.ts';
import type { OptionValues, Profiler, ProgramContext } from './profilers/profiler.ts';
import { type Fragment, type Hooks, type KernelMap, mapsOf, writeProgram } from './program.ts';
import { numberedStacks } from './stacks.ts';
import { type Follow, namedGeneration, tracking } from './tracking.ts';
import type { Unwinder } from './unwinder.ts';

/** A profiler with the options that it was chosen with. */
export interface Chosen {
  readonly profiler: Profiler;
  readonly options: OptionValues;
}

/** What is measured, and how. */
export interface Plan {
  readonly profilers: readonly Chosen[];
  readonly stacks: boolean;
  /** Frames per stack, user and kernel each. */
  readonly stackDepth: number;
  /** Follow the processes that followed ones start. */
  readonly children: boolean;
  readonly intervalMs?: number | undefined;
  readonly durationMs?: number | undefined;
  /** Maximum entries of each BPF map; by default as memory allows. */
  readonly mapEntries?: number | undefined;
  /** How user stacks are unwound; by frame pointers if undefined. */
  readonly unwind?: Unwinder;
  /** Whether source lines and inlined functions are wanted. */
  readonly lines?: boolean;
  /** Whether the kernel is asked to time the programs, and btprof's own cost is measured. */
  readonly selfMeasure?: boolean;
  /** Whether symbol tables are stored on disk for the next run. */
  readonly symbolCache?: boolean;
}

/** What a program is written for. */
export interface ProgramTarget {
  readonly dialect: Dialect;
  readonly arch: 'x86_64' | 'aarch64';
  readonly btf: boolean;
  /** Whether the kernel has seccomp. */
  readonly seccomp?: boolean;
  readonly follow: Follow;
  /** The profiler's pid; none for a program that runs without btprof. */
  readonly self?: number | undefined;
  /** Processes whose user stacks are unwound by DWARF; bpftrace has to know them. */
  readonly dwarfPids?: readonly number[];
}

/** Whether a profiler of the plan knows the system call that a thread is in. */
export function knowsCalls(plan: Plan): boolean {
  return currentCallOf(plan) !== undefined;
}

function currentCallOf({ profilers }: Plan): ProgramContext['currentCall'] {
  return profilers
    .map(({ profiler, options }) => profiler.provides?.(options).currentCall)
    .find((currentCall) => currentCall !== undefined);
}

/** Whether the plan collects stacks. */
export function takesStacks({ stacks, profilers }: Plan): boolean {
  return stacks && profilers.some(({ profiler }) => profiler.takesStacks);
}

/** The one bpftrace program for all profilers of a plan. */
export function composeProgram(plan: Plan, target: ProgramTarget): string {
  return writeProgram(fragmentsOf(plan, target), {
    head: headLines(plan, target),
    config: target.dwarfPids?.length ? ['unstable_dw_ustack=enable'] : [],
    intervalMs: plan.intervalMs,
    self: target.self,
  });
}

/** The maps of that program. */
export function composeMaps(plan: Plan, target: ProgramTarget): KernelMap[] {
  return mapsOf(fragmentsOf(plan, target), target.self !== undefined);
}

function fragmentsOf(plan: Plan, target: ProgramTarget): Fragment[] {
  const context = contextOf(plan, target);
  const fragments = plan.profilers.map(({ profiler, options }) => profiler.program(context, options));
  const stacks = takesStacks(plan);
  const mappings = target.btf && stacks && target.follow.kind !== 'argument';
  const hooks = joined(fragments.flatMap((fragment) => fragment.hooks ?? []));
  return [
    tracking({
      follow: target.follow,
      btf: target.btf,
      exitsPrinted: fragments.some((fragment) => fragment.printsExits),
      ...hooks,
      onProgram: [...hooks.onProgram, ...(mappings ? announceProgram() : [])],
    }),
    ...(mappings ? [mappingEvents()] : []),
    ...(stacks && context.numberStacks ? [numberedStacks(plan.stackDepth)] : []),
    ...fragments,
  ];
}

function contextOf(plan: Plan, target: ProgramTarget): ProgramContext {
  const { stacks, stackDepth, children } = plan;
  const { dialect, arch, btf, seccomp = false, follow, self, dwarfPids = [] } = target;
  const alone = follow.kind === 'argument';
  const held = follow.kind === 'held' ? follow.pid : undefined;
  return {
    // People read these stacks without btprof, and want names.
    stackMode: alone ? 'perf' : dialect.stackMode,
    losesFirstCounts: dialect.losesFirstCounts,
    stacks,
    // If an option leaves out rows, their stacks would stay in the maps.
    numberStacks: stacks && dialect.stackStore === 'inline' && !alone && !dropsRows(plan),
    ...{ stackDepth, arch, btf, children, held, dwarfPids, dwarfGeneration: namedGeneration(follow) },
    allThreadsHaveEntry: held !== undefined || (follow.kind === 'named' && !follow.stopped),
    stops: self !== undefined,
    seccomp: btf && seccomp,
    currentCall: currentCallOf(plan),
  };
}

function dropsRows({ profilers }: Plan): boolean {
  return profilers.some(({ profiler, options }) => profiler.dropsRows?.(options));
}

function joined(hooks: readonly Partial<Hooks>[]): Hooks {
  return {
    onNamed: hooks.flatMap(({ onNamed = [] }) => onNamed),
    onCommand: hooks.flatMap(({ onCommand = [] }) => onCommand),
    onProgram: hooks.flatMap(({ onProgram = [] }) => onProgram),
    onFreed: hooks.flatMap(({ onFreed = [] }) => onFreed),
  };
}

function headLines({ profilers }: Plan, { dialect, follow }: ProgramTarget): string[] {
  const usage =
    'Runs without btprof too: bpftrace [-f json] FILE PID; Ctrl-C prints the maps. Times are in ns.';
  return [
    `Written by btprof for bpftrace ${dialect.version}.`,
    ...(follow.kind === 'argument' ? [usage] : []),
    '',
    ...profilers.map(({ profiler }) => `${profiler.name}: ${profiler.summary}`),
  ];
}
