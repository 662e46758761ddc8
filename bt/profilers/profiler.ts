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
  /**
   * Whether the program stores each stack once and refers to it by number. Otherwise bpftrace stores it in each key and
   * value.
   */
  readonly numberStacks: boolean;
  /** Frames per stack, user and kernel each. */
  readonly stackDepth: number;
  /** Processes whose user stacks are unwound by DWARF, until they run another program. */
  readonly dwarfPids: readonly number[];
  /** The exec generation of the program for which DWARF is used. */
  readonly dwarfGeneration: number;
  /** Whether the kernel has BTF: `curtask` can be read. */
  readonly btf: boolean;
  /** Whether the program can read if a thread has a seccomp filter. */
  readonly seccomp: boolean;
  readonly arch: 'x86_64' | 'aarch64';
  /** Whether child processes are followed; threads always are. */
  readonly children: boolean;
  /** The process that is held until it runs the command. */
  readonly held: number | undefined;
  /** Whether the hooks run for every followed thread before its first switch-out. */
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
  /** How the help writes the value, such as `TIME`; undefined for a flag. */
  readonly value?: string;
  /** The global option with the same meaning, such as `--min-block`. */
  readonly alias?: string;
}

/** Values of a profiler's options, without those that were not given. */
export type OptionValues = Readonly<Record<string, unknown>>;

/**
 * One thing that btprof measures: what it writes into the bpftrace program, and how its part of a result is made.
 * `profiler-registry.ts` has one line for each; everything else finds it there.
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
  /** Overhead per event, and how often events occur. */
  readonly cost: string;
  /** What the user should know about the limits of its figures. */
  readonly caveats: readonly string[];
  readonly options?: Readonly<Record<string, ProfilerOption<unknown>>>;
  /** Its part of the bpftrace program. */
  readonly program: (context: ProgramContext, options: OptionValues) => Fragment;
  /** Whether its options leave out events after their stacks have been stored. */
  readonly dropsRows?: (options: OptionValues) => boolean;
  /** What it offers to the other profilers of a program. */
  readonly provides?: (options: OptionValues) => Pick<ProgramContext, 'currentCall'>;
  /** Warnings for the result if the host lacks something. */
  readonly hostWarnings?: (host: { readonly btf: boolean }) => readonly string[];
}
