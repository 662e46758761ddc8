import type { Window } from '../../../metrics/measurement.ts';
import { keyOf } from '../../../metrics/threads.ts';
import type { WaitRow } from './off-maps.ts';
import type { Offcpu } from './off-schema.ts';

type ThreadStats = Offcpu['thread_stats'][string];

/** The longest and the shortest wait of a thread, ns. */
interface Extremes {
  readonly tid: number;
  readonly pid: number;
  readonly longest: number;
  readonly shortest: number;
}

/** Adds up waits by thread (`PID:TID`). */
export function threadStats(
  waits: readonly Pick<WaitRow, 'pid' | 'tid' | 'count' | 'total'>[],
  extremes: readonly Extremes[],
  { names, threads: times, isOneMoment }: Pick<Window, 'names' | 'threads' | 'isOneMoment'>,
): Record<string, ThreadStats> {
  const bounds = extremesByThread(extremes);
  const threads = new Map<string, ThreadStats>();
  for (const wait of waits) {
    const key = keyOf(wait);
    const t = threads.get(key) ?? {
      tid: wait.tid,
      comm: names.threads.get(wait.tid) ?? null,
      total_time_ns: 0,
      count: 0,
      avg_time_ns: 0,
      max_time_ns: bounds.get(key)?.longest ?? 0,
      min_time_ns: bounds.get(key)?.shortest ?? 0,
      lifetime_ns: times.lifetimes.get(key) ?? null,
    };
    t.total_time_ns += wait.total;
    t.count += wait.count;
    t.avg_time_ns = Math.round(t.total_time_ns / t.count);
    threads.set(key, t);
  }
  if (!isOneMoment) for (const t of threads.values()) boundExtremes(t);
  return Object.fromEntries(threads);
}

/** Limits extremes to what sum and count allow, because they may include later waits. */
function boundExtremes(thread: ThreadStats): void {
  const { avg_time_ns, total_time_ns } = thread;
  thread.max_time_ns = Math.min(Math.max(thread.max_time_ns, avg_time_ns), total_time_ns);
  thread.min_time_ns = Math.min(thread.min_time_ns, avg_time_ns);
}

/** Merges the rows of a thread: it has two if one program took over from another. */
function extremesByThread(rows: readonly Extremes[]): Map<string, Extremes> {
  const found = new Map<string, Extremes>();
  for (const row of rows) {
    const key = keyOf(row);
    const other = found.get(key) ?? row;
    found.set(key, {
      ...row,
      longest: Math.max(row.longest, other.longest),
      shortest: Math.min(row.shortest, other.shortest),
    });
  }
  return found;
}

/** Finds the ten threads that were off the CPU longest. Percentages are shares of the off-CPU time of all threads. */
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
