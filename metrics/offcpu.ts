import type { NumberedStacks } from '../bt/profilers/stacks.ts';
import type { CallId } from '../bt/profilers/syscall-times.ts';
import {
  type OpenWait,
  readExtremes,
  readOpenWait,
  readWait,
  TASK_STATES,
  type TaskState,
  type WaitRow,
} from '../bt/profilers/waits.ts';
import type { Entry } from '../parsers/entries.ts';
import type { Frame, Offcpu } from './ebpf-schema.ts';
import type { LiveThread } from './facts.ts';
import type { FrameTable } from './frames.ts';
import { distinct, hashOf, sameNumbers } from './hash.ts';
import { type Reason, whyWaited } from './reasons.ts';
import { type AtEnd, isRun, runsAtEnd } from './runs.ts';
import { type Threads, threadStats, topThreads } from './thread-stats.ts';

export interface OffcpuInput extends Threads, AtEnd {
  readonly waits: readonly Entry[];
  readonly extremes: readonly Entry[];
  readonly off: readonly Entry[];
  readonly numbered: NumberedStacks;
  /** The name of a system call; undefined when calls were not timed, and waits do not have theirs. */
  readonly callName: ((call: CallId) => string) | undefined;
  /** Whether stacks were asked for. */
  readonly stacks: boolean;
  /**
   * The threads that ran before the collection, by tid, and where they were blocked then. The kernel's row for one has the
   * tid in place of its process, too.
   */
  readonly named: ReadonlyMap<number, LiveThread>;
}

/**
 * Off-CPU metrics out of the kernel's sums; `frames` grows by the frames of their stacks. What rests on names is left
 * empty: `idle` and `bottlenecks`.
 */
export function offcpuMetrics(
  input: OffcpuInput,
  frames: FrameTable,
): {
  metrics: Offcpu;
  unreadable: number;
  stacksMissing: number;
  framesCut: number;
  incomplete: number;
  runs: ReturnType<typeof runsAtEnd>;
} {
  const waits = readRows(input.waits, (entry) => readWait(entry, input.numbered), input.named);
  const extremes = readRows(input.extremes, readExtremes, input.named);
  const open = readRows(input.off, (entry) => readOpenWait(entry, input.numbered), input.named);
  const threads = threadStats(waits.rows, extremes.rows, input);
  const stats = Object.values(threads);
  const total = sum(stats.map((t) => t.total_time_ns));
  const events = sum(stats.map((t) => t.count));
  const { rows: stacks, missing } = stackRows(waits.rows, input, frames);
  const metrics: Offcpu = {
    total_time_ns: total,
    total_events: events,
    avg_time_ns: events ? Math.round(total / events) : 0,
    max_time_ns: stats.reduce((max, t) => Math.max(max, t.max_time_ns), 0),
    min_time_ns: stats.length ? stats.reduce((min, t) => Math.min(min, t.min_time_ns), Infinity) : 0,
    thread_stats: threads,
    top_blocking_threads: topThreads(threads, total),
    bottlenecks: [],
    by_reason: {},
    undecided: {},
    idle: { time_ns: 0, count: 0, by_kind: {} },
    still_blocked: stillBlocked(open.rows, input, frames),
    stacks,
    frames: [...frames.frames],
    mappings: [...frames.mappings],
  };
  metrics.by_reason = byReason(metrics.stacks);
  metrics.undecided = undecided(metrics);
  return {
    metrics,
    unreadable: waits.unreadable + extremes.unreadable + open.unreadable,
    incomplete: sum(metrics.stacks.map((row) => (row.user_incomplete && !row.since_start ? row.count : 0))),
    framesCut: sum([...metrics.stacks, ...metrics.still_blocked].map((row) => row.user_cut)),
    stacksMissing: input.stacks ? missing : 0,
    runs: runsAtEnd(open.rows, input),
  };
}

/** Rows of threads with their process, and how many entries cannot be read. */
function readRows<T extends { pid: number; tid: number }>(
  entries: readonly Entry[],
  read: (entry: Entry) => T | undefined,
  named: OffcpuInput['named'],
): { rows: T[]; unreadable: number } {
  const rows = entries.map(read).filter((row) => row !== undefined);
  return { rows: rows.map((row) => withOwner(row, named)), unreadable: entries.length - rows.length };
}

function withOwner<T extends { pid: number; tid: number }>(row: T, named: OffcpuInput['named']): T {
  const pid = row.pid === row.tid ? (named.get(row.tid)?.pid ?? row.pid) : row.pid;
  return pid === row.pid ? row : { ...row, pid };
}

/** Waits added up by their reasons, most of the time first. */
function byReason(stacks: Offcpu['stacks']): Offcpu['by_reason'] {
  const sums = new Map<Reason, { time_ns: number; count: number }>();
  for (const { reason, time_ns, count } of stacks) addTo(sums, reason, time_ns, count);
  return Object.fromEntries(byTime(sums));
}

/** The functions of the waits for which no reason is known, most of the time first. */
function undecided({ stacks, frames }: Pick<Offcpu, 'stacks' | 'frames'>): Offcpu['undecided'] {
  const sums = new Map<string, { time_ns: number; count: number }>();
  for (const { reason, state, kernel, time_ns, count } of stacks) {
    if (reason !== 'other') continue;
    addTo(sums, whyWaited(state, symbolsOf(kernel, frames)).undecided ?? 'unknown', time_ns, count);
  }
  return Object.fromEntries(byTime(sums));
}

function addTo<K>(sums: Map<K, { time_ns: number; count: number }>, key: K, ns: number, count: number): void {
  const sum = sums.get(key) ?? { time_ns: 0, count: 0 };
  sums.set(key, { time_ns: sum.time_ns + ns, count: sum.count + count });
}

function byTime<K>(sums: Map<K, { time_ns: number; count: number }>) {
  return [...sums].sort(([, a], [, b]) => b.time_ns - a.time_ns);
}

/** Rows of `@waits`, less what they were at the start of the interval. */
export function waitsBetween(now: readonly Entry[], before: readonly Entry[]): Entry[] {
  const earlier = sumByKey(before);
  return [...sumByKey(now)].flatMap(([key, { count, total }]) => {
    const then = earlier.get(key) ?? { count: 0, total: 0 };
    return count > then.count
      ? [{ key, value: { count: count - then.count, total: total - then.total } }]
      : [];
  });
}

/** Keys may print alike, in another order each time: what they hold is subtracted together. */
function sumByKey(entries: readonly Entry[]): Map<string, { count: number; total: number }> {
  const sums = new Map<string, { count: number; total: number }>();
  for (const entry of entries) {
    const wait = readWait(entry);
    if (!wait) continue;
    const { count, total } = sums.get(entry.key) ?? { count: 0, total: 0 };
    sums.set(entry.key, { count: count + wait.count, total: total + wait.totalNs });
  }
  return sums;
}

/**
 * By time, longest first, and how many waits lack the stack that they should have. Kernel rows that differ in words that
 * are no code only, or whose stack was lost, are one.
 */
function stackRows(
  waits: readonly WaitRow[],
  input: OffcpuInput,
  frames: FrameTable,
): { rows: Offcpu['stacks']; missing: number } {
  const lacks = lacksStack(frames);
  let missing = 0;
  const rows = distinct(hashOfRow, areAlike);
  for (const wait of waits) {
    const { pid, tid, totalNs: time_ns, count, sinceStart: since_start } = wait;
    const where = whereWaited(wait, input, frames);
    const row: StackRow = { pid, tid, time_ns, count, since_start, idle: null, ...where };
    if (input.callName) row.syscall = wait.call ? input.callName(wait.call) : null;
    if (!wait.made && !since_start && lacks(row)) missing += count;
    const known = rows.items[rows.indexOf(row)];
    if (known === undefined || known === row) continue;
    known.time_ns += time_ns;
    known.count += count;
  }
  return { rows: rows.items.toSorted((a, b) => b.time_ns - a.time_ns), missing };
}

type StackRow = Offcpu['stacks'][number];

function hashOfRow({ pid, tid, kernel, user }: StackRow): number {
  return hashOf(user, hashOf(kernel, hashOf([pid, tid])));
}

/** Whether they differ in their sums only. */
function areAlike(a: StackRow, b: StackRow): boolean {
  return (
    TOLD_APART_BY.every((field) => a[field] === b[field]) &&
    sameNumbers(a.kernel, b.kernel) &&
    sameNumbers(a.user, b.user)
  );
}

const TOLD_APART_BY = [
  'pid',
  'tid',
  'state',
  'reason',
  'syscall',
  'since_start',
  'user_cut',
  'user_incomplete',
] as const satisfies (keyof StackRow)[];

/** State, reason and stacks of a wait, by which waits are told apart. */
type Where = Pick<
  Offcpu['stacks'][number],
  'state' | 'reason' | 'user' | 'user_cut' | 'user_incomplete' | 'kernel'
>;

/** A wait that was on when its thread was named has the stack that /proc had then: of user code the leaf only. */
function whereWaited(
  wait: Pick<WaitRow, 'pid' | 'tid' | 'generation' | 'state' | 'sinceStart' | 'user' | 'kernel'>,
  { named, stacks }: OffcpuInput,
  frames: FrameTable,
): Where {
  const thread = wait.sinceStart ? named.get(wait.tid) : undefined;
  const state = thread ? stateOf(thread) : wait.state;
  const shown = stacks ? thread?.blocked : undefined;
  const user = frames.user(shown?.user ?? wait.user, wait.pid, wait.generation);
  const kernel = shown ? frames.named(shown.kernel) : frames.kernel(wait.kernel);
  const symbols = thread?.blocked?.kernel.map(({ symbol }) => symbol) ?? symbolsOf(kernel, frames.frames);
  return {
    state,
    reason: whyWaited(state, symbols).reason,
    user: user.stack,
    user_cut: user.cut,
    user_incomplete: user.incomplete || shown !== undefined,
    kernel,
  };
}

/** Functions of a stack, leaf first. */
function symbolsOf(stack: readonly number[], frames: readonly Frame[]): (string | null)[] {
  return stack.map((index) => frames[index]?.symbol ?? null);
}

function stateOf({ state }: LiveThread): TaskState {
  return TASK_STATES.find((letter) => letter === state) ?? '?';
}

/**
 * Waits that had not ended. A thread that was named to the program as perhaps blocked, and never was off the CPU
 * after all, is no wait.
 */
function stillBlocked(
  waits: readonly OpenWait[],
  input: OffcpuInput,
  frames: FrameTable,
): Offcpu['still_blocked'] {
  return waits
    .filter((wait) => wait.sinceNs <= input.end && !isRun(wait, input))
    .map((wait) => ({
      pid: wait.pid,
      tid: wait.tid,
      comm: input.comms.get(wait.tid) ?? null,
      blocked_ns: input.end - wait.sinceNs,
      since_start: wait.sinceStart,
      idle: null,
      ...(input.callName ? { syscall: wait.call ? input.callName(wait.call) : null } : {}),
      ...whereWaited(wait, input, frames),
    }))
    .sort((a, b) => b.blocked_ns - a.blocked_ns);
}

/** Kernel functions of a process's threads that have no user code: exiting ones, and io_uring's. */
const WITHOUT_USER_CODE = new Set(['do_exit', 'io_sq_thread', 'io_wq_worker']);

/** Every wait that a thread began itself has a kernel stack; a user stack too, if the thread has user code. */
function lacksStack({ frames }: FrameTable): (row: Pick<Where, 'kernel' | 'user'>) => boolean {
  const lacksUserCode = (kernel: readonly number[]) =>
    kernel.some((index) => WITHOUT_USER_CODE.has(frames[index]?.symbol ?? ''));
  return ({ kernel, user }) => kernel.length === 0 || (user.length === 0 && !lacksUserCode(kernel));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
