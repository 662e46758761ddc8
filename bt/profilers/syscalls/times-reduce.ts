import { errnoName } from '../../../metrics/errno.ts';
import type { StackRow, Window } from '../../../metrics/measurement.ts';
import type { Reason } from '../../../metrics/reasons.ts';
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

/** Adds the waits that ended within each call, as far as rows name their call. */
export function addCallWaits(part: Syscalls, rows: readonly StackRow[]): void {
  const sums = new Map<string, NonNullable<CallTimes['off_cpu']>>();
  const of = (name: string) => {
    const waits = sums.get(name) ?? { time_ns: 0, count: 0, by_reason: {} };
    sums.set(name, waits);
    return waits;
  };
  for (const row of rows) if (row.syscall && !row.open) addWaits(of(row.syscall), row);
  mergeInto(part, (name) => ({ off_cpu: of(name) }));
}

/** Adds fields to the rows of all calls, also to those of the 32-bit entry. */
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

function addWaits(
  waits: NonNullable<CallTimes['off_cpu']>,
  { kind, timeNs, count }: Pick<StackRow, 'kind' | 'timeNs' | 'count'>,
): void {
  waits.time_ns += timeNs;
  waits.count += count;
  const reason = kind as Reason;
  const sum = waits.by_reason[reason] ?? { time_ns: 0, count: 0 };
  waits.by_reason[reason] = { time_ns: sum.time_ns + timeNs, count: sum.count + count };
}
