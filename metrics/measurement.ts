import type { z } from 'zod';
import type { Account } from './account-schema.ts';
import type { Block, BlockOptions } from './blocks.ts';
import type { DiffPart } from './diff-part.ts';
import type { Facts, LiveThread } from './facts.ts';
import type { Frame, MappingRow } from './fields.ts';
import type { FrameTable } from './frames.ts';
import type { AddressSpaces } from './mappings.ts';
import type { Recording, ThreadRun } from './recording.ts';
import type { EndState, Names } from './threads.ts';
import type { ReadableMap, Reading } from './window.ts';

/**
 * The parts of a result by the names of their profilers. Each profiler adds its own to this interface where it is
 * defined (`declare module`), so that code which knows a profiler has its type.
 */
export interface Parts {
  [name: string]: unknown;
}

/** The parts of an interval. */
export interface IntervalParts {
  [name: string]: unknown;
}

/** The whole collection or one interval: its rows, and the facts that belong to it. */
export interface Window {
  /** The rows of a map in this span: its content at the end minus its content at the start. */
  readonly rows: <Row>(map: ReadableMap<Row>) => readonly Row[];
  /** A table for the frames of a part. */
  readonly newFrames: () => FrameTable;
  readonly facts: Facts;
  /** Whether it is the whole collection. */
  readonly isWhole: boolean;
  /** Whether all maps are from the same moment, as at the end. At intervals, waits continue while maps are printed. */
  readonly isOneMoment: boolean;
  /** Whether no event, line or map entry is known to be lost. */
  readonly isLossless: boolean;
  /** Whether a map was full. */
  readonly isFull: (map: ReadableMap) => boolean;
  /** Wall time of the span, ns. */
  readonly elapsedNs: number;
  /** Start and end of the collection so far, ns of the kernel's clock. */
  readonly start: number;
  readonly end: number;
  readonly names: Names;
  /** The threads that ran before the collection, by tid. */
  readonly named: ReadonlyMap<number, LiveThread>;
  /** Where such a thread entered the kernel, as a user stack of one address. */
  readonly startStacks: ReadonlyMap<number, readonly number[]>;
  /** The state of the threads that are alive at the end, by tid. */
  readonly alive: ReadonlyMap<number, EndState>;
  /** Earliest time at which that state was read, ns of the kernel's clock. */
  readonly lookedAt: number;
  /** Lifetimes and CPU times of threads. */
  readonly threads: ThreadTimes;
  readonly idle: readonly IdleMatch[];
  readonly recording: Recording;
  /** The profilers of this collection. */
  readonly measured: readonly Measurement[];
  readonly spaces: AddressSpaces;
  /** Processes that wrote a perf-PID.map. */
  readonly perfMaps: readonly number[];
}

/** Times by `PID:TID`, ns. */
export interface ThreadTimes {
  /** How many threads had this number. */
  readonly counts: ReadonlyMap<string, number>;
  /** How long each thread lived within the collection. */
  readonly lifetimes: ReadonlyMap<string, number>;
  /** CPU time of each thread, as counted by the scheduler. */
  readonly cpu: ReadonlyMap<string, { readonly onCpuNs: number; readonly runDelayNs: number }>;
}

/** A rule of the user: waits below matching functions are idle, or not idle. */
export interface IdleMatch {
  readonly pattern: RegExp;
  readonly idle: boolean;
}

/** What the figures of a part lack, for `quality`. */
export interface Losses {
  readonly switches_unseen?: number;
  readonly waits_missed?: number;
  /** Events whose stacks are missing. */
  readonly stacks_missing?: number;
  readonly frames_cut?: number;
  /** Events whose user stack lacks callers. */
  readonly stacks_incomplete?: number;
}

export interface Reduced<Part> {
  readonly part: Part;
  readonly losses?: Losses;
  /** Where the time of all threads went; only from a profiler that measures all waits. */
  readonly account?: Account | undefined;
  /** How to get a more complete result: a sentence each, the most useful first. */
  readonly hints?: readonly string[];
}

/** Time, or events, of one thread in one stack. */
export interface StackRow {
  readonly pid: number;
  readonly tid: number;
  readonly comm: string | null;
  /** Kind of time: a reason, ON_CPU, or a kind of the profiler's own. */
  readonly kind: string;
  /** Whether the wait was idle. */
  readonly idle: boolean;
  /** Whether it had not ended at the end of the collection. */
  readonly open: boolean;
  readonly timeNs: number;
  /** Number of events that ended. */
  readonly count: number;
  /** The system call in which the thread was; undefined if unknown. */
  readonly syscall?: string | null | undefined;
  /** Indices into the frames, leaf first. */
  readonly user: readonly number[];
  readonly kernel: readonly number[];
}

/** How the stacks of a part are read for flame graphs and similar formats. */
export interface StackView<Part> {
  frames(part: Part): readonly Frame[];
  mappings(part: Part): readonly MappingRow[];
  rows(part: Part): StackRow[];
  /** Whether its rows are samples of CPU time, which the account has exactly. */
  readonly samplesCpu?: boolean;
  /** Values of a stack, as pprof shows them; the first `isDefault` of all parts is shown first. */
  readonly values: readonly StackValue[];
  /** Texts for kinds whose stacks do not explain them. */
  readonly kindTexts?: Readonly<Record<string, string>>;
  /** Hue in degrees and chroma (oklch) of each kind in flame graphs. */
  readonly colours: Readonly<Record<string, readonly [hue: number, chroma: number]>>;
  /** The word for one event, such as `wait`. */
  readonly event: string;
  /** Title of the flame graph: `Off-CPU time`. */
  readonly title: string;
}

export interface StackValue {
  readonly type: string;
  readonly unit: 'count' | 'nanoseconds';
  readonly of: (row: { readonly open: boolean; readonly count: number; readonly timeNs: number }) => number;
  readonly isDefault?: boolean;
}

/** Names that `diff --fail-if` knows besides paths of numbers. */
export interface MetricNames<Part> {
  /** Short names of times in ns, such as `lock`. */
  readonly times: readonly string[];
  time(part: Part, name: string): number;
  /** Tables that leave out rows with 0: their path, the possible row names, and what may follow the name. */
  readonly zeros: readonly (readonly [path: string, names: readonly string[], rest: RegExp])[];
  /** The message if no result has the part. */
  readonly missing: string;
  /** A gate on a metric of the part, such as `lock>+20%`. */
  readonly example: string;
}

/**
 * The half of a profiler that does not need the kernel: it turns rows of maps into a part of the result and into all
 * outputs.
 */
export interface Measurement<Part = unknown> {
  readonly name: string;
  /** What it measures, in a few words: `off-CPU time`. */
  readonly noun: string;
  readonly schema: z.ZodType<Part>;
  /** Schema of an interval; by default the same as `schema`. */
  readonly intervalSchema?: z.ZodType;
  /** The maps that it reads. */
  readonly maps: readonly ReadableMap[];
  reduce(window: Window): Reduced<unknown>;
  /** Adds to the part what depends on the rows of other parts. */
  finish?(part: Part, rows: () => readonly StackRow[], window: Window): void;
  /** Runs of threads at the end of a session after which another session continues the collection. */
  runsAtEnd?(reading: Reading): readonly ThreadRun[];
  /** How much was measured: `69 waits`. */
  events(part: Part): { readonly count: number; readonly text: string };
  /** Sentences about what matters most. */
  findings?(part: Part): readonly string[];
  /** Its blocks of the summary. */
  blocks?(part: Part, options: BlockOptions): readonly Block[];
  readonly stacks?: StackView<Part>;
  readonly diff?: DiffPart<Part>;
  readonly metrics?: MetricNames<Part>;
}
