import {
  type CallId,
  readCallError,
  readCallInProgress,
  readCallTimes,
  readSlowest,
} from '../bt/profilers/syscall-times.ts';
import type { Entry } from '../parsers/entries.ts';
import type { CallTimes, Offcpu, Syscalls } from './ebpf-schema.ts';
import { errnoName } from './errno.ts';
import { type Arch, COMPAT_PREFIX, callName } from './syscall-name.ts';

export interface CallTimesInput {
  readonly times: readonly Entry[];
  readonly slowest: readonly Entry[];
  readonly errors: readonly Entry[];
  /** Calls in progress. */
  readonly calls: readonly Entry[];
  readonly arch: Arch;
  /** End of the collection, ns of the kernel's clock. */
  readonly end: number;
  /** Waits with the call that they were within; none without the profiler. */
  readonly stacks: Offcpu['stacks'] | undefined;
}

type ByCall = Syscalls['by_syscall'];

/**
 * Adds to each call what it took and how it failed.
 *
 * @param metrics the counts
 * @returns how many entries could not be read
 */
export function addCallTimes(metrics: Syscalls, input: CallTimesInput): number {
  const sums = new Map<string, CallTimes>();
  const waits = input.stacks !== undefined;
  const of = (call: CallId): CallTimes => timesIn(sums, callName(input.arch, call), waits);
  const unreadable =
    addRows(input.times.map(readCallTimes), (row) => addTimes(of(row), row)) +
    addRows(input.slowest.map(readSlowest), (row) => {
      const times = of(row);
      times.max_time_ns = Math.max(times.max_time_ns, row.ns);
    }) +
    addRows(input.errors.map(readCallError), (row) => addErrors(of(row), row)) +
    addRows(input.calls.map(readCallInProgress), (row) => {
      const times = of(row);
      times.in_flight++;
      times.in_flight_ns += Math.max(0, input.end - row.sinceNs);
    });
  for (const row of input.stacks ?? []) if (row.syscall) addWaits(timesIn(sums, row.syscall, true), row);
  const merge = (calls: ByCall, prefix: string) => {
    for (const [name, call] of Object.entries(calls))
      Object.assign(call, timesIn(sums, prefix + name, waits));
  };
  merge(metrics.by_syscall, '');
  merge(metrics.compat_32bit.by_syscall, COMPAT_PREFIX);
  return unreadable;
}

function addRows<T>(rows: readonly (T | undefined)[], add: (row: T) => void): number {
  for (const row of rows) if (row !== undefined) add(row);
  return rows.filter((row) => row === undefined).length;
}

function timesIn(sums: Map<string, CallTimes>, name: string, waits: boolean): CallTimes {
  const times = sums.get(name) ?? noTimes(waits);
  sums.set(name, times);
  return times;
}

function noTimes(waits: boolean): CallTimes {
  return {
    ...{ returned: 0, errors: 0, by_errno: {}, total_time_ns: 0, avg_time_ns: 0, max_time_ns: 0 },
    ...{ in_flight: 0, in_flight_ns: 0 },
    ...(waits ? { off_cpu: { time_ns: 0, count: 0, by_reason: {} } } : {}),
  };
}

function addTimes(times: CallTimes, { count, totalNs }: { count: number; totalNs: number }): void {
  times.returned += count;
  times.total_time_ns += totalNs;
  times.avg_time_ns = Math.round(times.total_time_ns / times.returned);
}

function addErrors(times: CallTimes, { errno, count }: { errno: number; count: number }): void {
  const name = errnoName(errno);
  times.errors += count;
  times.by_errno[name] = (times.by_errno[name] ?? 0) + count;
}

function addWaits({ off_cpu }: CallTimes, { reason, time_ns, count }: Offcpu['stacks'][number]): void {
  if (!off_cpu) return;
  off_cpu.time_ns += time_ns;
  off_cpu.count += count;
  const sum = off_cpu.by_reason[reason] ?? { time_ns: 0, count: 0 };
  off_cpu.by_reason[reason] = { time_ns: sum.time_ns + time_ns, count: sum.count + count };
}
