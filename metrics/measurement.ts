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

/** The same of an interval. */
export interface IntervalParts {
  [name: string]: unknown;
}

/** A span of the collection, the whole of it or one interval: its rows, and what else is known of it. */
export interface Window {
  /** The rows of a map in that span: what it holds at its end, less what it held at its start. */
  readonly rows: <Row>(map: ReadableMap<Row>) => readonly Row[];
  /** A table for the frames of a part. */
  readonly newFrames: () => FrameTable;
  readonly facts: Facts;
  /** Whether it is the whole collection. */
  readonly isWhole: boolean;
  /** Whether all maps are of one moment, as at the end; waits go on while they are printed at an interval. */
  readonly isOneMoment: boolean;
  /** Whether nothing is known to be lost: no event, no line, no entry of a map. */
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
  /** How the threads that are alive at the end were then, by tid. */
  readonly alive: ReadonlyMap<number, EndState>;
  /** When they were looked at, at the earliest, ns of the kernel's clock. */
  readonly lookedAt: number;
  /** Times of whole threads. */
  readonly threads: ThreadTimes;
  readonly idle: readonly IdleMatch[];
  readonly recording: Recording;
  /** The profilers of this collection. */
  readonly measured: readonly Measurement[];
  readonly spaces: AddressSpaces;
  /** Processes that named the code that they compiled, by a perf-PID.map. */
  readonly perfMaps: readonly number[];
}

/** Times by `PID:TID`, ns. */
export interface ThreadTimes {
  /** How many threads had that number and ended, or are alive. */
  readonly counts: ReadonlyMap<string, number>;
  /** How long each thread lived within the collection. */
  readonly lifetimes: ReadonlyMap<string, number>;
  /** What each used of the CPU, by the scheduler's count. */
  readonly cpu: ReadonlyMap<string, { readonly onCpuNs: number; readonly runDelayNs: number }>;
}

/** A rule of the user's: waits under functions that match are idle, or are not. */
export interface IdleMatch {
  readonly pattern: RegExp;
  readonly idle: boolean;
}

/** What a part's figures lack, for `quality`. */
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
  /** Where the time of all threads went, from a profiler that sees all of their waits. */
  readonly account?: Account | undefined;
  /** What would show more, the most useful first: a sentence each. */
  readonly hints?: readonly string[];
}

/** Time, or events, of one thread in one stack. */
export interface StackRow {
  readonly pid: number;
  readonly tid: number;
  readonly comm: string | null;
  /** What the time went into: a reason, ON_CPU, or a kind of the profiler's own. */
  readonly kind: string;
  /** It was waiting for work to come. */
  readonly idle: boolean;
  /** It had not ended at the end of the collection. */
  readonly open: boolean;
  readonly timeNs: number;
  /** Events that ended. */
  readonly count: number;
  /** The system call that it was within; undefined when that is unknown. */
  readonly syscall?: string | null | undefined;
  /** Indices into the frames, leaf first. */
  readonly user: readonly number[];
  readonly kernel: readonly number[];
}

/** How the stacks of a part are read: what flame graphs and their like are made of. */
export interface StackView<Part> {
  frames(part: Part): readonly Frame[];
  mappings(part: Part): readonly MappingRow[];
  rows(part: Part): StackRow[];
  /** Its rows are samples of time on a CPU, which the account knows exactly. */
  readonly samplesCpu?: boolean;
  /** Values of a stack, as pprof shows them; the first `isDefault` of all parts is shown first. */
  readonly values: readonly StackValue[];
  /** Kinds whose stacks say nothing, and what to show in their place. */
  readonly kindTexts?: Readonly<Record<string, string>>;
  /** Hue in degrees and chroma (oklch) of each kind, for pictures. */
  readonly colours: Readonly<Record<string, readonly [hue: number, chroma: number]>>;
  /** Of its events: the word for one, such as `wait`. */
  readonly event: string;
  /** Of the picture: `Off-CPU time`. */
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
  /** Tables that leave out rows of 0: their path, the names of rows, and what may follow the name. */
  readonly zeros: readonly (readonly [path: string, names: readonly string[], rest: RegExp])[];
  /** What to say where no result has the part. */
  readonly missing: string;
  /** A gate on a metric of the part, such as `lock>+20%`. */
  readonly example: string;
}

/** The half of a profiler that needs no kernel: from the rows of its maps to its part of a result, and to all outputs. */
export interface Measurement<Part = unknown> {
  readonly name: string;
  /** What it measures, in a few words: `off-CPU time`. */
  readonly noun: string;
  readonly schema: z.ZodType<Part>;
  /** Of an interval; the same without it. */
  readonly intervalSchema?: z.ZodType;
  /** The maps that it reads. */
  readonly maps: readonly ReadableMap[];
  reduce(window: Window): Reduced<unknown>;
  /** Adds to the part what the rows of all parts show. */
  finish?(part: Part, rows: readonly StackRow[], window: Window): void;
  /** What threads had done when a session ended whose collection another one goes on with. */
  runsAtEnd?(reading: Reading): readonly ThreadRun[];
  /** How much was measured: `69 waits`. */
  events(part: Part): { readonly count: number; readonly text: string };
  /** Sentences on what matters most. */
  findings?(part: Part): readonly string[];
  /** Its blocks of the summary. */
  blocks?(part: Part, options: BlockOptions): readonly Block[];
  readonly stacks?: StackView<Part>;
  readonly diff?: DiffPart<Part>;
  readonly metrics?: MetricNames<Part>;
}
