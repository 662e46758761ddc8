import type { KernelPlace } from '../parsers/kernel-symbols.ts';
import type { AddressSpaces, MappingTexts } from './mappings.ts';
import type { HostInfo, Metadata } from './metadata-schema.ts';
import type { Arch } from './syscall-name.ts';

/**
 * What is known of a collection besides its stream, when it begins. Plain data, as `Ending` is: together with the
 * lines of the stream they make the same profile anywhere.
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
  /** Options of the profilers, by name; missing for those without any. */
  readonly options?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
  /** Whether the program knew the system call that each thread was in, so that waits have theirs. */
  readonly syscallTimes?: boolean | undefined;
  readonly stacks: boolean;
  /** Whether the kernel has BTF, and so tells of each thread when it started and what it used of the CPU. */
  readonly btf: boolean;
  /** Frames that a stack can have. */
  readonly stackDepth: number;
  /** Processes whose user stacks were unwound by DWARF until they ran another program. */
  readonly dwarfPids: readonly number[];
  /** The exec generation of the program that they ran. */
  readonly dwarfGeneration: number;
  /** Whether bpftrace can do so: `too old`, or `no` on this architecture. */
  readonly unwindsDwarf: 'yes' | 'too old' | 'no';
  /** How many keys fit into each kernel map, by its name. */
  readonly room: Readonly<Record<string, number>>;
  /** The threads that ran already and were named to the program, as they were then; none under `run`. */
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
  /** When it was named, ns after the start of the collection. */
  readonly namedNs?: number | undefined;
  /** What it had used by then. */
  readonly cpu?: CpuTime | undefined;
}

/** What the scheduler has counted of a thread since its start. */
export interface CpuTime {
  readonly onCpuNs: number;
  /** How long it was ready and had no CPU. */
  readonly runDelayNs: number;
}

/** A place in the kernel that was read with its name. */
export interface NamedPlace extends KernelPlace {
  /** `0x` and hexadecimal digits; 0x0 when it is unknown. */
  readonly address: string;
}

/** The stack of a blocked thread, read from /proc. */
export interface BlockedAt {
  /** Leaf first. */
  readonly kernel: readonly NamedPlace[];
  /** Address from which it entered the kernel, hexadecimal; empty when unknown. */
  readonly user: string;
}

/** What is known when the collection has ended. */
export interface Ending {
  /** How long the collection took by our own clock, ns: for a stream that breaks off. */
  readonly elapsedNs: number;
  readonly exit: Metadata['exit'];
  readonly incomplete: boolean;
  /** Threads of followed processes that were alive at the end. */
  readonly alive: readonly LiveThread[];
  /** How long before the end they were looked at, ns, at most. */
  readonly aliveAgeNs?: number | undefined;
  readonly mappings: AddressSpaces;
  /** Processes that told what code they compiled, by a perf-PID.map. */
  readonly perfMaps: readonly number[];
  /** How often the kernel did not run one of the programs. */
  readonly skippedRuns: number;
  /** What the programs took of the CPUs; null when the kernel did not time them. */
  readonly programTime?: ProgramTime | null | undefined;
  /** Why it did not; none when that was not asked for. */
  readonly untimed?: string | undefined;
  /** What else was taken; null when that was not asked for, or bpftrace had ended. */
  readonly footprint?: Footprint | null | undefined;
  readonly warnings: readonly string[];
}

export interface ProgramTime {
  readonly timeNs: number;
  /** How often a program ran. */
  readonly runs: number;
  /** For how long the kernel timed them, where it did not all of the time: then these are estimates. */
  readonly timedNs?: number | undefined;
}

/** What btprof and bpftrace take, besides the programs in the kernel. */
export interface Footprint {
  /** Of both, in user code and in the kernel, while the collection lasted. */
  readonly cpuNs: number;
  /** Resident memory of btprof, the most until the maps had been read. */
  readonly btprofBytes: number;
  readonly bpftraceBytes: number;
  /** What the kernel's maps take. */
  readonly mapBytes: number;
}

/** An `Ending` as captures and recordings store it. */
export type StoredEnding = Omit<Ending, 'mappings'> & { readonly mappings: MappingTexts };
