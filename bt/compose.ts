import type { Dialect } from './dialect.ts';
import { announceProgram, mappingEvents } from './mapping-events.ts';
import type { Profiler } from './profilers/profiler.ts';
import { numberedStacks } from './profilers/stacks.ts';
import { syscalls } from './profilers/syscalls.ts';
import { type Fragment, type KernelMap, mapsOf, writeProgram } from './program.ts';
import { type Follow, type Hooks, namedGeneration, tracking } from './tracking.ts';

/** What is to be measured. */
export interface Plan {
  readonly profilers: readonly Profiler[];
  /** Waits shorter than this are left out, ns. */
  readonly minBlockNs: number;
  readonly stacks: boolean;
  /** Frames per stack, user and kernel each. */
  readonly stackDepth: number;
  /** Time each system call, when they are counted. */
  readonly syscallTimes?: boolean | undefined;
  /** Follow the processes that followed ones start. */
  readonly children: boolean;
  readonly intervalMs?: number | undefined;
  readonly durationMs?: number | undefined;
  /** Room of each kernel map; by memory without it. */
  readonly mapEntries?: number | undefined;
}

/** What the program is written for. */
export interface ProgramContext {
  readonly dialect: Dialect;
  readonly arch: 'x86_64' | 'aarch64';
  readonly btf: boolean;
  readonly follow: Follow;
  /** The profiler's pid; none for a program that runs without btprof. */
  readonly self?: number | undefined;
  /** Processes whose user stacks are unwound by DWARF; bpftrace has to know them. */
  readonly dwarfPids?: readonly number[];
}

/** Whether the plan times each system call: only those that are counted can be. */
export function timesCalls({ syscallTimes, profilers }: Plan): boolean {
  return syscallTimes === true && profilers.includes(syscalls);
}

/** The one bpftrace program for all profilers of a plan. */
export function composeProgram(plan: Plan, context: ProgramContext): string {
  return writeProgram(fragmentsOf(plan, context), {
    head: headLines(plan, context),
    config: context.dwarfPids?.length ? ['unstable_dw_ustack=enable'] : [],
    intervalMs: plan.intervalMs,
    self: context.self,
  });
}

/** The maps of that program. */
export function composeMaps(plan: Plan, context: ProgramContext): KernelMap[] {
  return mapsOf(fragmentsOf(plan, context), context.self !== undefined);
}

function fragmentsOf(plan: Plan, context: ProgramContext): Fragment[] {
  const { minBlockNs, stacks, stackDepth, children, profilers } = plan;
  const { dialect, arch, btf, follow, self, dwarfPids = [] } = context;
  // Without btprof people read the stacks, and want names.
  const stackMode = follow.kind === 'argument' ? 'perf' : dialect.stackMode;
  // Short waits that are left out would leave their stacks behind.
  const numberStacks =
    stacks && dialect.stackStore === 'inline' && follow.kind !== 'argument' && minBlockNs === 0;
  const stops = self !== undefined;
  const dwarf = { dwarfPids, dwarfGeneration: namedGeneration(follow) };
  const { losesFirstCounts } = dialect;
  const held = follow.kind === 'held' ? follow.pid : undefined;
  const entersAll = held !== undefined || (follow.kind === 'named' && !follow.stopped);
  const options = {
    stackMode,
    losesFirstCounts,
    arch,
    btf,
    minBlockNs,
    stacks,
    numberStacks,
    stackDepth,
    children,
    held,
    entersAll,
    callTimes: timesCalls(plan),
    ...dwarf,
    stops,
  };
  const fragments = profilers.map((profiler) => profiler.fragment(options));
  const hooks = joined(profilers.flatMap((profiler) => profiler.hooks?.(options) ?? []));
  const exitsSeen = fragments.some((fragment) => fragment.exitsSeen);
  const takesStacks = stacks && profilers.some((profiler) => profiler.takesStacks);
  const mappings = btf && takesStacks && follow.kind !== 'argument';
  return [
    tracking({
      follow,
      btf,
      exitsSeen,
      ...hooks,
      onProgram: [...hooks.onProgram, ...(mappings ? announceProgram() : [])],
    }),
    ...(mappings ? [mappingEvents()] : []),
    ...(takesStacks && numberStacks ? [numberedStacks(stackDepth)] : []),
    ...fragments,
  ];
}

function joined(hooks: readonly Hooks[]): Hooks {
  return {
    onNamed: hooks.flatMap(({ onNamed }) => onNamed),
    onCommand: hooks.flatMap(({ onCommand }) => onCommand),
    onProgram: hooks.flatMap(({ onProgram }) => onProgram),
    onFreed: hooks.flatMap(({ onFreed }) => onFreed),
  };
}

function headLines({ profilers }: Plan, { dialect, follow }: ProgramContext): string[] {
  const usage =
    'Runs without btprof too: bpftrace [-f json] FILE PID; Ctrl-C prints the maps. Times are in ns.';
  return [
    `Written by btprof for bpftrace ${dialect.version}.`,
    ...(follow.kind === 'argument' ? [usage] : []),
    '',
    ...profilers.map((p) => `${p.name}: ${p.summary}`),
  ];
}
