import type { LiveThread } from '../../../metrics/facts.ts';
import type { Frame, WaitSum } from '../../../metrics/fields.ts';
import type { FrameTable } from '../../../metrics/frames.ts';
import { distinct, hashOf, sameNumbers } from '../../../metrics/hash.ts';
import type { Losses, Reduced, Window } from '../../../metrics/measurement.ts';
import { sum, waitSumsBy } from '../../../metrics/sums.ts';
import { type CallId, callName } from '../../../metrics/syscall-name.ts';
import { bottlenecks } from './bottlenecks.ts';
import { isRun, runsAtEnd } from './end-runs.ts';
import { markIdle } from './idle.ts';
import { accountOf } from './off-account.ts';
import { accountHints, hintsFor } from './off-hints.ts';
import {
  extremes,
  missed,
  type OpenRow,
  off,
  ownStacks,
  type RowOf,
  TASK_STATES,
  type TaskState,
  unseen,
  type WaitRow,
  waitState,
  waits,
} from './off-maps.ts';
import type { Offcpu, OffcpuInterval } from './off-schema.ts';
import { whyWaited } from './reason-table.ts';
import { threadStats, topThreads } from './thread-stats.ts';

/** Computes the off-CPU metrics of the whole collection or of an interval. */
export function reduceOffcpu(window: Window): Reduced<Offcpu | OffcpuInterval> {
  const waitRows = window.rows(waits);
  const openRows = window.rows(off).map(openRow);
  const frames = window.newFrames();
  const { rows: stacks, missing } = stackRows(waitRows, window, frames);
  const part = partOf(waitRows, stacks, stillBlocked(openRows, window, frames), window, frames);
  const idleHints = markIdle(part, window.idle);
  const losses = { ...lossesOf(part), stacks_missing: window.facts.stacks ? missing : 0 };
  if (!window.isWhole) return { part: intervalPart(part), losses };
  part.bottlenecks = bottlenecks(part);
  const whole = wholeOf(part, openRows, window, losses);
  return { part, ...whole, hints: [...idleHints, ...whole.hints] };
}

/** Computes what only the whole collection has. */
function wholeOf(part: Offcpu, openRows: readonly OpenRow[], window: Window, losses: Losses) {
  const [unseenRows, missedRows] = [window.rows(unseen), window.rows(missed)];
  const runs = runsAtEnd(openRows, window);
  const account = accountOf(part, window, runs.ran);
  const isComplete = window.isLossless && missedRows.length === 0;
  return {
    account,
    losses: {
      ...losses,
      switches_unseen: sum(unseenRows.map(({ count }) => count)),
      waits_missed: sum(missedRows.map(({ count }) => count)) + runs.unseen,
    },
    hints: [
      ...(window.facts.stacks ? hintsFor(part, window) : []),
      ...accountHints(account, part, isComplete),
    ],
  };
}

// A print may have 65,536 rows. These two name every field, because copying rows by `...` takes a fifth of the time of a result.

function waitRow(row: RowOf<typeof waits>): WaitRow {
  const { tid, pid, generation, count, total } = row;
  const { state, call, sinceStart, isNew, running } = waitState(row.state);
  const { kernel, user } = ownStacks({ sinceStart, isNew }, row);
  return { tid, pid, generation, count, total, state, call, sinceStart, isNew, running, kernel, user };
}

function openRow(row: RowOf<typeof off>): OpenRow {
  const { tid, pid, generation, since, ran, longest, shortest } = row;
  const { state, call, sinceStart, isNew, running } = waitState(row.state);
  const { kernel, user } = ownStacks({ sinceStart, isNew }, row);
  const times = { since, ran, longest, shortest };
  return { tid, pid, generation, ...times, state, call, sinceStart, isNew, running, kernel, user };
}

function partOf(
  waitRows: readonly RowOf<typeof waits>[],
  stacks: Offcpu['stacks'],
  still_blocked: Offcpu['still_blocked'],
  window: Window,
  table: FrameTable,
): Offcpu {
  const threads = threadStats(waitRows, window.rows(extremes), window);
  const stats = Object.values(threads);
  const total = sum(stats.map((t) => t.total_time_ns));
  const events = sum(stats.map((t) => t.count));
  const { frames, mappings, stack } = table.finished();
  const finished = <R extends { user: number[]; kernel: number[] }>(row: R): R => {
    const [user, kernel] = [stack(row.user), stack(row.kernel)];
    return user === row.user && kernel === row.kernel ? row : { ...row, user, kernel };
  };
  return {
    total_time_ns: total,
    total_events: events,
    avg_time_ns: events ? Math.round(total / events) : 0,
    max_time_ns: stats.reduce((max, t) => Math.max(max, t.max_time_ns), 0),
    min_time_ns: stats.length ? stats.reduce((min, t) => Math.min(min, t.min_time_ns), Infinity) : 0,
    thread_stats: threads,
    top_blocking_threads: topThreads(threads, total),
    bottlenecks: [],
    by_reason: byReason(stacks),
    undecided: undecided(stacks, table.frames),
    idle: { time_ns: 0, count: 0, by_kind: {} },
    still_blocked: still_blocked.map(finished),
    stacks: stacks.map(finished),
    frames,
    mappings,
  };
}

function lossesOf({ stacks, still_blocked }: Offcpu): Losses {
  return {
    frames_cut: sum([...stacks, ...still_blocked].map((row) => row.user_cut)),
    stacks_incomplete: sum(stacks.map((row) => (row.user_incomplete && !row.since_start ? row.count : 0))),
  };
}

function intervalPart(part: Offcpu): OffcpuInterval {
  const { max_time_ns, min_time_ns, still_blocked, bottlenecks, ...rest } = part;
  const threads = Object.entries(rest.thread_stats).map(([key, thread]) => {
    const { max_time_ns, min_time_ns, lifetime_ns, ...kept } = thread;
    return [key, kept] as const;
  });
  return { ...rest, thread_stats: Object.fromEntries(threads) };
}

/** Adds up waits by reason, the longest time first. */
function byReason(stacks: Offcpu['stacks']): Offcpu['by_reason'] {
  return Object.fromEntries(byTime(waitSumsBy(stacks, ({ reason }) => reason)));
}

/** Adds up waits without a known reason by kernel function, the longest time first. */
function undecided(stacks: Offcpu['stacks'], frames: readonly Frame[]): Offcpu['undecided'] {
  const others = stacks.filter(({ reason }) => reason === 'other');
  const nameOf = ({ state, kernel }: StackRow) =>
    whyWaited(state, symbolsOf(kernel, frames)).undecided ?? 'unknown';
  return Object.fromEntries(byTime(waitSumsBy(others, nameOf)));
}

function byTime<K>(sums: ReadonlyMap<K, WaitSum>): [K, WaitSum][] {
  return [...sums].sort(([, a], [, b]) => b.time_ns - a.time_ns);
}

/**
 * Sorts the rows by time, longest first, and counts waits that lack their stack. Rows that differ only in words that
 * are not code, or whose stacks were lost, are merged.
 */
function stackRows(
  waitRows: readonly RowOf<typeof waits>[],
  window: Window,
  frames: FrameTable,
): { rows: Offcpu['stacks']; missing: number } {
  const lacks = lacksStack(frames);
  let missing = 0;
  const rows = distinct(hashOfRow, areAlike);
  for (const read of waitRows) {
    const wait = waitRow(read);
    const { pid, tid, total: time_ns, count, sinceStart: since_start } = wait;
    const where = whereWaited(wait, window, frames);
    const row: StackRow = { pid, tid, time_ns, count, since_start, idle: null, ...where };
    if (window.facts.syscallTimes) row.syscall = nameOf(wait.call, window);
    if (!wait.isNew && !since_start && lacks(row)) missing += count;
    const known = rows.items[rows.indexOf(row)];
    if (known === undefined || known === row) continue;
    known.time_ns += time_ns;
    known.count += count;
  }
  return { rows: rows.items.toSorted((a, b) => b.time_ns - a.time_ns), missing };
}

function nameOf(call: CallId | undefined, { facts }: Window): string | null {
  return call ? callName(facts.host.arch, call) : null;
}

type StackRow = Offcpu['stacks'][number];

function hashOfRow({ pid, tid, kernel, user }: StackRow): number {
  return hashOf(user, hashOf(kernel, hashOf([pid, tid])));
}

/** Tells whether two rows differ only in their sums. */
function areAlike(a: StackRow, b: StackRow): boolean {
  return (
    IDENTITY.every((field) => a[field] === b[field]) &&
    sameNumbers(a.kernel, b.kernel) &&
    sameNumbers(a.user, b.user)
  );
}

const IDENTITY = [
  'pid',
  'tid',
  'state',
  'reason',
  'syscall',
  'since_start',
  'user_cut',
  'user_incomplete',
] as const satisfies (keyof StackRow)[];

/** The fields that identify a wait: state, reason and stacks. */
type Where = Pick<
  Offcpu['stacks'][number],
  'state' | 'reason' | 'user' | 'user_cut' | 'user_incomplete' | 'kernel'
>;

/**
 * Finds state, reason and stacks of a wait. A wait that was in progress when its thread was named has the stack that
 * /proc showed at that time, with only the leaf of the user code.
 */
function whereWaited(
  wait: Pick<WaitRow, 'pid' | 'tid' | 'generation' | 'state' | 'sinceStart' | 'user' | 'kernel'>,
  { named, startStacks, facts }: Window,
  frames: FrameTable,
): Where {
  const thread = wait.sinceStart ? named.get(wait.tid) : undefined;
  const state = thread ? stateOf(thread) : wait.state;
  const shown = facts.stacks ? thread?.blocked : undefined;
  const ids = shown ? (startStacks.get(wait.tid) ?? []) : wait.user;
  const user = frames.user(ids, wait.pid, wait.generation);
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
 * Lists the waits that had not ended. A thread that seemed blocked when it was named but was on a CPU all the time is
 * not waiting.
 */
function stillBlocked(
  openRows: readonly OpenRow[],
  window: Window,
  frames: FrameTable,
): Offcpu['still_blocked'] {
  return openRows
    .filter((wait) => wait.since <= window.end && !isRun(wait, window))
    .map((wait) => ({
      pid: wait.pid,
      tid: wait.tid,
      comm: window.names.threads.get(wait.tid) ?? null,
      blocked_ns: window.end - wait.since,
      since_start: wait.sinceStart,
      idle: null,
      ...(window.facts.syscallTimes ? { syscall: nameOf(wait.call, window) } : {}),
      ...whereWaited(wait, window, frames),
    }))
    .sort((a, b) => b.blocked_ns - a.blocked_ns);
}

/** Kernel functions of threads without user code: exiting threads, and those of io_uring. */
const WITHOUT_USER_CODE = new Set(['do_exit', 'io_sq_thread', 'io_wq_worker']);

/** Every wait that a thread began itself has a kernel stack, and a user stack if the thread has user code. */
function lacksStack({ frames }: FrameTable): (row: Pick<Where, 'kernel' | 'user'>) => boolean {
  const lacksUserCode = (kernel: readonly number[]) =>
    kernel.some((index) => WITHOUT_USER_CODE.has(frames[index]?.symbol ?? ''));
  return ({ kernel, user }) => kernel.length === 0 || (user.length === 0 && !lacksUserCode(kernel));
}
