import { errnoName } from '../../../metrics/errno.ts';
import type { WaitSum } from '../../../metrics/fields.ts';
import type { StackRow, Window } from '../../../metrics/measurement.ts';
import type { Reason } from '../../../metrics/reasons.ts';
import { groupBy, waitSumOf, waitSumsBy } from '../../../metrics/sums.ts';
import { type CallId, COMPAT_PREFIX, callName } from '../../../metrics/syscall-name.ts';
import { errors, inProgress, slowest, times } from './call-maps.ts';
import type { CallTimes, Syscalls } from './sys-schema.ts';

type ByCall = Syscalls['by_syscall'];

/** Adds to each call how long it took and how it failed. */
export function addCallTimes(part: Syscalls, window: Window): void {
  const sums = new Map<string, CallTimes>();
  const of = (call: CallId): CallTimes => timesIn(sums, callName(window.facts.host.arch, call));
  for (const row of window.rows(times)) addTimes(of(row.call), row);
  for (const row of window.rows(slowest)) {
    const call = of(row.call);
    call.max_time_ns = Math.max(call.max_time_ns, row.most);
  }
  for (const row of window.rows(errors)) addErrors(of(row.call), row);
  for (const row of window.rows(inProgress)) {
    const call = of(row.call);
    call.in_flight++;
    call.in_flight_ns += Math.max(0, window.end - row.since);
  }
  mergeInto(part, (name) => timesIn(sums, name));
}

/** Adds the waits that ended within each call, if the rows have their call. */
export function addCallWaits(part: Syscalls, rows: readonly StackRow[]): void {
  const waits = rows.flatMap(({ syscall, open, kind, timeNs: time_ns, count }) =>
    syscall && !open ? [{ call: syscall, reason: kind as Reason, time_ns, count }] : [],
  );
  const byCall = new Map(groupBy(waits, ({ call }) => call).map((of) => [of[0]?.call, of]));
  mergeInto(part, (name) => ({ off_cpu: offCpuOf(byCall.get(name) ?? []) }));
}

function offCpuOf(waits: readonly (WaitSum & { readonly reason: Reason })[]): CallTimes['off_cpu'] {
  const byReason = waitSumsBy(waits, ({ reason }) => reason);
  return { ...waitSumOf(waits), by_reason: Object.fromEntries(byReason) };
}

/** Adds fields to the rows of all calls, including those through the 32-bit entry point. */
function mergeInto({ by_syscall, compat_32bit }: Syscalls, fieldsOf: (name: string) => object): void {
  const merge = (calls: ByCall, prefix: string) => {
    for (const [name, call] of Object.entries(calls)) Object.assign(call, fieldsOf(prefix + name));
  };
  merge(by_syscall, '');
  merge(compat_32bit.by_syscall, COMPAT_PREFIX);
}

function timesIn(sums: Map<string, CallTimes>, name: string): CallTimes {
  const known = sums.get(name);
  if (known) return known;
  const none = {
    ...{ returned: 0, errors: 0, by_errno: {}, total_time_ns: 0, avg_time_ns: 0, max_time_ns: 0 },
    ...{ in_flight: 0, in_flight_ns: 0 },
  };
  sums.set(name, none);
  return none;
}

function addTimes(call: CallTimes, { count, total }: { count: number; total: number }): void {
  call.returned += count;
  call.total_time_ns += total;
  call.avg_time_ns = Math.round(call.total_time_ns / call.returned);
}

function addErrors(call: CallTimes, { errno, count }: { errno: number; count: number }): void {
  const name = errnoName(errno);
  call.errors += count;
  call.by_errno[name] = (call.by_errno[name] ?? 0) + count;
}
