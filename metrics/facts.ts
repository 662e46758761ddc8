import type { KernelSymbol } from '../parsers/kernel-symbols.ts';
import type { AddressSpaces, MappingTexts } from './mappings.ts';
import type { HostInfo, Metadata } from './metadata-schema.ts';
import type { Arch } from './syscall-name.ts';

/**
 * What is known about a collection at its start, besides its stream. Like `Ending`, it is plain data: with the lines of
 * the stream, both give the same profile on any machine.
 */
export interface Facts {
  readonly mode: Metadata['mode'];
  /** The command, or the processes attached to; none for the whole machine. */
  readonly pids: readonly number[];
  readonly cmd: readonly string[];
  readonly executable: string | null;
  /** Start of the collection, ms since 1970. */
  readonly t0Ms: number;
  readonly host: HostInfo & { readonly arch: Arch };
  readonly btprof: string;
  readonly bpftrace: string;
  readonly profilers: readonly string[];
  /** Options of the profilers, by name; missing for profilers without options. */
  readonly options?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
  /** Whether waits have the system call in which they occurred. */
  readonly syscallTimes?: boolean | undefined;
  readonly stacks: boolean;
  /** Whether the kernel has BTF, from which start and CPU time of each thread are read. */
  readonly btf: boolean;
  /** Maximum number of frames in a stack. */
  readonly stackDepth: number;
  /** Processes whose user stacks were unwound by DWARF until they ran another program. */
  readonly dwarfPids: readonly number[];
  /** The exec generation of that program. */
  readonly dwarfGeneration: number;
  /** Whether bpftrace can unwind by DWARF: `too old`, or `no` on this architecture. */
  readonly unwindsDwarf: 'yes' | 'too old' | 'no';
  /** Maximum number of keys of each BPF map, by name. */
  readonly room: Readonly<Record<string, number>>;
  /** The running threads that were named to the program, with their state at that time; none under `run`. */
  readonly named: readonly LiveThread[];
}

/** A thread as /proc has it. */
export interface LiveThread {
  readonly pid: number;
  readonly tid: number;
  readonly comm: string;
  /** State letter of /proc/PID/stat. */
  readonly state: string;
  /** Where it was blocked when it was named. */
  readonly blocked?: BlockedAt | undefined;
  /** Whether it is the main thread of a process with a seccomp filter. */
  readonly filtered?: boolean | undefined;
  /** When it was named, ns after the start of the collection. */
  readonly namedNs?: number | undefined;
  /** CPU time at that moment. */
  readonly cpu?: CpuTime | undefined;
}

/** The scheduler's counts for a thread since its start. */
export interface CpuTime {
  readonly onCpuNs: number;
  /** How long it was ready without a CPU. */
  readonly runDelayNs: number;
}

/** A place in the kernel whose name is already known. */
export interface NamedKernelAddress extends KernelSymbol {
  /** `0x` and hexadecimal digits; 0x0 when it is unknown. */
  readonly address: string;
}

/** The stack of a blocked thread, read from /proc. */
export interface BlockedAt {
  /** Leaf first. */
  readonly kernel: readonly NamedKernelAddress[];
  /** Address from which it entered the kernel, hexadecimal; empty when unknown. */
  readonly user: string;
}

/** What is known when the collection has ended. */
export interface Ending {
  /** Duration of the collection by btprof's own clock, ns; used for a stream that breaks off. */
  readonly elapsedNs: number;
  readonly exit: Metadata['exit'];
  readonly incomplete: boolean;
  /** Threads of followed processes that were alive at the end. */
  readonly alive: readonly LiveThread[];
  /** Maximum time between the check of these threads and the end, ns. */
  readonly aliveAgeNs?: number | undefined;
  readonly mappings: AddressSpaces;
  /** Processes that wrote a perf-PID.map. */
  readonly perfMaps: readonly number[];
  /** How often the kernel skipped a BPF program. */
  readonly skippedRuns: number;
  /** CPU time of the BPF programs; null if the kernel did not measure it. */
  readonly programTime?: ProgramTime | null | undefined;
  /** Why the kernel did not measure it; undefined if it was not wanted. */
  readonly untimed?: string | undefined;
  /** Cost of btprof and bpftrace; null if not wanted, or if bpftrace had ended. */
  readonly footprint?: Footprint | null | undefined;
  readonly warnings: readonly string[];
}

export interface ProgramTime {
  readonly timeNs: number;
  /** Number of runs of the programs. */
  readonly runs: number;
  /** How long the kernel timed them. If it was not the whole time, the figures are estimates. */
  readonly timedNs?: number | undefined;
}

/** CPU time and memory of btprof and bpftrace, without the programs in the kernel. */
export interface Footprint {
  /** CPU time of both during the collection, in user code and in the kernel. */
  readonly cpuNs: number;
  /** Peak of btprof's resident memory until the maps had been read. */
  readonly btprofBytes: number;
  readonly bpftraceBytes: number;
  /** Memory of the BPF maps. */
  readonly mapBytes: number;
}

/** An `Ending` as captures and recordings store it. */
export type StoredEnding = Omit<Ending, 'mappings'> & { readonly mappings: MappingTexts };
