import { type CallChains, callChains } from '../../../metrics/call-chain.ts';
import { REASON_SUBJECTS, type Reason } from '../../../metrics/reasons.ts';
import { groupBy, sum, sumBy } from '../../../metrics/sums.ts';
import { keyOf } from '../../../metrics/threads.ts';
import { formatCount, formatNs, formatShare, plural } from '../../../metrics/units.ts';
import type { Offcpu } from './off-schema.ts';
import { KIND_TEXTS } from './reason-table.ts';

type StackRow = Offcpu['stacks'][number];

/** The waits of all threads for one reason, in the same functions. */
interface HotWait {
  readonly reason: Reason;
  readonly timeNs: number;
  /** One row for each thread and stack; at least one. */
  readonly rows: readonly StackRow[];
}

/** Groups waits by reason and functions, longest first. */
export function hottestWaits(stacks: readonly StackRow[], { groupOf }: CallChains): HotWait[] {
  return groupBy(stacks, groupOf)
    .map((rows) => ({ reason: (rows[0] as StackRow).reason, timeNs: timeOf(rows), rows }))
    .sort((a, b) => b.timeNs - a.timeNs);
}

export function timeOf(rows: readonly StackRow[]): number {
  return sum(rows.map(({ time_ns }) => time_ns));
}

/** Counts waits, and the threads that waited. */
export function countsOf(rows: readonly StackRow[]): { waits: number; threads: number } {
  return {
    waits: sum(rows.map(({ count }) => count)),
    threads: new Set(rows.map(keyOf)).size,
  };
}

/** Leaves out idle waits. */
export function nonIdle<T extends { idle: unknown }>(rows: readonly T[]): T[] {
  return rows.filter(({ idle }) => idle === null);
}

/** Leaves out idle waits and, if the children were profiled too, waits for children: what the children wait for says more. */
function worthNaming<T extends { idle: unknown; reason: Reason }>(rows: readonly T[], offcpu: Offcpu): T[] {
  const working = nonIdle(rows);
  return hasChildren(offcpu) ? working.filter(({ reason }) => reason !== 'child') : working;
}

function hasChildren({ thread_stats, still_blocked }: Offcpu): boolean {
  const ofEnded = Object.keys(thread_stats).map((key) => key.slice(0, key.indexOf(':')));
  return new Set([...ofEnded, ...still_blocked.map(({ pid }) => String(pid))]).size > 1;
}

/** What the time of the waits that are worth naming is called. */
function totalText(offcpu: Offcpu): string {
  const isChild = ({ reason }: { reason: Reason }) => reason === 'child';
  const without = hasChildren(offcpu) && nonIdle([...offcpu.stacks, ...offcpu.still_blocked]).some(isChild);
  return `non-idle off-CPU time${without ? ' without waits for children' : ''}`;
}

/** Adds up the time of waits that had not ended. */
function blockedTime(rows: Offcpu['still_blocked']): number {
  return sum(rows.map(({ blocked_ns }) => blocked_ns));
}

/** Waits with a smaller share of the time are not worth a sentence. */
const NOTABLE = 0.3;
/** Waits with a smaller share of the lifetime of all threads are not a bottleneck. */
const NEGLIGIBLE = 0.01;
/** Idle waits with a smaller share of the off-CPU time are not worth a sentence. */
const NEARLY_ALL = 0.9;

/** States what held the program up: at most three sentences, the most important first. */
export function bottlenecks(offcpu: Offcpu): string[] {
  return [stuckSentence(offcpu), idleSentence(offcpu), waitSentence(offcpu), threadSentence(offcpu)]
    .filter((s) => s !== undefined)
    .slice(0, 3);
}

/** Threads that were still waiting at the end, as in a deadlock. */
function stuckSentence(offcpu: Offcpu): string | undefined {
  const { still_blocked, frames, total_time_ns } = offcpu;
  const stuck = worthNaming(still_blocked, offcpu);
  const [longest] = stuck;
  const blocked = blockedTime(stuck);
  if (!longest || blocked < NOTABLE * (total_time_ns + blocked)) return undefined;
  const who =
    stuck.length > 1
      ? `${formatCount(stuck.length)} threads were`
      : `Thread ${longest.pid}:${longest.tid} was`;
  const since = longest.since_start ? ' since before the start,' : '';
  const longestOf = stuck.length > 1 ? ' the longest' : '';
  const chain = callChains(frames, KIND_TEXTS).textOf(longest);
  const where = chain ? `, ${longest.reason}: ${chain}` : '';
  return `${who} still off the CPU at the end,${since}${longestOf} for ${formatNs(longest.blocked_ns)}${where}.`;
}

function idleSentence({ idle, total_time_ns: total }: Offcpu): string | undefined {
  if (idle.count === 0 || idle.time_ns < NEARLY_ALL * total) return undefined;
  const kinds = Object.entries(idle.by_kind).sort(([, a], [, b]) => b.time_ns - a.time_ns);
  const names = kinds.map(([kind]) => kind).join(', ');
  return `Idle waits account for ${formatShare(idle.time_ns, total)} of off-CPU time: waiting for work (${names}).`;
}

function waitSentence(offcpu: Offcpu): string | undefined {
  const chains = callChains(offcpu.frames, KIND_TEXTS);
  const rows = worthNaming(offcpu.stacks, offcpu);
  const total = timeOf(rows) + blockedTime(worthNaming(offcpu.still_blocked, offcpu));
  if (total < NEGLIGIBLE * threadTime(offcpu)) return undefined;
  const [hottest] = hottestWaits(withoutMinorLeaves(rows, chains, NOTABLE * total), chains);
  if (!hottest || hottest.timeNs < NOTABLE * total) return undefined;
  const { timeNs, reason } = hottest;
  const chain = chains.textOf(hottest.rows[0] as StackRow);
  if (chain === '') return undefined;
  const { waits, threads } = countsOf(hottest.rows);
  const share = formatShare(timeNs, total);
  const figures = `${formatNs(timeNs)} in ${plural(waits, 'wait')} of ${plural(threads, 'thread')}`;
  return `${REASON_SUBJECTS[reason]} account for ${share} of ${totalText(offcpu)}: ${chain} (${figures}).`;
}

/** Leaves out functions that waited for less than `leastNs` in all: no call chain that leads to them can have waited longer. */
function withoutMinorLeaves(
  rows: readonly StackRow[],
  { leafOf }: CallChains,
  leastNs: number,
): readonly StackRow[] {
  const sums = sumBy(rows, leafOf, ({ time_ns }) => time_ns);
  return rows.filter((row) => (sums.get(leafOf(row)) as number) >= leastNs);
}

/** Adds up the lifetimes of all threads; where they are unknown, the off-CPU time. */
function threadTime({ thread_stats, total_time_ns }: Offcpu): number {
  const lifetimes = Object.values(thread_stats).map(({ lifetime_ns }) => lifetime_ns ?? 0);
  return Math.max(total_time_ns, sum(lifetimes));
}

/** The thread with the longest non-idle waits. */
function threadSentence(offcpu: Offcpu): string | undefined {
  const rows = worthNaming(offcpu.stacks, offcpu);
  const threads = groupBy(rows, ({ tid }) => tid).flatMap((of) => groupBy(of, ({ pid }) => pid)); // another process may reuse a tid
  const sums = threads.map((of) => ({ row: of[0] as StackRow, ns: timeOf(of) }));
  const [top] = sums.sort((a, b) => b.ns - a.ns);
  if (!top) return undefined;
  const { ns, row } = top;
  const key = `${row.pid}:${row.tid}`;
  const { comm, lifetime_ns: lifetime } = offcpu.thread_stats[key] ?? {};
  if (!lifetime || ns < NOTABLE * lifetime) return undefined;
  return `Thread ${key}${comm ? ` (${comm})` : ''} was off the CPU for ${formatShare(ns, lifetime)} of the ${formatNs(lifetime)} it was watched.`;
}
