import { type Extremes, threadKey, type WaitRow } from '../bt/profilers/waits.ts';
import type { Offcpu } from './ebpf-schema.ts';

type ThreadStats = Offcpu['thread_stats'][string];

/** What is known of threads besides their waits. */
export interface Threads {
  /** Names by tid. */
  readonly comms: ReadonlyMap<number, string>;
  /** How long each lived within the collection, ns, by `PID:TID`. */
  readonly lifetimes: ReadonlyMap<string, number>;
  /** Whether the maps are of one moment, as at the end; waits go on while they are printed at an interval. */
  readonly atOnce: boolean;
}

/** Waits added up by their threads, by `PID:TID`. */
export function threadStats(
  waits: readonly WaitRow[],
  extremes: readonly Extremes[],
  { comms, lifetimes, atOnce }: Threads,
): Record<string, ThreadStats> {
  const bounds = extremesByThread(extremes);
  const threads = new Map<string, ThreadStats>();
  for (const wait of waits) {
    const key = threadKey(wait.pid, wait.tid);
    const t = threads.get(key) ?? {
      tid: wait.tid,
      comm: comms.get(wait.tid) ?? null,
      total_time_ns: 0,
      count: 0,
      avg_time_ns: 0,
      max_time_ns: bounds.get(key)?.longestNs ?? 0,
      min_time_ns: bounds.get(key)?.shortestNs ?? 0,
      lifetime_ns: lifetimes.get(key) ?? null,
    };
    t.total_time_ns += wait.totalNs;
    t.count += wait.count;
    t.avg_time_ns = Math.round(t.total_time_ns / t.count);
    threads.set(key, t);
  }
  if (!atOnce) for (const t of threads.values()) boundExtremes(t);
  return Object.fromEntries(threads);
}

/** Brings extremes that are of later waits, too, within what the sum and the count allow. */
function boundExtremes(thread: ThreadStats): void {
  const { avg_time_ns, total_time_ns } = thread;
  thread.max_time_ns = Math.min(Math.max(thread.max_time_ns, avg_time_ns), total_time_ns);
  thread.min_time_ns = Math.min(thread.min_time_ns, avg_time_ns);
}

/** A thread has two rows when one program has taken over from another. */
function extremesByThread(rows: readonly Extremes[]): Map<string, Extremes> {
  const found = new Map<string, Extremes>();
  for (const row of rows) {
    const key = threadKey(row.pid, row.tid);
    const other = found.get(key) ?? row;
    found.set(key, {
      ...row,
      longestNs: Math.max(row.longestNs, other.longestNs),
      shortestNs: Math.min(row.shortestNs, other.shortestNs),
    });
  }
  return found;
}

/** The ten threads that were off the CPU longest; percentages are of all threads' off-CPU time together. */
export function topThreads(
  threads: Readonly<Record<string, ThreadStats>>,
  total: number,
): Offcpu['top_blocking_threads'] {
  return Object.entries(threads)
    .sort(([, a], [, b]) => b.total_time_ns - a.total_time_ns)
    .slice(0, 10)
    .map(([key, t]) => ({
      pid: Number(key.split(':')[0]),
      tid: t.tid,
      time_ms: t.total_time_ns / 1e6,
      percentage: total ? Math.round((t.total_time_ns / total) * 10_000) / 100 : 0,
    }));
}
