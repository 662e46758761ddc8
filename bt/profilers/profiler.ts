import type { Dialect } from '../dialect.ts';
import type { Fragment } from '../program.ts';
import type { Hooks } from '../tracking.ts';

/** What a profiler may put into its part of the program. */
export interface FragmentOptions {
  readonly stackMode: Dialect['stackMode'];
  readonly losesFirstCounts: Dialect['losesFirstCounts'];
  /** Waits shorter than this are left out, ns. */
  readonly minBlockNs: number;
  readonly stacks: boolean;
  /** Whether the program keeps each stack once, where bpftrace would keep it in each key and value, and its number there. */
  readonly numberStacks: boolean;
  /** Frames per stack, user and kernel each. */
  readonly stackDepth: number;
  /** Processes whose user stacks are unwound by DWARF, as long as they run the program that they run now. */
  readonly dwarfPids: readonly number[];
  /** The exec generation of that program. */
  readonly dwarfGeneration: number;
  /** Whether the profiler `syscalls` times each call, in the map @call while it is under way. */
  readonly callTimes: boolean;
  /** Whether the kernel has BTF: `curtask` can be read. */
  readonly btf: boolean;
  readonly arch: 'x86_64' | 'aarch64';
  /** Whether the processes that followed ones start are followed, too; their threads always are. */
  readonly children: boolean;
  /** The process that is held until it runs the command. */
  readonly held: number | undefined;
  /** Whether the hooks see each thread that is followed, before it goes out for the first time. */
  readonly entersAll: boolean;
  /** Whether the program is told when the collection ends: the map STOPPED is there. */
  readonly stops: boolean;
}

/** One thing btprof measures. `registry.ts` lists them; everything else finds them there. */
export interface Profiler {
  readonly name: string;
  /** One line for help and `btprof profilers`. */
  readonly summary: string;
  /** Kernel tracepoints it attaches to, besides those that follow processes. */
  readonly tracepoints: readonly string[];
  /** What it attaches to besides, as bpftrace has it. */
  readonly timer?: string;
  /** Whether it reads stacks, when they are asked for. */
  readonly takesStacks: boolean;
  /** What one event costs, and how often events come. */
  readonly cost: string;
  /** What its figures do not say. */
  readonly caveats: readonly string[];
  /** Its part of the bpftrace program. */
  readonly fragment: (options: FragmentOptions) => Fragment;
  /** What it does where threads are followed. */
  readonly hooks?: (options: FragmentOptions) => Hooks;
}
