import type { z } from 'zod';
import type { Measurement } from '../../metrics/measurement.ts';
import type { Dialect } from '../dialect.ts';
import type { Fragment } from '../program.ts';

/** What a profiler's part of the program depends on, besides the profiler's own options. */
export interface ProgramContext {
  readonly stackMode: Dialect['stackMode'];
  readonly losesFirstCounts: Dialect['losesFirstCounts'];
  /** Whether stacks are collected. */
  readonly stacks: boolean;
  /** Whether the program keeps each stack once and its number elsewhere; bpftrace would keep it in each key and value. */
  readonly numberStacks: boolean;
  /** Frames per stack, user and kernel each. */
  readonly stackDepth: number;
  /** Processes whose user stacks are unwound by DWARF while they run their present program. */
  readonly dwarfPids: readonly number[];
  /** The exec generation of that program. */
  readonly dwarfGeneration: number;
  /** Whether the kernel has BTF: `curtask` can be read. */
  readonly btf: boolean;
  readonly arch: 'x86_64' | 'aarch64';
  /** Whether child processes are followed; threads always are. */
  readonly children: boolean;
  /** The process that is held until it runs the command. */
  readonly held: number | undefined;
  /** Whether the hooks see every followed thread before its first switch-out. */
  readonly allThreadsHaveEntry: boolean;
  /** Whether the program learns when the collection ends: the map STOPPED exists. */
  readonly stops: boolean;
  /** The expression for the system call that a thread is in, where a profiler of the plan knows it: 0 is none. */
  readonly currentCall?: ((tid: string) => string) | undefined;
}

/** An option of a profiler: `-p NAME:option` or `-p NAME:option=value`. */
export interface ProfilerOption<T> {
  /** Reads the text after `=`, or `true` when there is none. */
  readonly schema: z.ZodType<T>;
  /** One line for help. */
  readonly help: string;
  /** What stands for the value in help, such as `TIME`; a flag has none. */
  readonly value?: string;
  /** The global option of the same meaning, such as `--min-block`. */
  readonly alias?: string;
}

/** Values of a profiler's options; those that are not given are missing. */
export type OptionValues = Readonly<Record<string, unknown>>;

/**
 * One thing that btprof measures: what it writes into the bpftrace program, and how its part of a result is made.
 * `registry.ts` has one line for each; everything else finds it there.
 */
export interface Profiler<Part = unknown> extends Measurement<Part> {
  /** One line for help and `btprof profilers`. */
  readonly summary: string;
  /** Whether it runs when no profilers are named. */
  readonly isDefault?: boolean;
  /** Kernel tracepoints it attaches to, besides those that follow processes. */
  readonly tracepoints: readonly string[];
  /** What else it attaches to, as bpftrace spells it. */
  readonly timer?: string;
  /** Whether it reads stacks when they are wanted. */
  readonly takesStacks: boolean;
  /** What one event costs, and how often events come. */
  readonly cost: string;
  /** What its figures do not show. */
  readonly caveats: readonly string[];
  readonly options?: Readonly<Record<string, ProfilerOption<unknown>>>;
  /** Its part of the bpftrace program. */
  readonly program: (context: ProgramContext, options: OptionValues) => Fragment;
  /** Whether its options make it leave events out, which may have saved their stacks already. */
  readonly dropsRows?: (options: OptionValues) => boolean;
  /** What it offers to the other profilers of a program. */
  readonly provides?: (options: OptionValues) => Pick<ProgramContext, 'currentCall'>;
  /** What a result has to say when the host lacks something. */
  readonly hostWarnings?: (host: { readonly btf: boolean }) => readonly string[];
}
